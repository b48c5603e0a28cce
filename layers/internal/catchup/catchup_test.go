package catchup_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/catchup"
	"github.com/wye-go/wye/protocol"
)

// event is the event at a position such as "3-E", or one that was only sent.
func event(at string) *protocol.Event {
	e := protocol.EventType[struct{}]{Name: "x"}.New(struct{}{})
	if at == "sent" {
		return e
	}
	return events.At(e, position(at))
}

func position(at string) (p protocol.Position) {
	if err := p.UnmarshalText([]byte(at)); err != nil {
		panic(err)
	}
	return p
}

// shown are the positions of events.
func shown(events []*protocol.Event) (all []string) {
	for _, e := range events {
		text := e.Position().String()
		if text == "" {
			text = "sent"
		}
		all = append(all, text)
	}
	return all
}

// addAll adds events, and returns those that are to be delivered at once.
func addAll(b *catchup.Buffer, events string) (now []string) {
	for at := range strings.FieldsSeq(events) {
		if b.Add(event(at)) {
			now = append(now, at)
		}
	}
	return now
}

// nextAll returns what is to be delivered when the history has been read up to last.
func nextAll(t *testing.T, b *catchup.Buffer, last protocol.Position) (next []string) {
	t.Helper()
	for {
		events, more, err := b.Next(last)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return next
		}
		next = append(next, shown(events)...)
	}
}

// TestBuffer adds events, reads up to a position, and adds more.
func TestBuffer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		name   string
		before string // events that come while the history is read
		last   string // what has been read
		next   string // what is delivered then
		after  string // events that come later
		now    string // those that are delivered at once
		done   string // the positions at which the Buffer is no longer needed
	}{
		{testkit.Here(), "nothing comes", "", "3-E", "", "3-E 4-E sent", "4-E sent", "3-E 4-E"},
		{testkit.Here(), "what was read is omitted", "2-E 3-E 4-E", "3-E", "4-E", "2-E 5-E", "5-E", "3-E 4-E"},
		{testkit.Here(), "what was only sent is not", "sent 3-E", "3-E", "sent", "sent", "sent", "3-E 4-E"},
		{testkit.Here(), "no history", "sent", "", "sent", "1-E sent", "1-E sent", "1-E 2-E 3-E 4-E 1-F"},
		{testkit.Here(), "another epoch", "1-F", "3-E", "1-F", "2-F 1-E", "2-F", "3-E 4-E"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var b catchup.Buffer
			if early := addAll(&b, row.before); len(early) > 0 || b.IsSettled() || b.IsDone(position("9-E")) {
				t.Errorf("%s: %q are delivered before the history has been read; settled: %t", row.at, early, b.IsSettled())
			}
			next := nextAll(t, &b, position(row.last))
			now := addAll(&b, row.after)
			if !slices.Equal(next, strings.Fields(row.next)) || !slices.Equal(now, strings.Fields(row.now)) || !b.IsSettled() {
				t.Errorf("%s: delivers %q and then %q, want %q and %q", row.at, next, now, row.next, row.now)
			}
			var done []string
			for _, at := range []string{"1-E", "2-E", "3-E", "4-E", "1-F"} {
				if b.IsDone(position(at)) {
					done = append(done, at)
				}
			}
			if !slices.Equal(done, strings.Fields(row.done)) {
				t.Errorf("%s: is done at %q, want %q", row.at, done, row.done)
			}
		})
	}
}

func TestBufferOverflows(t *testing.T) {
	t.Parallel()
	var b catchup.Buffer
	for i := range catchup.MaxWaiting {
		b.Add(event(fmt.Sprint(i+1, "-E")))
	}
	full := b
	if events, more, err := full.Next(position("6-E")); len(events) != catchup.MaxWaiting-6 || !more || err != nil {
		t.Errorf("just not too many: %d events, %v", len(events), err)
	}
	b.Add(event("sent"))
	if _, _, err := b.Next(position("6-E")); !errors.Is(err, driver.ErrBehind) || b.Add(event("sent")) {
		t.Errorf("too many: %v, want ErrBehind, and nothing is delivered any more", err)
	}
	b.DropStrays(7, "F") // nothing waits
}

func TestBufferDropsStrays(t *testing.T) {
	t.Parallel()
	var b catchup.Buffer
	for _, at := range []string{"sent", "7-E", "1-F", "8-E", "sent", "2-F"} {
		b.Add(event(at))
	}
	if e, f, g := b.Strays("E"), b.Strays("F"), b.Strays("G"); e != 6 || f != 4 || g != 6 {
		t.Errorf("strays beside E, F and G wait up to %d, %d and %d, want 6, 4 and 6", e, f, g)
	}
	b.DropStrays(3, "F")
	got, _, err := b.Next(position("1-F"))
	if want := []string{"sent", "8-E", "sent", "2-F"}; err != nil || !slices.Equal(shown(got), want) {
		t.Errorf("%q (%v) are left, want %q", shown(got), err, want)
	}
	b.Add(event("sent"))
	b.Discard()
	if b.Strays("E") != 0 {
		t.Error("something waits after Discard")
	}
}
