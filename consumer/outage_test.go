package consumer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// TestAnOutageEndsNoConsumer has consumers that return the errors of their sends while the back
// end is down.
func TestAnOutageEndsNoConsumer(t *testing.T) {
	t.Parallel()
	other := errors.New("another error")
	for _, row := range []struct {
		at   testkit.Line
		name string
		send func(ctx context.Context, c *consumer.Conn) error
		ends bool
	}{
		{testkit.Here(), "GroupSend", func(ctx context.Context, c *consumer.Conn) error {
			return c.GroupSend(ctx, "room", outageSaid.New(outageLine{1}))
		}, false},
		{testkit.Here(), "two sends", func(ctx context.Context, c *consumer.Conn) error {
			return errors.Join(c.GroupSend(ctx, "room", outageSaid.New(outageLine{1})), c.Broadcast(ctx, "room", consumer.Text("1")))
		}, false},
		{testkit.Here(), "a send and another error", func(ctx context.Context, c *consumer.Conn) error {
			return errors.Join(c.GroupSend(ctx, "room", outageSaid.New(outageLine{1})), other)
		}, true},
		{testkit.Here(), "another call", func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.Layer().History(ctx, "room", layers.Range{})
			return err
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { endsInOutage(t, row.at, row.send, row.ends) })
		})
	}
}

type outageLine struct {
	N int `json:"n"`
}

var outageSaid = consumer.EventType[outageLine]{Name: "outage.said"}

// outageMember passes on what its test wants to be returned, and sends its events to its peer.
type outageMember struct {
	consumer.Base
	send func(ctx context.Context, c *consumer.Conn) error
}

func (m *outageMember) Connect(ctx context.Context, c *consumer.Conn) error {
	if err := c.Join(ctx, "room"); err != nil {
		return err
	}
	return c.GroupSend(ctx, "room", outageSaid.New(outageLine{}))
}

func (m *outageMember) Receive(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
	return m.send(ctx, c)
}

func (m *outageMember) said(ctx context.Context, c *consumer.Conn, _ outageLine) error {
	return c.SendText(ctx, "said")
}

// inOutage returns a layer whose back end is down.
func inOutage(t *testing.T) *layers.Layer {
	t.Helper()
	b := layertest.NewBroker(nil)
	t.Cleanup(b.Close)
	l, err := layers.Open(t.Context(), b.Node())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b.Stop()
	return l
}

func endsInOutage(t *testing.T, at testkit.Line, send func(ctx context.Context, c *consumer.Conn) error, ends bool) {
	t.Helper()
	l := inOutage(t)
	app := layers.Middleware(l)(consumer.New(func(*consumer.Scope) *outageMember { return &outageMember{send: send} },
		consumer.On(outageSaid, (*outageMember).said)))
	c := consumertest.Connect(t, app, "/", nil) // Connect returns the error of a send
	c.WantText("said")
	c.SendText("hello")
	synctest.Wait()
	if closed := c.Stats().Open == 0; closed != ends {
		t.Errorf("%s: the connection is closed: %t, want %t", at, closed, ends)
	}
	if n := l.Stats().Unpublished; n == 0 {
		t.Errorf("%s: nothing was counted as unpublished", at)
	}
}

// TestAnOutageDoesNotLeaveAFunctionOpen has a function that returns the error of a send, before
// or after it has accepted: it reads no more messages, so the connection ends.
func TestAnOutageDoesNotLeaveAFunctionOpen(t *testing.T) {
	t.Parallel()
	for _, accepts := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := inOutage(t)
			app := layers.Middleware(l)(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
				if accepts {
					if err := s.Accept(nil); err != nil {
						return err
					}
				}
				return s.GroupSend(ctx, "room", outageSaid.New(outageLine{1}))
			}))
			if !accepts {
				if e := consumertest.Refused(t, app, "/", nil); e.Status != http.StatusInternalServerError {
					t.Errorf("refused with %d, want 500", e.Status)
				}
				return
			}
			consumertest.Connect(t, app, "/", nil).WantClose(protocol.CloseInternalError)
		})
	}
}
