package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// ways to send a message, whatever it takes.
func ways() map[string]func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	return map[string]func(ctx context.Context, c *protocol.Conn, m protocol.Message) error{
		"Send": func(ctx context.Context, c *protocol.Conn, m protocol.Message) error { return c.Send(ctx, m) },
		"SendPrepared": func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			return c.SendPrepared(ctx, protocol.Prepare(m))
		},
		"Offer": func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
			return c.Offer(protocol.Prepare(m))
		},
	}
}

// outgoing is a message and what becomes of it.
type outgoing struct {
	at       testkit.Line
	m        protocol.Message
	repaired string // "" if it need not be
}

// TestOutgoingText: text that is not UTF-8 reaches no peer as it is, however it is sent,
// before the answer and after it.
func TestOutgoingText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("世界", 5000)
	for _, row := range []outgoing{
		{testkit.Here(), text(""), ""},
		{testkit.Here(), text("hello"), ""},
		{testkit.Here(), text("grüß 世界 😀 \x00"), ""},
		{testkit.Here(), text(long), ""},
		{testkit.Here(), text("\ufffd"), ""},
		{testkit.Here(), protocol.Binary([]byte("\xe3\x81")), ""},
		{testkit.Here(), text("\xe3\x81"), "\ufffd"},
		{testkit.Here(), text("\xff\xfe"), "\ufffd"},
		{testkit.Here(), text("a\xffb\xc0c"), "a\ufffdb\ufffdc"},
		{testkit.Here(), text("\xed\xa0\x80"), "\ufffd"}, // half a surrogate pair
		{testkit.Here(), text(long + "\xe4\xb8"), long + "\ufffd"},
		{testkit.Here(), protocol.Message{Kind: 7, Data: []byte("\xff")}, "\ufffd"}, // what is not binary is sent as text
		{testkit.Here(), protocol.Message{Data: []byte("\xff"), Key: "k"}, "\ufffd"},
	} {
		for way := range ways() {
			for _, early := range []bool{false, true} {
				for _, repair := range []bool{false, true} {
					row.check(t, way, early, repair)
				}
			}
		}
	}
}

// check sends the message in one way to a connection with and without RepairText.
func (row *outgoing) check(t *testing.T, way string, early, repair bool) {
	t.Helper()
	at := fmt.Sprintf("%s: %s, early: %t, repair: %t", row.at, way, early, repair)
	send := func(ctx context.Context, c *protocol.Conn) error { return ways()[way](ctx, c, row.m) }
	var err error
	r := open(t, &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
		if early {
			err = send(ctx, c)
		}
		return nil
	}}, protocol.Limits{RepairText: repair})
	defer r.vanish()
	if !early {
		err = send(t.Context(), r.Conn())
	}
	invalid, want := int64(0), []string{string(row.m.Data)}
	if row.repaired != "" {
		invalid, want = 1, []string{row.repaired}
	}
	refused := invalid == 1 && !repair
	if refused {
		want = nil
	}
	if errors.Is(err, protocol.ErrNotUTF8) != refused || !refused && err != nil {
		t.Errorf("%s: returned %v, want that it is not UTF-8: %t", at, err, refused)
	}
	r.wire.mu.Lock()
	got := slices.Clone(r.wire.mu.sent)
	r.wire.mu.Unlock()
	if !slices.Equal(got, want) {
		t.Errorf("%s: sent %.200q, want %.200q", at, got, want)
	}
	if st := r.counters.Stats(); st.MessagesInvalid != invalid || st.MessagesDropped != 0 {
		t.Errorf("%s: %d are counted as invalid and %d as dropped, want %d and none", at, st.MessagesInvalid, st.MessagesDropped, invalid)
	}
	if lines := r.logs.count(); (lines == 1) != (refused && way == "Offer") {
		t.Errorf("%s: %d lines are logged; want one where the sender learns nothing", at, lines)
	}
}

// TestOutgoingTextAfterTheEnd: that the connection is over is what matters.
func TestOutgoingTextAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, send := range ways() {
		r := open(t, &fakes.Handler{}, protocol.Limits{})
		r.vanish()
		if err := send(t.Context(), r.Conn(), text("\xff")); !errors.Is(err, protocol.ErrClosed) || errors.Is(err, protocol.ErrNotUTF8) {
			t.Errorf("%s: returned %v, want that it is closed", name, err)
		}
		if n := r.counters.Stats().MessagesInvalid; n != 0 {
			t.Errorf("%s: %d are counted", name, n)
		}
	}
}

// TestSharedTextIsRepairedOnce: all members share the repaired message.
func TestSharedTextIsRepairedOnce(t *testing.T) {
	t.Parallel()
	var first atomic.Pointer[byte]
	p := protocol.Prepare(text("a\xff"))
	if !errors.Is(p.Err(), protocol.ErrNotUTF8) || protocol.Prepare(text("a")).Err() != nil {
		t.Error("Prepare did not tell the two apart")
	}
	for range 3 {
		w := &wire{send: func(m protocol.Message) error {
			data := unsafe.SliceData(m.Data)
			if !first.CompareAndSwap(nil, data) && first.Load() != data {
				t.Error("it was repaired again")
			}
			return nil
		}}
		r := openOn(t, w, &fakes.Handler{}, protocol.Limits{RepairText: true})
		if err := r.Conn().Offer(p); err != nil {
			t.Error(err)
		}
		r.vanish()
	}
	p.Release()
	again := protocol.Prepare(text("b"))
	if again.Err() != nil {
		t.Error("a message made after one that was not UTF-8 is taken for it")
	}
}

// TestEventsThatHoldInvalidText: the sender in this process is told; what another node
// has sent is repaired.
func TestEventsThatHoldInvalidText(t *testing.T) {
	t.Parallel()
	own := protocol.SendType.New(text("\xff"))
	for name, err := range map[string]error{
		"Seal":    events.Seal(own),
		"Wire":    func() error { _, err := events.Payload(own); return err }(),
		"Payload": func() error { _, err := protocol.SendType.Payload(own); return err }(),
	} {
		if !errors.Is(err, protocol.ErrNotUTF8) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	if own.Prepared() != nil {
		t.Error("it can be sent")
	}
	if err := events.Seal(protocol.SendType.New(protocol.Binary([]byte("\xff")))); err != nil {
		t.Errorf("a binary message: %v", err)
	}
	e, err := events.New(protocol.SendType.Name, []byte("\x81\xa4text\xa2a\xff"))
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, &fakes.Handler{}, protocol.Limits{})
	defer r.vanish()
	if err := r.Conn().Offer(e.Prepared()); err != nil || r.wire.sent() != "a\ufffd" {
		t.Errorf("of another node: sent %q, %v", r.wire.sent(), err)
	}
}

// FuzzOutgoingText: whatever is sent as text, and however, what the transport gets is
// UTF-8, or what was given.
func FuzzOutgoingText(f *testing.F) {
	for _, seed := range []string{"", "hello", "\xff", "世界\xe4\xb8", "\xed\xa0\x80", strings.Repeat("a", 100) + "\x80"} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, repair bool) {
		l := protocol.Limits{}
		if repair {
			l.RepairText = true
		}
		for name, send := range ways() {
			r := open(t, &fakes.Handler{}, l)
			err := send(t.Context(), r.Conn(), protocol.Message{Data: data})
			got := r.wire.sent()
			switch {
			case !utf8.ValidString(got):
				t.Errorf("%s: %q was sent as %q", name, data, got)
			case utf8.Valid(data) && (err != nil || got != string(data)):
				t.Errorf("%s: %q became %q, %v", name, data, got, err)
			case !utf8.Valid(data) && (err == nil) != repair:
				t.Errorf("%s: %q: returned %v", name, data, err)
			}
			r.vanish()
		}
	})
}
