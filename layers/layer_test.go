package layers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

func TestTheZeroLayerIsEmpty(t *testing.T) {
	t.Parallel()
	var l layers.Layer
	ctx := t.Context()
	for _, err := range []error{
		l.GroupSend(ctx, "g", noted().New(note{})),
		l.GroupSendExcept(ctx, "g", noted().New(note{}), &member{}),
		l.Broadcast(ctx, "g", protocol.Text("x")),
		l.Send(ctx, "c", noted().New(note{})),
	} {
		if err != nil {
			t.Errorf("nobody there is not an error, but: %v", err)
		}
	}
	l.Leave("g", &member{})
}

func TestJoinSendLeave(t *testing.T) {
	t.Parallel()
	l, all := group(t, 3)
	a, b, c := all[0], all[1], all[2]
	join(t, l, "h", a)
	join(t, l, "g", b) // again
	l.Leave("h", b)    // was never there
	l.Leave("none", b)

	rows := []struct {
		at   testkit.Line
		name string
		do   func()
		want [3]int
	}{
		{testkit.Here(), "all", func() { send(t, l, "x", 1) }, [3]int{1, 1, 1}},
		{testkit.Here(), "left", func() { l.Leave("g", a); l.Leave("g", a); send(t, l, "x", 2) }, [3]int{0, 1, 1}},
		{testkit.Here(), "back", func() { join(t, l, "g", a); send(t, l, "x", 3) }, [3]int{1, 1, 1}},
		{testkit.Here(), "last joined leaves", func() { l.Leave("g", a); l.Leave("g", c); send(t, l, "x", 4) }, [3]int{0, 1, 0}},
		{testkit.Here(), "all have left", func() { l.Leave("g", b); send(t, l, "x", 5) }, [3]int{}},
		{testkit.Here(), "a new group of the name", func() { join(t, l, "g", c); send(t, l, "x", 6) }, [3]int{0, 0, 1}},
	}
	for _, row := range rows {
		row.do()
		var got [3]int
		for i, m := range all {
			got[i], _ = m.got()
		}
		if got != row.want {
			t.Errorf("%s: %s: delivered %v, want %v", row.at, row.name, got, row.want)
		}
	}
	if err := l.GroupSend(t.Context(), "h", noted().New(note{})); err != nil {
		t.Error(err)
	}
	if n, _ := a.got(); n != 1 {
		t.Errorf("the other group's member got %d notes, want 1", n)
	}
}

func TestGroupSendExcept(t *testing.T) {
	t.Parallel()
	l, all := group(t, 3)
	ctx := t.Context()
	stranger := &member{}
	rows := []struct {
		at   testkit.Line
		but  layers.Member
		want [3]int
	}{
		{testkit.Here(), all[1], [3]int{1, 0, 1}},
		{testkit.Here(), stranger, [3]int{1, 1, 1}},
		{testkit.Here(), nil, [3]int{1, 1, 1}},
	}
	for _, row := range rows {
		if err := errors.Join(
			l.GroupSendExcept(ctx, "g", noted().New(note{}), row.but),
			l.GroupSendExcept(ctx, "g", protocol.SendType.New(protocol.Text("x")), row.but),
		); err != nil {
			t.Errorf("%s: %v", row.at, err)
		}
		for i, m := range all {
			if notes, messages := m.got(); notes != row.want[i] || messages != row.want[i] {
				t.Errorf("%s: member %d got %d notes and %d messages, want %d", row.at, i, notes, messages, row.want[i])
			}
		}
	}
}

func TestAnEventIsOneValueForAllAndSealed(t *testing.T) {
	t.Parallel()
	l, all := group(t, 3)
	e := noted().New(note{"x", 7})
	if err := l.GroupSend(t.Context(), "g", e); err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if len(m.mu.events) != 1 || m.mu.events[0] != e || m.heard("x")[0] != 7 {
			t.Errorf("member %d got %v, want the event itself", i, m.mu.events)
		}
	}
}

func TestMessagesTakeTheirOwnLane(t *testing.T) {
	t.Parallel()
	l, all := group(t, 1)
	ctx := t.Context()
	unbind, err := l.Bind("c", all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unbind()
	asMap := protocol.EventType[map[string]any]{Name: protocol.SendType.Name}
	rows := []struct {
		at               testkit.Line
		name             string
		err              error
		events, messages int
	}{
		{testkit.Here(), "Broadcast", l.Broadcast(ctx, "g", protocol.Text("1")), 0, 1},
		{testkit.Here(), "GroupSend", l.GroupSend(ctx, "g", protocol.SendType.New(protocol.Binary([]byte("2")))), 0, 2},
		{testkit.Here(), "Send", l.Send(ctx, "c", protocol.SendType.New(protocol.Text("3"))), 0, 3},
		{testkit.Here(), "as a map", l.GroupSend(ctx, "g", asMap.New(map[string]any{"text": "4"})), 0, 4},
		{testkit.Here(), "no message in it", l.GroupSend(ctx, "g", asMap.New(map[string]any{"close": true})), 1, 4},
		{testkit.Here(), "another type", l.Send(ctx, "c", noted().New(note{})), 2, 4},
	}
	for _, row := range rows {
		if row.err != nil {
			t.Errorf("%s: %s: %v", row.at, row.name, row.err)
		}
	}
	last := rows[len(rows)-1]
	if got := all[0].mu.messages; !slices.Equal(got, []string{"1", "2", "3", "4"}) || len(all[0].mu.events) != last.events {
		t.Errorf("got the messages %q and %d events", got, len(all[0].mu.events))
	}
}

// keeper keeps what a Prepared's methods return, as it may.
type keeper struct {
	messages []protocol.Message
	frames   [][]byte
	appended [][]byte
}

func (k *keeper) Deliver(*protocol.Event) bool { return false }

func (k *keeper) Offer(p *protocol.Prepared) bool {
	type (
		variant struct{}
		large   struct{}
	)
	encode := func(b []byte, m protocol.Message) []byte { return append(append(b, '<'), m.Data...) }
	k.appended = append(k.appended, p.AppendFrame(nil, variant{}, encode))
	switch len(k.appended) % 3 {
	case 0:
		k.messages = append(k.messages, p.Message())
	case 1:
		share := func(_ any, m protocol.Message) any { return encode(nil, m) }
		k.frames = append(k.frames, p.Share(large{}, share).([]byte))
	}
	return false
}

func TestWhatABroadcastGivesMayBeKept(t *testing.T) {
	t.Parallel()
	var l layers.Layer
	k := &keeper{}
	join(t, &l, "g", k)
	b := make([]byte, 8)
	for i := range 30 {
		for j := range b {
			b[j] = byte('A' + i) // m may be used again
		}
		if err := l.Broadcast(t.Context(), "g", protocol.Message{Data: b}); err != nil {
			t.Fatal(err)
		}
	}
	text := func(i int) string { return strings.Repeat(string(rune('A'+i)), len(b)) }
	for i, got := range k.appended {
		if string(got) != "<"+text(i) {
			t.Errorf("frame %d that was copied is %q", i, got)
		}
	}
	for i, got := range k.frames {
		if string(got) != "<"+text(3*i) {
			t.Errorf("frame %d that was kept is %q, want <%s", 3*i, got, text(3*i))
		}
	}
	for i, got := range k.messages {
		if got.Text() != text(3*i+2) {
			t.Errorf("message %d that was kept is %q, want %s", 3*i+2, got.Data, text(3*i+2))
		}
	}
}

func TestWhatASenderCanGetWrong(t *testing.T) {
	t.Parallel()
	l, all := group(t, 1)
	cause := errors.New("went home")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	fine := noted().New(note{})
	unencodable := protocol.EventType[map[string]any]{Name: "bad"}.New(map[string]any{"f": func() {}})
	number := protocol.EventType[int]{Name: "bad"}.New(7)
	torn := protocol.SendType.New(protocol.Text("\xe3\x81"))
	rows := []struct {
		at   testkit.Line
		name string
		ctx  context.Context //nolint:containedctx // a row of a table
		to   string
		e    *protocol.Event
		want string
	}{
		{testkit.Here(), "invalid name", t.Context(), "two words", fine, `"two words"`},
		{testkit.Here(), "empty name", t.Context(), "", fine, "1 to 99 bytes"},
		{testkit.Here(), "ctx has ended", ended, "g", fine, "went home"},
		{testkit.Here(), "a function in the payload", t.Context(), "g", unencodable, `event "bad": the payload of type map[string]interface {} cannot be encoded`},
		{testkit.Here(), "text that is not UTF-8", t.Context(), "g", torn, "the message is text that is not UTF-8"},
		{testkit.Here(), "a number", t.Context(), "g", number, `event "bad": the payload is int; send a struct or a map`},
	}
	for _, row := range rows {
		errs := map[string]error{
			"GroupSend":       l.GroupSend(row.ctx, row.to, row.e),
			"GroupSendExcept": l.GroupSendExcept(row.ctx, row.to, row.e, nil),
			"Send":            l.Send(row.ctx, row.to, row.e),
		}
		if row.e == fine {
			errs["Broadcast"] = l.Broadcast(row.ctx, row.to, protocol.Text("x"))
			errs["Join"] = l.Join(row.ctx, row.to, &member{})
		}
		if row.e == torn {
			errs["Broadcast"] = l.Broadcast(row.ctx, row.to, protocol.Text("\xe3\x81"))
		}
		for method, err := range errs {
			if err == nil || !strings.Contains(err.Error(), row.want) || row.ctx == ended && !errors.Is(err, cause) {
				t.Errorf("%s: %s: %s returned %v, want %q", row.at, row.name, method, err, row.want)
			}
		}
	}
	if notes, messages := all[0].got(); notes+messages > 0 {
		t.Errorf("%d notes and %d messages were delivered in spite of the errors", notes, messages)
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	var l layers.Layer
	ctx, a, b := t.Context(), &member{}, &member{}
	bind := func(name string, m layers.Member) (unbind func()) {
		t.Helper()
		unbind, err := l.Bind(name, m)
		if err != nil {
			t.Fatal(err)
		}
		return unbind
	}
	check := func(wantA, wantB int) {
		t.Helper()
		if err := l.Send(ctx, "one", noted().New(note{})); err != nil {
			t.Error(err)
		}
		gotA, _ := a.got()
		gotB, _ := b.got()
		if gotA != wantA || gotB != wantB {
			t.Errorf("delivered %d and %d, want %d and %d", gotA, gotB, wantA, wantB)
		}
	}
	check(0, 0)
	unbindA := bind("one", a)
	bind("two", b)
	check(1, 0)
	for name, want := range map[string]string{"one": `"one" is already in use`, "a b": `"a b"`, "": "1 to 99", "x!": "byte 1", "!y": "1 to 99", "x!y!z": "byte 1"} {
		if unbind, err := l.Bind(name, b); err == nil || unbind != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Bind(%q) returned %v, want %q", name, err, want)
		}
	}
	check(1, 0)
	unbindA()
	check(0, 0)
	bind("one", b)
	unbindA() // again: the name is somebody else's now
	check(0, 1)
	if err := l.GroupSend(ctx, "one", noted().New(note{})); err != nil {
		t.Error(err)
	}
	if n, _ := b.got(); n != 0 {
		t.Error("a channel name is no group, but a group send has reached it")
	}
}
