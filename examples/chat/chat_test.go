package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

func TestTwoTalk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, eve := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Eve", "/ws/456/")
		bob := enter(t, c, "Bob", "/ws/123/")
		ann.wantNews("join", "Bob")

		ann.say("hello, Bob")
		ann.wantSaid("Ann", "hello, Bob")
		bob.wantSaid("Ann", "hello, Bob")
		bob.say(" <b>你好</b>,\r\n\tAnn\x00\x1b[2J ")
		ann.wantSaid("Bob", "<b>你好</b>,\n\tAnn[2J")
		m := bob.wantSaid("Bob", "<b>你好</b>,\n\tAnn[2J")
		if m.Seq != 2 || m.To != nil || m.At == 0 {
			t.Errorf("the message is %+v, want the second of the room, to everybody, and with its time", m)
		}
		eve.WantNothing() // eve is in another room
	})
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann := enter(t, c, "Ann", "/ws/123/")
		w := ann.welcome
		if w.Room != "123" || !w.Fresh || w.More || w.Messages == nil || len(w.Messages) > 0 {
			t.Errorf("the welcome to an empty room is %+v", w)
		}
		if got := fmt.Sprint(w.People); got != "[{id-of-ann Ann}]" {
			t.Errorf("there are %s, want Ann", got)
		}
		ann.say("is anybody here?")
		ann.wantSaid("Ann", "is anybody here?")

		w = enter(t, c, "Bob", "/ws/123/").welcome
		if got := fmt.Sprint(w.People); got != "[{id-of-ann Ann} {id-of-bob Bob}]" {
			t.Errorf("there are %s, want Ann and Bob", got)
		}
		if len(w.Messages) != 1 || w.Messages[0].Text != "is anybody here?" || w.Messages[0].From != person("Ann") {
			t.Errorf("Bob was told %+v, want what Ann has said", w.Messages)
		}
	})
}

// TestComingBack: a client that reconnects gets the messages after the last one that it
// has.
func TestComingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		for i, row := range []struct {
			at    string
			query string
			fresh bool
			first int // the number of the first message; the last is the room's
		}{
			{here(), "", true, 11},
			{here(), "?after=0", true, 11},
			{here(), "?after=9", true, 11}, // 10 is missing too, which is more than a page
			{here(), "?after=10", false, 11},
			{here(), "?after=58", false, 59},
			{here(), "?after=60", false, 61},
			{here(), "?after=61", true, 11}, // from another database
			{here(), "?after=many", true, 11},
			{here(), "?after=99999999999999999999", true, 11},
		} {
			room := fmt.Sprint("room-", i)
			fill(t, c, room, "Ann", 60)
			bob := enter(t, c, "Bob", "/ws/"+room+"/"+row.query)
			var want []string
			for n := row.first; n <= 60; n++ {
				want = append(want, fmt.Sprint(n))
			}
			w := bob.welcome
			if w.Fresh != row.fresh || w.More != row.fresh || !slices.Equal(texts(w.Messages), want) {
				t.Errorf("%s: got %q (fresh: %t, more: %t)", row.at, texts(w.Messages), w.Fresh, w.More)
			}
			add(t, c, room, Message{From: person("Ann"), Text: "61"})
			bob.wantSaid("Ann", "61")
		}
	})
}

// TestOlderPages: the client asks by the position of its oldest message, until there
// are no older ones.
func TestOlderPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		for i := range 120 {
			m := Message{From: person("Ann"), Text: fmt.Sprint(i + 1)}
			if i%10 == 9 {
				m.To = &Person{ID: "somebody else"}
			}
			add(t, c, "123", m)
		}
		bob := enter(t, c, "Bob", "/ws/123/")
		all, more := bob.welcome.Messages, bob.welcome.More
		pages := 1
		for ; more; pages++ {
			bob.SendJSON(request{Type: "older", Before: all[0].Seq})
			page := bob.want("older")
			if len(page.Messages) == 0 {
				t.Fatal("there should have been more")
			}
			all, more = append(page.Messages, all...), page.More
		}
		if pages != 3 || len(all) != 108 {
			t.Errorf("%d pages with %d messages, want 3 with 108", pages, len(all))
		}
		for i, m := range all {
			if want := int64(i + i/9 + 1); m.Seq != want || m.Text != fmt.Sprint(want) {
				t.Fatalf("message %d is %+v, want the room's %d", i, m, want)
			}
		}
		bob.SendJSON(request{Type: "older", Before: 1})
		if page := bob.want("older"); page.More || page.Messages == nil || len(page.Messages) > 0 {
			t.Errorf("before the first message there are %+v", page)
		}
	})
}

// TestEnteringWhileOthersTalk: a client that joins at any moment gets each message
// exactly once.
func TestEnteringWhileOthersTalk(t *testing.T) {
	t.Parallel()
	const count = 150
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		fill(t, c, "123", "Ann", 1)
		var talk sync.WaitGroup
		talk.Go(func() { fill(t, c, "123", "Ann", count-1) })
		visitors := make([]*visitor, 8)
		for i := range visitors {
			visitors[i] = enter(t, c, fmt.Sprint("Bob", i), "/ws/123/?after=1")
		}
		talk.Wait()
		for _, v := range visitors {
			v.follow(t, 1, count)
		}
	})
}

// follow applies answers as the page does, until a message.
func (v *visitor) follow(t *testing.T, known, until int64) {
	t.Helper()
	take := func(messages ...Message) {
		for _, m := range messages {
			if m.Seq != known+1 {
				t.Fatalf("%s got message %d after %d", v.welcome.You.Name, m.Seq, known)
			}
			known = m.Seq
		}
	}
	welcome := func(w got) {
		if w.Fresh && len(w.Messages) > 0 {
			known = w.Messages[0].Seq - 1
		}
		take(w.Messages...)
	}
	for welcome(v.welcome); known < until; {
		switch g := v.next(); g.Type {
		case "welcome":
			welcome(g)
		case "message":
			take(g.Message)
		}
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, tab := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Ann", "/ws/123/")
		bob := enter(t, c, "Bob", "/ws/123/")
		ann.wantNews("join", "Bob")
		tab.wantNews("join", "Bob")
		tagged := request{Type: "say", Tag: "t1", Text: "hello"}

		ann.SendJSON(tagged)
		for v, tag := range map[*visitor]string{ann: "t1", tab: "t1", bob: ""} {
			if m := v.wantSaid("Ann", "hello"); m.Tag != tag || m.Seq != 1 {
				t.Errorf("%s got the tag %q of message %d, want %q of the first", v.welcome.You.Name, m.Tag, m.Seq, tag)
			}
		}

		// The same tag is acknowledged again and not stored again, whatever the text is
		// now.
		tagged.Text = "hello again"
		ann.SendJSON(tagged)
		if m := ann.wantSaid("Ann", "hello"); m.Tag != "t1" || m.Seq != 1 {
			t.Errorf("said again, it is %+v, want what it was", m)
		}
		ann.WantNothing()
		tab.WantNothing()
		bob.WantNothing()

		// The same tag of another person, or in another room, is another message.
		bob.SendJSON(tagged)
		if m := bob.wantSaid("Bob", "hello again"); m.Tag != "t1" || m.Seq != 2 {
			t.Errorf("Bob's is %+v, want the second with his tag", m)
		}
		other := enter(t, c, "Ann", "/ws/456/")
		other.SendJSON(tagged)
		if m := other.wantSaid("Ann", "hello again"); m.Seq != 1 {
			t.Errorf("in another room it is %+v, want the first", m)
		}
		other.say("without a tag")
		other.wantSaid("Ann", "without a tag")
		other.say("without a tag")
		if m := other.wantSaid("Ann", "without a tag"); m.Seq != 3 {
			t.Errorf("without a tag it is %+v, want the third", m)
		}

		// In the history only the sender sees the tag, too.
		for name, want := range map[string]string{"Ann": `["t1" ""]`, "Bob": `["" "t1"]`, "Eve": `["" ""]`} {
			v := enter(t, c, name, "/ws/123/")
			v.SendJSON(request{Type: "older", Before: 3})
			older := v.want("older").Messages
			for _, ms := range [][]Message{v.welcome.Messages, older} {
				if got := fmt.Sprintf("%q", []string{ms[0].Tag, ms[1].Tag}); got != want {
					t.Errorf("%s sees the tags %s, want %s", name, got, want)
				}
			}
			v.leave()
		}
	})
}

// TestOneTagFromTwoTabs: a message that is on its way to a page is not acknowledged
// early.
func TestOneTagFromTwoTabs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		tabs := []*visitor{enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Ann", "/ws/123/")}
		only, err := c.store.writes.Conn(t.Context()) // the store waits for it
		if err != nil {
			t.Fatal(err)
		}
		for _, tab := range tabs {
			tab.SendJSON(request{Type: "say", Tag: "t1", Text: "hello"})
		}
		for _, tab := range tabs {
			tab.WantNothing()
		}
		only.Close()
		for _, tab := range tabs {
			tab.wantSaid("Ann", "hello")
			tab.WantNothing()
		}
	})
}

func TestDirectMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, bob, tab := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Bob", "/ws/123/"), enter(t, c, "Bob", "/ws/123/")
		eve := enter(t, c, "Eve", "/ws/123/")
		ann.wantNews("join", "Bob")
		for _, v := range []*visitor{ann, bob, tab} {
			v.wantNews("join", "Eve")
		}

		ann.tell("Bob", "psst")
		for _, v := range []*visitor{ann, bob, tab} {
			if m := v.wantSaid("Ann", "psst"); m.To == nil || *m.To != person("Bob") {
				t.Errorf("%s got it as one to %v, want Bob", v.welcome.You.Name, m.To)
			}
		}
		eve.WantNothing()
		ann.say("hello, all")
		for _, v := range []*visitor{ann, bob, tab, eve} {
			v.wantSaid("Ann", "hello, all") // and Eve does not ask for the direct message
		}

		// A person who is not connected gets it later, in the same room only.
		bob.leave()
		tab.leave()
		ann.wantNews("leave", "Bob")
		ann.tell("Bob", "are you there?")
		ann.wantSaid("Ann", "are you there?")
		for name, want := range map[string]string{
			"Ann": "psst, hello, all, are you there?",
			"Bob": "psst, hello, all, are you there?",
			"Eve": "hello, all",
			"Joe": "hello, all",
		} {
			for _, query := range []string{"", "?after=0"} {
				v := enter(t, c, name, "/ws/123/"+query)
				v.SendJSON(request{Type: "older", Before: 100})
				for _, ms := range [][]Message{v.welcome.Messages, v.want("older").Messages} {
					if got := strings.Join(texts(ms), ", "); got != want {
						t.Errorf("%s gets %q, want %q", name, got, want)
					}
				}
				v.leave()
			}
		}
	})
}

func TestTyping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, tab, bob := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Bob", "/ws/123/")
		eve := enter(t, c, "Eve", "/ws/456/")
		ann.wantNews("join", "Bob")
		tab.wantNews("join", "Bob")
		ann.SendJSON(request{Type: "typing"})
		bob.wantNews("typing", "Ann")
		for _, v := range []*visitor{ann, tab, bob, eve} {
			v.WantNothing()
		}
	})
}

// TestPresence: presence is per person, not per tab.
func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, eve := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Eve", "/ws/456/")
		bob := enter(t, c, "Bob", "/ws/123/")
		ann.wantNews("join", "Bob")
		tab := enter(t, c, "Bob", "/ws/123/")
		if got := fmt.Sprint(tab.welcome.People); got != "[{id-of-ann Ann} {id-of-bob Bob}]" {
			t.Errorf("there are %s, want Ann and Bob", got)
		}
		ann.WantNothing()
		bob.leave()
		ann.WantNothing()
		tab.Vanish()
		ann.wantNews("leave", "Bob")

		enter(t, c, "Bob", "/ws/456/")
		eve.wantNews("join", "Bob")
		ann.WantNothing() // Bob is in another room
		if got := fmt.Sprint(enter(t, c, "Joe", "/ws/123/").welcome.People); got != "[{id-of-ann Ann} {id-of-joe Joe}]" {
			t.Errorf("there are %s, want Ann and Joe", got)
		}
	})
}

// TestOtherPrograms: text that a program sends to the group of a room is shown
// unchanged.
func TestOtherPrograms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, line := enter(t, c, "Ann", "/ws/123/"), visit(t, c, "Bob", "/ws/123/")
		line.WantText("* You are Bob in room 123, with Ann.")
		ann.wantNews("join", "Bob")
		broadcast := func(m consumer.Message) {
			t.Helper()
			if err := c.layer.Broadcast(t.Context(), "123", m); err != nil {
				t.Fatal(err)
			}
		}
		broadcast(consumer.Binary([]byte("for other programs")))
		broadcast(consumer.Text(`{"type":"welcome"} <b>`))
		if g := ann.want("text"); g.Text != `{"type":"welcome"} <b>` {
			t.Errorf("Ann got %q", g.Text)
		}
		line.WantText(`{"type":"welcome"} <b>`)
		ann.WantNothing()
		line.WantNothing()
	})
}

// TestMissedEvents: if the layer loses events, members read the messages from the
// store.
func TestMissedEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		quiet := startWriter(c.store.database, c.store.writes, func(string, Message) {})
		defer quiet.stop()
		lose := func(count int) {
			for range count {
				if _, err := quiet.add(t.Context(), "123", Message{From: person("Eve"), Text: "lost"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		send := func(e *consumer.Event) {
			if err := c.layer.GroupSend(t.Context(), "123", e); err != nil {
				t.Fatal(err)
			}
		}
		fill(t, c, "123", "Eve", 1)
		ann, bob := enter(t, c, "Ann", "/ws/123/"), visit(t, c, "Bob", "/ws/123/")
		bob.WantText("* You are Bob in room 123, with Ann.")
		bob.WantText("Eve: 1")
		ann.wantNews("join", "Bob")

		lose(2)
		ann.say("hello")
		w := ann.want("welcome")
		if got := texts(w.Messages); w.Fresh || fmt.Sprint(got) != "[lost lost hello]" || w.Messages[0].Seq != 2 {
			t.Errorf("after two were lost, Ann got %q (fresh: %t), want them and her own", got, w.Fresh)
		}
		bob.WantText("Eve: lost")
		bob.WantText("Eve: lost")
		bob.WantText("Ann: hello")

		lose(1)
		send(layers.Gap.New(layers.GapEvent{Group: "123"}))
		if w := ann.want("welcome"); w.Fresh || fmt.Sprint(texts(w.Messages)) != "[lost]" {
			t.Errorf("after a gap, Ann got %+v, want the one that was lost", w)
		}
		bob.WantText("Eve: lost")

		lose(pageSize)
		ann.say("hello")
		if w := ann.want("welcome"); !w.Fresh || !w.More || len(w.Messages) != pageSize || w.Messages[pageSize-1].Text != "hello" {
			t.Errorf("after more than a page was lost, Ann got %+v", w)
		}
		bob.WantText("* You are Bob in room 123, with Ann.")
		for range pageSize - 1 {
			bob.WantText("Eve: lost")
		}
		bob.WantText("Ann: hello")

		send(Said.New(Message{Seq: 1, From: person("Eve"), Text: "1"})) // a duplicate
		ann.WantNothing()
		bob.WantNothing()
	})
}

// TestDatabaseError: a timeout of the database does not close the connection, and
// clients do not see internal errors.
func TestDatabaseError(t *testing.T) {
	t.Parallel()
	c := start(t)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	fault := fmt.Errorf("database /home/ann/chat.db: %w", late.Err())
	if no := (*refused)(nil); !errors.As(c.databaseError(late, fault), &no) || no.Reason != "store" || no.Retry == 0 {
		t.Errorf("late: got %v, want it refused for now", c.databaseError(late, fault))
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.databaseError(over, context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("over: got %v, want it to be the end", err)
	}
}

// TestDatabaseErrorIsLoggedOnce: and not for each request that fails.
func TestDatabaseErrorIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		var log bytes.Buffer
		c.log = slog.New(slog.NewTextHandler(&log, nil))
		for _, want := range []int{1, 1, 2} {
			for range 100 {
				_ = c.databaseError(t.Context(), errDamaged)
			}
			if got := strings.Count(log.String(), "the database failed"); got != want {
				t.Errorf("there are %d lines, want %d", got, want)
			}
			<-time.After(6 * time.Second)
		}
	})
}
