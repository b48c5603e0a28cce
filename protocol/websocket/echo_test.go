package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

func TestEcho(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), nil)
		p := s.open(t)
		for _, n := range []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20} {
			body := strings.Repeat("a", n)
			go p.Conn.Write(frame(finText, body)) //nolint:errcheck // the echo shows it
			p.WantText(body)
			go p.Conn.Write(frame(finBinary, "\xff"+body[min(1, n):])) //nolint:errcheck // the echo shows it
			p.Want(websockettest.Binary("\xff" + body[min(1, n):]))
		}
		for i := range 40 { // large reads have come, small ones follow
			p.SendText(fmt.Sprint(i))
			p.WantText(fmt.Sprint(i))
		}
		p.closes()
	})
}

// TestPingOfDeafPeer answers no ping of a peer that does not read what is queued
// for it already.
func TestPingOfDeafPeer(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 10}}).open(t)
		if err := settled(opened).Send(t.Context(), protocol.Text("more than ten bytes")); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			p.Send(websockettest.Ping("not answered"))
		}
		synctest.Wait()
		p.WantText("more than ten bytes")
		synctest.Wait()
		p.Send(websockettest.Ping("answered"))
		p.Want(websockettest.Pong("answered"))
		p.closes()
	})
}

// TestReplyOrder makes sure that what callbacks send is in the order in which it
// was asked for. Pongs may pass it.
func TestReplyOrder(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			for i := range 3 {
				if err := c.Send(ctx, protocol.Text(fmt.Sprint(m.Text(), i))); err != nil {
					return err
				}
			}
			return nil
		}}
		p := serveOver(t, via, app, nil).open(t)
		p.SendBytes(frame(finText, "a"), frame(finPing, "p"), frame(finText, "b"))
		var texts, pongs []string
		for range 7 {
			if got := p.Next(); got.First == finPong {
				pongs = append(pongs, got.Payload)
			} else {
				texts = append(texts, got.Payload)
			}
		}
		if !slices.Equal(texts, []string{"a0", "a1", "a2", "b0", "b1", "b2"}) || !slices.Equal(pongs, []string{"p"}) {
			t.Errorf("got %q and the pongs %q", texts, pongs)
		}
	})
}

// TestDecision9_ServeHTTPReturns makes sure that the goroutine of net/http is
// free as soon as the handshake is answered, in every form of consumer.
func TestDecision9_ServeHTTPReturns(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		apps := map[string]protocol.Application{
			"Receive": consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) }),
			"Func": consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
				for m, err := range s.Messages(ctx) {
					if err != nil {
						return err
					}
					if err := s.Send(ctx, m); err != nil {
						return err
					}
				}
				return nil
			}),
		}
		for name, app := range apps {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newServer(app, nil)
				returned := make(chan struct{})
				s.listenOver(t, via, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					s.ServeHTTP(w, r)
					close(returned)
				}))
				p := s.open(t)
				<-returned
				p.SendText("still here")
				p.WantText("still here")
				p.closes()
			})
		}
	})
}
