package consumer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Several senders use all ways to send to a group, one after the other. Each member
// receives what each sender has sent, in order. One member joins with JoinFrom.
func TestPromise11_EventsAndMessagesInOneOrder(t *testing.T) {
	t.Parallel()
	const senders, each, members = 4, 300, 3
	type line struct{ Text string }
	said := protocol.EventType[line]{Name: "said"}
	l := new(layers.Layer)
	app := layers.Middleware(l)(consumer.New(func(s *consumer.Scope) *stub {
		return &stub{connect: func(ctx context.Context, c *consumer.Conn) error {
			if s.Path() == "/late/" {
				_, err := c.JoinFrom(ctx, "all", layers.Range{})
				return err
			}
			return c.Join(ctx, "all")
		}}
	}, consumer.On(said, func(_ *stub, ctx context.Context, c *consumer.Conn, p line) error {
		return c.SendText(ctx, p.Text)
	})))
	var clients []*consumertest.Client
	for _, path := range []string{"/", "/", "/late/"}[:members] {
		clients = append(clients, consumertest.Connect(t, app, path, nil))
	}
	var sending sync.WaitGroup
	for from := range senders {
		sending.Go(func() {
			for n := range each {
				text := fmt.Sprintf("%d/%d", from, n)
				var err error
				switch (n*7 + from) % 4 {
				case 0:
					err = l.Broadcast(t.Context(), "all", protocol.Text(text))
				case 1:
					err = l.GroupSend(t.Context(), "all", protocol.SendType.New(protocol.Text(text)))
				default:
					err = l.GroupSend(t.Context(), "all", said.New(line{text}))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i, c := range clients {
		var next [senders]int
		for range senders * each {
			var from, n int
			if _, err := fmt.Sscanf(c.Message().Text(), "%d/%d", &from, &n); err != nil {
				t.Fatal(err)
			}
			if n != next[from] {
				t.Fatalf("client %d: got %[3]d from sender %[2]d, want %[4]d", i, from, n, next[from])
			}
			next[from]++
		}
	}
	sending.Wait()
}
