package websocket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestPromise1_PingAnsweredWhileCallbackBlocks also has the close handshake done
// and the callback's context ended meanwhile.
func TestPromise1_PingAnsweredWhileCallbackBlocks(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		entered, release, cause := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if err := c.Send(ctx, protocol.Text("before it blocks")); err != nil {
				return err
			}
			close(entered)
			<-ctx.Done()
			cause <- context.Cause(ctx)
			<-release
			return nil
		}}
		ends := app.Ends()
		p := serveOver(t, via, app, nil).open(t)
		p.SendText("block")
		<-entered
		p.WantText("before it blocks")
		for i := range 20 {
			p.Send(websockettest.Ping(fmt.Sprint(i)))
			p.Want(websockettest.Pong(fmt.Sprint(i)))
		}
		p.SendBytes(closing(4321, "enough"))
		p.Want(websockettest.Close(4321, ""))
		p.WantEnd()
		ce, ok := errors.AsType[*protocol.CloseError](<-cause)
		if !ok || ce.Code != 4321 || !ce.Remote || ce.Reason != "enough" {
			t.Errorf("the callback's context ended because of %v", ce)
		}
		select {
		case s := <-ends:
			t.Errorf("Disconnect with %+v although a callback runs", s)
		default:
		}
		close(release)
		if s := <-ends; s.Code != 4321 || !s.Remote {
			t.Errorf("ended with %+v", s)
		}
	})
}

// numbered is message i: its number, and as much more as the number says.
func numbered(i int) string {
	n := i * 7919 % 3000
	return string(binary.BigEndian.AppendUint32(nil, uint32(i))) + strings.Repeat(string(rune('a'+i%26)), n)
}

// TestPromise1_OrderWhileCallbacksBlock has callbacks block at random, some so
// long that reading is taken over, while the peer's bytes come in pieces of
// random size. Nothing overlaps, and everything comes back in order.
func TestPromise1_OrderWhileCallbacksBlock(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		const messages = 3000
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		var inside atomic.Int32
		next := 0
		random := rand.New(rand.NewPCG(seed, 1))
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if inside.Add(1) != 1 {
				t.Error("two callbacks at once")
			}
			defer inside.Add(-1)
			if random.IntN(100) == 0 {
				<-time.After(time.Duration(random.IntN(20)) * time.Millisecond)
			}
			if got := m.Text(); got != numbered(next) {
				return fmt.Errorf("message %d is %.80q", next, got)
			}
			next++
			return c.Send(ctx, m)
		}}
		p := serveOver(t, via, app, nil).open(t)
		go p.scatter(rand.New(rand.NewPCG(seed, 2)), messages)
		pongs := 0
		for i := 0; i < messages; {
			switch got := p.Next(); {
			case got.First == finPong && got.Payload == fmt.Sprint(pongs):
				pongs++
			case got.First == finBinary && got.Payload == numbered(i):
				i++
			default:
				t.Fatalf("message %d, pong %d: got %v", i, pongs, got)
			}
		}
		p.closes()
	})
}

// scatter sends numbered messages, some in fragments and with pings between
// them, in writes of random size.
func (p *peer) scatter(random *rand.Rand, messages int) {
	var b []byte
	pings := 0
	for i := range messages {
		m := numbered(i)
		if random.IntN(4) == 0 {
			cut := random.IntN(len(m) + 1)
			b = append(b, frame(binaryOp, m[:cut])...)
			if random.IntN(4) == 0 {
				b = append(b, frame(finPing, fmt.Sprint(pings))...)
				pings++
			}
			b = append(b, frame(finCont, m[cut:])...)
		} else {
			b = append(b, frame(finBinary, m)...)
		}
		for len(b) > 20000 || i == messages-1 && len(b) > 0 {
			n := min(len(b), 1+random.IntN(9000))
			if _, err := p.Conn.Write(b[:n]); err != nil {
				return // the reader sees it as well
			}
			b = b[n:]
		}
	}
}

// TestPromise1_LentBytesStay makes sure that what a blocked callback was lent is
// not written over by what is read meanwhile.
func TestPromise1_LentBytesStay(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		lent := map[string]string{"small": "lent", "of a whole read": strings.Repeat("L", 4096-8), "large": strings.Repeat("lent", 15000)}
		for name, body := range lent {
			whole := frame(finText, body)
			forms := map[string][]byte{
				"whole":      whole,
				"fragmented": append(frame(text, body[:len(body)/2]), frame(finCont, body[len(body)/2:])...),
			}
			for form, frames := range forms {
				t.Run(name+"/"+form, func(t *testing.T) {
					t.Parallel()
					stays(t, via, body, func(p *peer) { p.Upgrade(websockettest.Request("/")); p.SendBytes(frames) })
				})
			}
			t.Run(name+"/early", func(t *testing.T) {
				t.Parallel()
				stays(t, via, body, func(p *peer) {
					p.SendBytes([]byte(websockettest.Request("/")), whole, frame(finText, ""))
					p.ReadAnswer()
				})
			})
			t.Run(name+"/in pieces", func(t *testing.T) {
				t.Parallel()
				stays(t, via, body, func(p *peer) {
					p.Upgrade(websockettest.Request("/"))
					p.SendBytes(whole[:len(whole)/2], frame(finPing, "")[:0])
					p.SendBytes(whole[len(whole)/2:])
				})
			})
		}
	})
}

// stays lends body to a callback that blocks, says other things, and looks what
// has become of it.
func stays(t *testing.T, via carrier, body string, begin func(p *peer)) {
	t.Helper()
	entered, release, kept := make(chan struct{}), make(chan struct{}), make(chan string, 1)
	first := true
	app := &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		if first {
			first = false
			close(entered)
			<-release
			kept <- m.Text()
		}
		return nil
	}}
	p := serveOver(t, via, app, nil).peer(t)
	begin(p)
	<-entered
	for i := range 20 {
		noise := strings.Repeat("N", 1+i*100)
		p.SendBytes(frame(finText, noise), frame(text, noise), frame(finCont, noise), frame(finPing, fmt.Sprint(i)))
		p.Want(websockettest.Pong(fmt.Sprint(i))) // all of it has been read
	}
	close(release)
	if got := <-kept; got != body {
		t.Errorf("the lent bytes have become %.80q", got)
	}
	p.closes()
}

// TestPromise1_ReadAhead stops reading when a blocked callback has 64 KiB to
// catch up with, and goes on when it has.
func TestPromise1_ReadAhead(t *testing.T) {
	t.Parallel()
	const size, messages = 1000, 200
	inBubbles(t, func(t *testing.T, via carrier) {
		release, got := make(chan struct{}), 0
		all := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
			<-release
			if m.Text() != fmt.Sprintf("%0*d", size, got) {
				t.Errorf("message %d is %.80q", got, m.Text())
			}
			got++
			if got == messages {
				close(all)
			}
			return nil
		}}
		p := serveOver(t, via, app, &websocket.Options{}).open(t)
		var sent atomic.Int64
		go func() {
			for i := range messages {
				if _, err := p.Conn.Write(frame(finText, fmt.Sprintf("%0*d", size, i))); err != nil {
					t.Errorf("message %d: %v", i, err)
					return
				}
				sent.Add(size)
			}
		}()
		<-time.After(10 * time.Second)
		if n := sent.Load(); n < 55<<10 || n > 70<<10 {
			t.Errorf("%d bytes were read while a callback blocked, want about 64 KiB", n)
		}
		close(release)
		<-all
		p.closes()
	})
}

// TestPromise1_ReadAheadEnds makes sure that a connection which is not read from
// can be closed from this side.
func TestPromise1_ReadAheadEnds(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		conns := make(chan *protocol.Conn, 1)
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
			conns <- c
			<-ctx.Done()
			return nil
		}}
		ends := app.Ends()
		p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{ReadAhead: 1}}).open(t)
		p.SendText("block")
		c := <-conns
		p.SendText("fill")
		<-time.After(time.Second)
		c.Close(4000, "go")
		p.Want(websockettest.Close(4000, "go"))
		p.SendBytes(closing(4000, ""))
		p.WantEnd()
		if s := <-ends; s.Code != 4000 || s.Remote {
			t.Errorf("ended with %+v", s)
		}
	})
}
