package protocol_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// metered is a wire that says what it has sent.
type metered struct{ *wire }

func (m metered) Sent() (messages, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.mu.sent {
		bytes += int64(len(s))
	}
	return int64(len(m.mu.sent)), bytes
}

func TestConnTraffic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		want := func(c *protocol.Conn, when string, want protocol.Traffic) {
			if got := c.Traffic(); got != want {
				t.Errorf("%s: got %+v, want %+v", when, got, want)
			}
		}
		g := newGate()
		g.OnConnect = func(ctx context.Context, c *protocol.Conn) error {
			err := c.Send(ctx, text("four"))
			want(c, "while it waits for the answer", protocol.Traffic{})
			return err
		}
		g.OnDisconnect = func(_ context.Context, c *protocol.Conn, _ protocol.CloseStatus) {
			want(c, "in Disconnect", protocol.Traffic{MessagesIn: 3, BytesIn: 11, MessagesOut: 2, BytesOut: 9})
		}
		w := &wire{}
		r := rigFor(metered{w}, w, g, protocol.Limits{})
		want(r.Conn(), "at first", protocol.Traffic{})
		r.Open()
		want(r.Conn(), "when it is open", protocol.Traffic{MessagesOut: 1, BytesOut: 4})
		if err := r.Conn().Offer(protocol.Prepare(text("fifth"))); err != nil {
			t.Error(err)
		}
		go r.Receive(text("is heard"))
		synctest.Wait()
		r.Receive(text("")) // waits
		r.Receive(text("now"))
		want(r.Conn(), "when messages have come", protocol.Traffic{MessagesIn: 3, BytesIn: 11, MessagesOut: 2, BytesOut: 9})
		close(g.opened)
		r.vanish()
		r.Receive(text("too late"))
		if err := r.Conn().Send(t.Context(), text("too late")); !errors.Is(err, protocol.ErrClosed) {
			t.Error(err)
		}
		want(r.Conn(), "after the end", protocol.Traffic{MessagesIn: 3, BytesIn: 11, MessagesOut: 2, BytesOut: 9})
	})
}

// TestConnTrafficWithoutMeter: a transport need not count.
func TestConnTrafficWithoutMeter(t *testing.T) {
	t.Parallel()
	r := open(t, &fakes.Handler{}, protocol.Limits{})
	if err := r.Conn().Send(t.Context(), text("x")); err != nil {
		t.Error(err)
	}
	r.Receive(text("xy"))
	if got, want := r.Conn().Traffic(), (protocol.Traffic{MessagesIn: 1, BytesIn: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	r.vanish()
}
