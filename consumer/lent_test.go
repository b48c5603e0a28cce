package consumer_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol"
)

// kept is what a consumer keeps of a message.
type kept struct {
	lent  []byte
	text  string
	clone protocol.Message
}

func keepOf(m consumer.Message) kept { return kept{m.Data, m.Text(), m.Clone()} }

func (k kept) check(t *testing.T, where, want string) {
	t.Helper()
	if !bytes.Equal(k.lent, bytes.Repeat([]byte{0xDB}, len(want))) {
		t.Errorf("%s: the lent bytes are %q, want them overwritten", where, k.lent)
	}
	if k.text != want || k.clone.Text() != want {
		t.Errorf("%s: Text is %q and Clone %q, want %q", where, k.text, k.clone.Data, want)
	}
}

func TestDecision20_LentBytesAreOverwritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []kept
		keepAll := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			all = append(all, keepOf(m))
			return c.Send(ctx, m)
		})
		loop := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			for m, err := range s.Messages(ctx) {
				for _, k := range all {
					k.check(t, "in the next iteration", "hello")
				}
				all = append(all, keepOf(m))
				if err != nil || s.Send(ctx, m) != nil {
					return err
				}
			}
			return nil
		})
		for where, app := range map[string]protocol.Application{"Receive": keepAll, "Func": loop} {
			all = nil
			ann := consumertest.Connect(t, app, "/", nil)
			ann.SendText("hello")
			ann.SendText("hello")
			ann.WantText("hello") // Send has copied it
			ann.WantText("hello")
			ann.Close(protocol.CloseNormal, "")
			ann.WantOver()
			if len(all) != 2 {
				t.Fatalf("%s: %d messages, want 2", where, len(all))
			}
			for _, k := range all {
				k.check(t, where, "hello")
			}
		}
	})
}

func TestDecision20_SendsCopyTheirBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, _ := onLayer((&stub{
			connect: func(ctx context.Context, c *consumer.Conn) error {
				b := []byte("early")
				defer copy(b, "XXXXX")
				if err := c.Join(ctx, "all"); err != nil {
					return err
				}
				if err := c.Broadcast(ctx, "all", protocol.Message{Data: b}); err != nil {
					return err
				}
				return c.Send(ctx, protocol.Message{Data: b})
			},
			receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
				b := []byte(m.Text())
				defer copy(b, "XXXXX")
				if err := c.Broadcast(ctx, "all", protocol.Message{Data: b}); err != nil {
					return err
				}
				return c.Send(ctx, protocol.Message{Data: b})
			},
		}).app())
		ann := consumertest.Connect(t, app, "/", nil)
		ann.SendText("later")
		for _, want := range []string{"early", "early", "later", "later"} {
			ann.WantText(want)
		}
		ann.WantNothing()
	})
}
