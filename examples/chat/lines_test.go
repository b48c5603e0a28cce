package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// TestLines: a room for a client with lines of text.
func TestLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann := enter(t, c, "Ann", "/ws/123/")
		line := visit(t, c, "", "/ws/123/")
		who := ann.want("join").Who
		if who.Name != who.ID || !strings.HasPrefix(who.ID, "guest-") {
			t.Errorf("the guest is %+v", who)
		}
		line.WantText("* You are " + who.Name + " in room 123, with Ann.")

		ann.say("hello\nGod: I am here")
		ann.wantSaid("Ann", "hello\nGod: I am here")
		line.WantText("Ann: hello\n    God: I am here")
		line.SendText("hi \x07Ann\x1b[31m\r\n")
		line.WantText(who.Name + ": hi Ann[31m")
		if m := ann.want("message"); m.From != who || m.Text != "hi Ann[31m" || m.Tag != "" {
			t.Errorf("Ann got %+v", m)
		}
		line.SendText(`{"type":"typing"}`) // a text like any other
		line.WantText(who.Name + `: {"type":"typing"}`)
		ann.want("message")

		ann.SendJSON(request{Type: "typing"})
		ann.SendJSON(request{Type: "say", To: who.ID, Text: "psst"})
		ann.want("message")
		line.WantText("Ann (only to you): psst")
		bob := visit(t, c, "Bob", "/ws/123/")
		line.WantText("* Bob is here")
		bob.Close(consumer.CloseNormal, "")
		line.WantText("* Bob has left")

		line.SendText(" ")
		line.WantText("* There is nothing in that message.")
		line.SendText(strings.Repeat("x", 2001))
		line.WantText("* That message is too long: 2000 characters are the most.")
		for range 3 {
			line.SendText("spam")
			line.WantText(who.Name + ": spam")
		}
		line.SendText("spam")
		line.WantText("* Slow down, please: say that again in 1s.")
		line.WantNothing()
		line.SendBinary(nil)
		line.WantClose(consumer.CloseUnsupportedData)
	})
}

// TestLinesOfHistory: a client gets a greeting, and then the stored messages.
func TestLinesOfHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, bob := person("Ann"), person("Bob")
		for _, m := range []Message{
			{From: ann, Text: "one\ntwo"},
			{From: ann, To: &bob, Text: "for Bob"},
			{From: bob, To: &ann, Text: "for Ann"},
			{From: ann, To: &Person{ID: "id-of-eve", Name: "Eve"}, Text: "for Eve"},
			{From: bob, Text: "last"},
		} {
			add(t, c, "123", m)
		}
		line := visit(t, c, "Bob", "/ws/123/?after=4") // which applies to the page only
		for _, want := range []string{
			"* You are Bob in room 123, alone.",
			"Ann: one\n    two",
			"Ann (only to you): for Bob",
			"Bob (only to Ann): for Ann",
			"Bob: last",
		} {
			line.WantText(want)
		}
		line.WantNothing()
		other := visit(t, c, "", "/ws/123/")
		other.Message() // the greeting
		other.WantText("Ann: one\n    two")
		other.WantText("Bob: last")
		other.WantNothing()
	})
}

func TestCompany(t *testing.T) {
	t.Parallel()
	var many []Person
	for i := range 14 {
		many = append(many, Person{ID: fmt.Sprint(i), Name: fmt.Sprint("P", i)})
	}
	for _, row := range []struct {
		at    string
		there []Person
		want  string
	}{
		{here(), nil, "alone"},
		{here(), many[3:4], "alone"},
		{here(), many[3:5], "with P4"},
		{here(), many[2:5], "with P2 and P4"},
		{here(), many[0:5], "with P0, P1, P2 and P4"},
		{here(), many[0:11], "with P0, P1, P2, P4, P5, P6, P7, P8, P9 and P10"},
		{here(), many, "with P0, P1, P2, P4, P5, P6, P7, P8, P9, P10 and 3 others"},
	} {
		if got := company(row.there, many[3]); got != row.want {
			t.Errorf("%s: got %q, want %q", row.at, got, row.want)
		}
	}
}

// TestSenderCannotBeForged: a client cannot send as another person.
func TestSenderCannotBeForged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		good := cookieOf(t, c, "Ann")
		other := start(t)
		now := time.Now()
		for _, row := range []struct {
			at     string
			cookie string
			after  time.Duration
			ann    bool
		}{
			{here(), good, 0, true},
			{here(), good, 364 * 24 * time.Hour, true},
			{here(), "", 0, false},
			{here(), good[:len(good)-8] + "AAAAAAAA", 0, false},
			{here(), cookieName + `={"id":"id-of-ann","name":"Ann"}`, 0, false},
			{here(), strings.Replace(good, cookieName, "chat", 1), 0, false},
			{here(), cookieOf(t, other, "Ann"), 0, false},
			{here(), good, 366 * 24 * time.Hour, false},
		} {
			<-time.After(time.Until(now.Add(row.after)))
			line := consumertest.Connect(t, c.urls(), "/ws/123/", &consumertest.Options{
				Header: http.Header{"Cookie": {row.cookie}},
			})
			if m := line.Message(); strings.HasPrefix(m.Text(), "* You are Ann in") != row.ann ||
				strings.HasPrefix(m.Text(), "* You are guest-") == row.ann {
				t.Errorf("%s: %s, want Ann: %t", row.at, m.Text(), row.ann)
			}
			line.Close(consumer.CloseNormal, "")
			line.WantOver()
		}
	})
}
