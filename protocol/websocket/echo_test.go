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
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

func TestEcho(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	p := s.open(t)
	for _, n := range []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20} {
		body := strings.Repeat("a", n)
		go p.nc.Write(frame(finText, body)) //nolint:errcheck // the echo shows it
		p.want(finText, body)
		go p.nc.Write(frame(finBinary, "\xff"+body[min(1, n):])) //nolint:errcheck // the echo shows it
		p.want(finBinary, "\xff"+body[min(1, n):])
	}
	for i := range 40 { // large reads have come, small ones follow
		p.text(fmt.Sprint(i))
		p.want(finText, fmt.Sprint(i))
	}
	p.closes()
}

func TestEchoFragments(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	p := s.open(t)
	long := strings.Repeat("世界", 20000)
	rows := []struct {
		at     testkit.Line
		frames [][]byte
		first  byte
		want   string
	}{
		{testkit.Here(), [][]byte{frame(text, "hel"), frame(finCont, "lo")}, finText, "hello"},
		{testkit.Here(), [][]byte{frame(text, ""), frame(cont, ""), frame(finCont, "")}, finText, ""},
		{testkit.Here(), [][]byte{frame(binaryOp, "\xff"), frame(cont, ""), frame(finCont, "\xfe")}, finBinary, "\xff\xfe"},
		{testkit.Here(), [][]byte{frame(text, "\xe4"), frame(cont, "\xb8"), frame(finCont, "\x96")}, finText, "世"},
		{testkit.Here(), [][]byte{frame(text, long[:4000]), frame(cont, long[4000:70000]), frame(finCont, long[70000:])}, finText, long},
	}
	for _, row := range rows {
		go func() { // in writes of their own
			for _, f := range row.frames {
				p.nc.Write(f) //nolint:errcheck // the echo shows it
			}
		}()
		if got := p.next(); got.first != row.first || got.payload != row.want {
			t.Fatalf("%s: got %#x %s, want %#x %s", row.at, got.first, brief(got.payload), row.first, brief(row.want))
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	p := serve(t, fakes.Echo(), nil).open(t)
	for _, payload := range []string{"", "x", "\xff\x00", strings.Repeat("p", 125)} {
		p.ping(payload)
		p.want(finPong, payload)
	}
	p.write(frame(finPong, "nobody asked"), frame(finPing, "1"), frame(finPing, "2"))
	p.want(finPong, "1")
	p.want(finPong, "2")
	p.write(frame(text, "he"))
	p.ping("between")
	p.want(finPong, "between")
	p.write(frame(cont, "l"), frame(finPing, "again"), frame(finCont, "lo"))
	p.want(finPong, "again")
	p.want(finText, "hello")
	p.closes()
}

// TestPingOfDeafPeer answers no ping of a peer that does not read what is queued
// for it already.
func TestPingOfDeafPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, opened := conns()
		p := servePipes(t, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 10}}).open(t)
		if err := settled(opened).Send(t.Context(), protocol.Text("more than ten bytes")); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			p.ping("not answered")
		}
		synctest.Wait()
		p.want(finText, "more than ten bytes")
		synctest.Wait()
		p.ping("answered")
		p.want(finPong, "answered")
		p.closes()
	})
}

// TestReplyOrder makes sure that what callbacks send is in the order in which it
// was asked for. Pongs may pass it.
func TestReplyOrder(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		for i := range 3 {
			if err := c.Send(ctx, protocol.Text(fmt.Sprint(m.Text(), i))); err != nil {
				return err
			}
		}
		return nil
	}}
	p := serve(t, app, nil).open(t)
	p.write(frame(finText, "a"), frame(finPing, "p"), frame(finText, "b"))
	var texts, pongs []string
	for range 7 {
		if got := p.next(); got.first == finPong {
			pongs = append(pongs, got.payload)
		} else {
			texts = append(texts, got.payload)
		}
	}
	if !slices.Equal(texts, []string{"a0", "a1", "a2", "b0", "b1", "b2"}) || !slices.Equal(pongs, []string{"p"}) {
		t.Errorf("got %q and the pongs %q", texts, pongs)
	}
}

// TestDecision9_ServeHTTPReturns makes sure that the goroutine of net/http is
// free as soon as the handshake is answered, in every form of consumer.
func TestDecision9_ServeHTTPReturns(t *testing.T) {
	t.Parallel()
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
			s.listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.ServeHTTP(w, r)
				close(returned)
			}))
			p := s.open(t)
			<-returned
			p.text("still here")
			p.want(finText, "still here")
			p.closes()
		})
	}
}
