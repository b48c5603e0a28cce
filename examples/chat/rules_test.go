package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

func TestSlowDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, tab, bob := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Ann", "/ws/456/"), enter(t, c, "Bob", "/ws/123/")
		ann.wantNews("join", "Bob")
		for i := range 5 {
			ann.say(fmt.Sprint(i))
			ann.wantSaid("Ann", fmt.Sprint(i))
			bob.wantSaid("Ann", fmt.Sprint(i))
		}
		sixth := request{Type: "say", Tag: "t6", Text: "and one more"}
		ann.SendJSON(sixth)
		no := ann.wantRefused("slow")
		if no.Tag != "t6" || no.Retry < 900 || no.Retry > 1001 {
			t.Errorf("got %+v, want t6 to be tried again in a second", no)
		}
		tab.say("elsewhere") // a person has one limit for all tabs
		tab.wantRefused("slow")
		bob.say("I am another")
		bob.wantSaid("Bob", "I am another")
		ann.wantSaid("Bob", "I am another")

		<-time.After(time.Duration(no.Retry-10) * time.Millisecond)
		ann.SendJSON(sixth)
		ann.wantRefused("slow")
		<-time.After(10 * time.Millisecond)
		ann.SendJSON(sixth)
		ann.wantSaid("Ann", "and one more")
		bob.wantSaid("Ann", "and one more")
		ann.say("and another")
		ann.wantRefused("slow")
		bob.WantNothing()

		ann.leave() // a reconnect does not reset the limit
		tab.leave()
		bob.wantNews("leave", "Ann")
		ann = enter(t, c, "Ann", "/ws/123/")
		ann.say("I am another too")
		ann.wantRefused("slow")

		<-time.After(time.Hour)
		for range 5 {
			ann.say("rested")
			ann.wantSaid("Ann", "rested")
		}
		ann.say("tired")
		ann.wantRefused("slow")
	})
}

// TestRefused: refused messages do not count for the limit on messages, except those to
// unknown people.
func TestRefused(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at           string
		json, reason string
		tag          string
	}{
		{here(), `{"type":"say","tag":"t1","text":""}`, "empty", "t1"},
		{here(), `{"type":"say","tag":"t1"}`, "empty", "t1"},
		{here(), `{"type":"say","text":" \n\t\r\u0000\u001b "}`, "empty", ""},
		{here(), `{"type":"say","tag":"t1","text":"` + strings.Repeat("你", 2001) + `"}`, "long", "t1"},
		{here(), `{"type":"say","tag":"t1","text":"hello","to":"nobody"}`, "nobody", "t1"},
		{here(), `{"type":"say","tag":"` + strings.Repeat("t", 65) + `","text":"hello"}`, "malformed", strings.Repeat("t", 65)},
		{here(), `{"type":"say","tag":"t\u0000","text":"hello"}`, "malformed", "t\x00"},
		{here(), `{"type":"say","tag":"t1","to":"\u0000","text":"hello"}`, "malformed", "t1"},
		{here(), `{"type":"say","text":5}`, "malformed", ""},
		{here(), `{"type":"shout","tag":"t1","text":"hello"}`, "malformed", "t1"},
		{here(), `{"type":"older","before":"1"}`, "malformed", ""},
		{here(), `{"text":"hello"}`, "malformed", ""},
		{here(), `{"type":"say"`, "malformed", ""},
		{here(), `[]`, "malformed", ""},
		{here(), `null`, "malformed", ""},
		{here(), `hello`, "malformed", ""},
		{here(), ``, "malformed", ""},
	}
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann := enter(t, c, "Ann", "/ws/123/")
		for _, row := range rows {
			ann.SendText(row.json)
			g := ann.want("refused")
			if g.Reason != row.reason || g.Tag != row.tag || g.Text == "" || g.Retry != 0 {
				t.Errorf("%s: got %+v, want %s of %q, and no retry", row.at, g, row.reason, row.tag)
			}
		}
		// All line separators become line breaks.
		ann.SendText(`{"type":"say","text":"one\u2028Bob: two\u2029three"}`)
		ann.wantSaid("Ann", "one\nBob: two\nthree")
		// The longest message, as often as the limit allows.
		for i := range 2 {
			ann.SendJSON(request{Type: "say", Text: " " + strings.Repeat("你", 2000) + "\n"})
			if m := ann.wantSaid("Ann", strings.Repeat("你", 2000)); m.Seq != int64(i+2) {
				t.Errorf("what was refused is stored: the %dth is %d", i+1, m.Seq)
			}
		}
		tag := strings.Repeat("t", 64)
		ann.SendJSON(request{Type: "say", Tag: tag, Text: "hello"})
		if m := ann.wantSaid("Ann", "hello"); m.Tag != tag {
			t.Errorf("the tag is %q", m.Tag)
		}
	})
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		send func(v *visitor)
		code consumer.CloseCode
	}{
		"too much": {func(v *visitor) {
			for range 101 {
				v.SendJSON(request{Type: "typing"})
			}
		}, consumer.ClosePolicyViolation},
		"binary": {func(v *visitor) { v.SendBinary([]byte(`{"type":"typing"}`)) }, consumer.CloseUnsupportedData},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := start(t)
				bob := enter(t, c, "Bob", "/ws/123/")
				ann := enter(t, c, "Ann", "/ws/123/")
				bob.wantNews("join", "Ann")
				row.send(ann)
				ann.WantClose(row.code)
				ann.WantOver()
				typing := 0
				for g := bob.next(); g.Type != "leave"; g = bob.next() {
					typing++
					if g.Type != "typing" || typing > 2 { // some typing notices are dropped
						t.Errorf("Bob got %+v", g)
					}
				}
				bob.say("hello")
				bob.wantSaid("Bob", "hello")
			})
		})
	}
	t.Run("not too much", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := start(t)
			ann := enter(t, c, "Ann", "/ws/123/")
			for _, count := range []int{100, 19} {
				for range count {
					ann.SendJSON(request{Type: "typing"})
				}
				ann.WantNothing()
				<-time.After(time.Second)
			}
			ann.say("hello")
			ann.wantSaid("Ann", "hello")
		})
	})
}

func TestRoomsThatCannotBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		for _, path := range []string{
			"/", "/ws/", "/ws//", "/ws/a%20b/", "/ws/a.b/", "/ws/%C3%B6/", "/ws/a/b/", "/ws/123", "/ws/" + strings.Repeat("a", 100) + "/",
		} {
			refused := consumertest.Refused(t, c.urls(), path, nil)
			if refused.Status != 404 {
				t.Errorf("%s: refused with %d, want 404", path, refused.Status)
			}
		}
	})
}
