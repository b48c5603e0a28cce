package protocol_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func TestPositionAsText(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		text string
		want protocol.Position
		err  string
	}{
		{testkit.Here(), "none", "", protocol.Position{}, ""},
		{testkit.Here(), "first", "1-A", protocol.Position{Epoch: "A", Offset: 1}, ""},
		{testkit.Here(), "last", "18446744073709551615-x_Y-9", protocol.Position{Epoch: "x_Y-9", Offset: 1<<64 - 1}, ""},
		{testkit.Here(), "longest", "7-" + strings.Repeat("e", 64), protocol.Position{Epoch: strings.Repeat("e", 64), Offset: 7}, ""},
		{testkit.Here(), "too long", "7-" + strings.Repeat("e", 65), protocol.Position{}, "1 to 64"},
		{testkit.Here(), "zero", "0-A", protocol.Position{}, "from 1 on"},
		{testkit.Here(), "no epoch", "7-", protocol.Position{}, "from 1 on"},
		{testkit.Here(), "no hyphen", "7", protocol.Position{}, "from 1 on"},
		{testkit.Here(), "no offset", "-A", protocol.Position{}, `"-A" is not a position`},
		{testkit.Here(), "words", "seven-A", protocol.Position{}, "is not a position"},
		{testkit.Here(), "a sign", "+7-A", protocol.Position{}, "is not a position"},
		{testkit.Here(), "zeros in front", "007-A", protocol.Position{}, "is not a position"},
		{testkit.Here(), "too large", "18446744073709551616-A", protocol.Position{}, "is not a position"},
		{testkit.Here(), "a space", "7-A B", protocol.Position{}, "letters"},
		{testkit.Here(), "a quote", "7-A\"", protocol.Position{}, "letters"},
		{testkit.Here(), "not ASCII", "7-\u00c4", protocol.Position{}, "letters"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			before := protocol.Position{Epoch: "before", Offset: 9}
			got := before
			err := got.UnmarshalText([]byte(row.text))
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) || got != before {
					t.Errorf("%s: read as %+v (%v), want it left alone and %q", row.at, got, err, row.err)
				}
				return
			}
			if err != nil || got != row.want || got.String() != row.text {
				t.Errorf("%s: read as %+v (%v), written as %q; want %+v", row.at, got, err, got, row.want)
			}
			if b, err := got.MarshalText(); err != nil || string(b) != row.text {
				t.Errorf("%s: marshalled as %q (%v)", row.at, b, err)
			}
		})
	}
}

func TestPositionInJSON(t *testing.T) {
	t.Parallel()
	type said struct {
		At protocol.Position `json:"at,omitzero"`
	}
	for want, v := range map[string]said{`{}`: {}, `{"at":"7-A"}`: {protocol.Position{Epoch: "A", Offset: 7}}} {
		b, err := json.Marshal(v)
		var back said
		if err = errors.Join(err, json.Unmarshal(b, &back)); err != nil || string(b) != want || back != v {
			t.Errorf("%+v is %s and then %+v (%v), want %s", v, b, back, err, want)
		}
	}
	for _, p := range []protocol.Position{{Epoch: "A"}, {Offset: 7}, {Epoch: "a b", Offset: 7}} {
		if b, err := p.MarshalText(); err == nil {
			t.Errorf("%+v is written as %q, which cannot be read", p, b)
		}
	}
}

func TestPositionCovers(t *testing.T) {
	t.Parallel()
	at := func(epoch string, offset uint64) protocol.Position {
		return protocol.Position{Epoch: epoch, Offset: offset}
	}
	rows := []struct {
		at   testkit.Line
		p, q protocol.Position
		want bool
	}{
		{testkit.Here(), at("A", 7), at("A", 6), true},
		{testkit.Here(), at("A", 7), at("A", 7), true},
		{testkit.Here(), at("A", 7), at("A", 8), false},
		{testkit.Here(), at("A", 7), at("B", 6), false},
		{testkit.Here(), at("A", 7), at("", 0), false},
		{testkit.Here(), at("", 0), at("A", 1), false},
		{testkit.Here(), at("", 0), at("", 0), false},
	}
	for _, row := range rows {
		if got := row.p.Covers(row.q); got != row.want {
			t.Errorf("%s: %q covers %q: %t", row.at, row.p, row.q, got)
		}
	}
}

func TestEventAt(t *testing.T) {
	t.Parallel()
	p := protocol.Position{Epoch: "A", Offset: 7}
	e := said.New(map[string]int{"n": 7})
	at := events.At(e, p)
	if !e.Position().IsZero() || at.Position() != p || at.Type() != e.Type() || !events.At(at, protocol.Position{}).Position().IsZero() {
		t.Errorf("the event is at %q, its copy at %q, and that one's at %q", e.Position(), at.Position(), events.At(at, protocol.Position{}).Position())
	}
	got, err := said.Payload(at)
	if err != nil || got["n"] != 7 {
		t.Errorf("the copy's payload is %v (%v)", got, err)
	}
	body, err := events.Payload(e)
	copied, err2 := events.Payload(at)
	if errors.Join(err, err2) != nil || unsafe.SliceData(body) != unsafe.SliceData(copied) {
		t.Errorf("the payload is not shared (%v, %v)", err, err2)
	}

	bad := protocol.EventType[int]{Name: "bad"}.New(7)
	if err := events.Seal(events.At(bad, p)); err == nil || err.Error() != events.Seal(bad).Error() {
		t.Errorf("the copy of an event that cannot be encoded: %v", err)
	}
}

// TestEventAtOfAMessage: who is given the message can still find out where it was.
func TestEventAtOfAMessage(t *testing.T) {
	t.Parallel()
	p := protocol.Position{Epoch: "A", Offset: 7}
	wire, err := events.New(protocol.SendType.Name, []byte("\x81\xa4text\xa5hello"))
	if err != nil {
		t.Fatal(err)
	}
	read := protocol.SendType.New(text("hello"))
	for at, e := range map[testkit.Line]*protocol.Event{
		testkit.Here(): protocol.SendType.New(text("hello")),
		testkit.Here(): events.At(read, protocol.Position{Epoch: "B", Offset: 1}),
		testkit.Here(): wire,
	} {
		placed := events.At(e, p)
		m := placed.Prepared()
		if m == nil || m.Message().Text() != "hello" || m.Event().Position() != p {
			t.Errorf("%s: the message is %v, at %q", at, m, m.Event().Position())
		}
		if own := e.Prepared().Event(); own.Position() == p {
			t.Errorf("%s: the first event has got the copy's place", at)
		}
	}
}

func TestEventAtFromManyGoroutines(t *testing.T) {
	t.Parallel()
	for _, e := range []*protocol.Event{said.New(map[string]int{"n": 7}), protocol.SendType.New(text("hello"))} {
		var wg sync.WaitGroup
		for i := range uint64(8) {
			wg.Go(func() {
				at := events.At(e, protocol.Position{Epoch: "A", Offset: i + 1})
				if at.Position().Offset != i+1 || events.Seal(at) != nil {
					t.Errorf("copy %d is at %q", i+1, at.Position())
				}
				if e.Prepared() != at.Prepared() && at.Prepared().Event() != at {
					t.Errorf("copy %d has another's message", i+1)
				}
			})
		}
		wg.Wait()
	}
}

func TestAllocOfEventAt(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	e := said.New(map[string]int{"n": 7})
	p := protocol.Position{Epoch: "A", Offset: 7}
	if n := testing.AllocsPerRun(100, func() { p = events.At(e, p).Position() }); n != 1 {
		t.Errorf("a copy of an event costs %v allocations, want 1", n)
	}
	if size := unsafe.Sizeof(protocol.Event{}); size > 128 {
		t.Errorf("an event has %d bytes, which is the next size of allocations", size)
	}
}
