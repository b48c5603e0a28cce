package protocol_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestLinesThatPeersCauseAreFew has a hundred peers each cause one line of a kind: few
// are written, none is long, and the next one says how many were not.
func TestLinesThatPeersCauseAreFew(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	fails := func(err error) *fakes.Handler {
		return &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { return err }}
	}
	for _, row := range []struct {
		at   testkit.Line
		name string
		h    *fakes.Handler
	}{
		{testkit.Here(), "a callback fails", fails(errors.New(long))},
		{testkit.Here(), "a callback panics", &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { panic(long) }}},
		{testkit.Here(), "Connect fails", &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return errors.New(long) }}},
		{testkit.Here(), "Connect refuses a name", &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error {
			return errors.Join(errors.New(long), protocol.ErrInvalidName)
		}}},
		{testkit.Here(), "Receive refuses a name", fails(errors.Join(errors.New(long), protocol.ErrInvalidName))},
		{testkit.Here(), "an unread message", fails(errors.Join(errors.New(long), plumbing.ErrUnread))},
		{testkit.Here(), "a close code of the peer's choice", &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error {
			c.Close(1005, long)
			return nil
		}}},
		{testkit.Here(), "an event that does not fit", &fakes.Handler{
			OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error { return c.Post(said.New(nil)) },
			OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error {
				return errors.Join(errors.New(long), protocol.ErrEventPayload)
			},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out, counters := &logs{}, &protocol.Counters{}
				visit := func() {
					r := httptest.NewRequestWithContext(t.Context(), "GET", "/"+long, nil)
					r.RemoteAddr = long // of middleware that believes a header
					s := protocol.NewSession(t.Context(), row.h, protocol.NewScope("websocket", r), &wire{},
						&protocol.SessionOptions{Logger: slog.New(out), Counters: counters})
					if s.Open() {
						s.Receive(text("x"))
						synctest.Wait()
						s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
					}
				}
				for range 100 {
					visit()
				}
				if n := out.count(); n == 0 || n > 10 {
					t.Errorf("%s: %d lines of a hundred; want a few", row.at, n)
				}
				<-time.After(time.Minute)
				visit()
				found := out.having("left_out")
				if len(found) != 1 || found[0].attrs["left_out"] != "90" {
					t.Errorf("%s: %d lines say that lines were left out; want one that says 90", row.at, len(found))
				}
				for _, l := range out.mu.lines {
					for key, value := range l.attrs {
						limit := map[string]int{"error": 1 << 10, "stack": 16 << 10}[key]
						if len(value) > max(limit, 200) {
							t.Errorf("%s: the attribute %s has %d bytes", row.at, key, len(value))
						}
					}
				}
			})
		})
	}
}

// TestUnknownEventTypesAreCut: the type is another program's choice.
func TestUnknownEventTypesAreCut(t *testing.T) {
	t.Parallel()
	r := open(t, &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error { return plumbing.ErrEventUnknown }}, protocol.Limits{})
	defer r.vanish()
	if err := r.Conn().Post(protocol.EventType[any]{Name: strings.Repeat("x", 10_000)}.New(nil)); err != nil {
		t.Fatal(err)
	}
	r.Conn().Close(protocol.CloseNormal, "")
	<-r.over
	for _, l := range r.logs.having("type") {
		if n := len(l.attrs["type"]); n > 200 {
			t.Errorf("the type has %d bytes", n)
		}
	}
}
