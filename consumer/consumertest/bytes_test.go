package consumertest_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// keeper keeps the bytes of its messages, which is a mistake.
type keeper struct {
	consumer.Base
	kept [][]byte
	free chan struct{} // busy returns when it is closed
}

func (h *keeper) Receive(_ context.Context, _ *consumer.Conn, m consumer.Message) error {
	if m.Text() != "hello" {
		return errors.New("overwritten too early")
	}
	h.kept = append(h.kept, m.Data)
	return nil
}

func (h *keeper) busy(context.Context, *consumer.Conn, struct{}) error {
	<-h.free
	return nil
}

func TestLentBytesAreOverwrittenAfterTheCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, l := &keeper{free: make(chan struct{})}, new(layers.Layer)
		occupy := protocol.EventType[struct{}]{Name: "occupy"}
		app := layers.Middleware(l)(consumer.New(func(*consumer.Scope) *keeper { return h },
			consumer.On(occupy, (*keeper).busy), consumer.Groups[*keeper]("all")))
		c := consumertest.Connect(t, app, "/", nil)
		mine := []byte("hello")

		c.Send(protocol.Message{Data: mine}) // is handled at once
		synctest.Wait()
		if err := l.GroupSend(t.Context(), "all", occupy.New(struct{}{})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Send(protocol.Message{Data: mine}) // waits until busy returns
		c.Send(protocol.Message{Data: mine})
		synctest.Wait()
		if len(h.kept) != 1 {
			t.Fatalf("%d messages were handled, want 1 while the consumer is busy", len(h.kept))
		}
		close(h.free)
		synctest.Wait()

		if len(h.kept) != 3 {
			t.Fatalf("%d messages were handled, want 3", len(h.kept))
		}
		for i, b := range h.kept {
			if !bytes.Equal(b, []byte{0xDB, 0xDB, 0xDB, 0xDB, 0xDB}) {
				t.Errorf("message %d that was kept is %q, want it overwritten", i+1, b)
			}
		}
		if string(mine) != "hello" {
			t.Errorf("what the test sent is now %q", mine)
		}
	})
}

// flood sends three messages of eight bytes, one a second, and sends their errors to errs.
func flood(errs chan<- error) protocol.Application {
	return consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		for _, s := range []string{"11111111", "22222222", "33333333"} {
			errs <- c.SendText(ctx, s)
			<-time.After(time.Second)
		}
		return nil
	})
}

func TestOverflowWhileTheClientDoesNotRead(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at       testkit.Line
		name     string
		overflow protocol.Overflow
		errs     [3]error
		read     func(c *consumertest.Client)
		stats    protocol.Stats
	}{
		{testkit.Here(), "close", protocol.OverflowClose, [3]error{nil, nil, protocol.ErrSlow},
			func(c *consumertest.Client) {
				c.WantText("11111111")
				c.WantText("22222222")
				c.WantClose(protocol.CloseTryAgainLater)
				c.WantOver()
			}, protocol.Stats{Accepted: 1, MessagesDropped: 1, SlowClosed: 1}},
		{testkit.Here(), "drop", protocol.OverflowDropNewest, [3]error{nil, nil, protocol.ErrDropped},
			func(c *consumertest.Client) {
				c.WantText("11111111")
				c.WantText("22222222")
				c.WantNothing()
			}, protocol.Stats{Accepted: 1, Open: 1, MessagesDropped: 1}},
		{testkit.Here(), "drop oldest", protocol.OverflowDropOldest, [3]error{},
			func(c *consumertest.Client) {
				c.WantText("22222222")
				c.WantText("33333333")
				c.WantNothing()
			}, protocol.Stats{Accepted: 1, Open: 1, MessagesDropped: 1}},
		{testkit.Here(), "block", protocol.OverflowBlock, [3]error{},
			func(c *consumertest.Client) {
				c.WantText("11111111")
				c.WantText("22222222")
				c.WantText("33333333")
				c.WantNothing()
			}, protocol.Stats{Accepted: 1, Open: 1}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				errs := make(chan error, 3)
				c := consumertest.Connect(t, flood(errs), "/", &consumertest.Options{
					Patience: time.Minute,
					Limits:   protocol.Limits{QueueBytes: 20, Overflow: row.overflow},
				})
				c.SendText("go")
				<-time.After(5 * time.Second)
				synctest.Wait()
				if waits := len(errs) < 3; waits != (row.overflow == protocol.OverflowBlock) {
					t.Errorf("%s: %d of 3 sends have returned", row.at, len(errs))
				}
				row.read(c)
				for i, want := range row.errs {
					if got := <-errs; !errors.Is(got, want) {
						t.Errorf("%s: send %d returned %v, want %v", row.at, i+1, got, want)
					}
				}
				if got := c.Stats(); got != row.stats {
					t.Errorf("%s: counted %+v, want %+v", row.at, got, row.stats)
				}
			})
		})
	}
}

func TestOneMessageFitsAnyQueue(t *testing.T) {
	t.Parallel()
	c := consumertest.Connect(t, consumer.ReceiveFunc(obey), "/", &consumertest.Options{Limits: protocol.Limits{QueueBytes: 1}})
	c.SendText("text: much more than one byte")
	c.WantText("much more than one byte")
}
