package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// newLoopEngine returns an engine with one loop, over a network in memory.
func newLoopEngine(t *testing.T) (*testEngine, *fakeNet) {
	t.Helper()
	n := newFakeNet(0)
	n.calm = true
	e := newTestEngine(Config{OffLoop: func(_ *protocol.Conn, err error) { n.faultf("not on a loop: %v", err) }})
	e.sessions.Logger = slog.New(slog.DiscardHandler)
	e.isPlain = func(net.Conn) bool { return true }
	e.loops = e.newLoops(n.newKernel)[:1]
	t.Cleanup(func() {
		for _, f := range n.takeFaults() {
			t.Error(f)
		}
	})
	return e, n
}

// looped opens a connection over a socket, without waiting for the answer.
func (e *testEngine) looped(app protocol.Application, s *fakeSocket) *Conn {
	c := e.NewConn(&Opening{Handshake: handover{&fakeConn{socket: s}}}, "")
	session := e.session(app, c)
	go c.Open(session)
	return c
}

// receiveAll reads until nothing more comes.
func (s *fakeSocket) receiveAll(most int) (got string, err error) {
	for {
		b, err := s.receive(most)
		if got += string(b); err != nil {
			return got, err
		}
	}
}

// receiveNow reads what has come.
func (s *fakeSocket) receiveNow() string {
	synctest.Wait()
	s.net.mu.Lock()
	n := len(s.out)
	s.net.mu.Unlock()
	if n == 0 {
		return ""
	}
	b, _ := s.receive(n) //nolint:errcheck // there are bytes
	return string(b)
}

// TestLoopFullAtOnce is about a peer that reads late what Connect has sent, more than its
// socket takes: it has WriteTimeout, whether Connect goes on or not.
func TestLoopFullAtOnce(t *testing.T) {
	t.Parallel()
	for _, connect := range []time.Duration{0, time.Millisecond, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			e, n := newLoopEngine(t)
			h := &fakes.Handler{}
			ends, got := h.Ends(), make(chan string, 1)
			h.OnReceive = func(_ context.Context, _ *protocol.Conn, m protocol.Message) error { got <- string(m.Data); return nil }
			h.OnConnect = func(ctx context.Context, c *protocol.Conn) error {
				if err := c.Send(ctx, protocol.Text(strings.Repeat("a", 10000))); err != nil {
					return err
				}
				if err := c.Accept(nil); err != nil {
					return err
				}
				<-time.After(connect)
				return nil
			}
			s := n.newSocket(1000, 1000)
			begun := time.Now()
			e.looped(h, s)
			<-time.After(e.WriteTimeout - 100*time.Millisecond)
			if s.receiveNow() == "" {
				t.Errorf("Connect of %v: cut before WriteTimeout", connect)
			}
			for range 3 {
				<-time.After(e.WriteTimeout / 2)
				s.receiveNow()
			}
			if len(ends) > 0 {
				t.Errorf("Connect of %v: cut although it has read", connect)
			}
			s.send(frametest.Frame(frametest.Fin|byte(ws.OpText), "hi"))
			<-time.After(time.Until(begun.Add(time.Minute + e.WriteTimeout + time.Second)))
			if st := <-ends; !errors.Is(st.Err, errNoRead) || len(got) == 0 && connect < time.Minute {
				t.Errorf("Connect of %v: ended with %+v, %d messages", connect, st, len(got))
			}
			e.finish()
		})
	}
}

// TestLoopGrace is about a Connect that goes on after its Accept: reading starts after
// connectGrace, and a close then still has CloseTimeout.
func TestLoopGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, n := newLoopEngine(t)
		h := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			err := c.Accept(nil)
			<-time.After(time.Second)
			return err
		}}
		ends := h.Ends()
		s := n.newSocket(1000, 1000)
		c := e.looped(h, s)
		s.send(frametest.Frame(frametest.Fin|byte(ws.OpPing), "early"))
		if got := s.receiveNow(); strings.Contains(got, "early") {
			t.Errorf("read at once: %q", got)
		}
		<-time.After(connectGrace + e.deadlines.granularity)
		if got := s.receiveNow(); !strings.Contains(got, "early") {
			t.Errorf("not read after the grace: %q", got)
		}
		c.session.Conn().Close(protocol.CloseNormal, "")
		l := e.loops[0]
		l.post(c, workExpire) // of a deadline that has passed just before the close
		<-time.After(e.CloseTimeout - 100*time.Millisecond)
		if len(ends) > 0 && c.life.phase() == phaseClosed {
			t.Error("cut before CloseTimeout")
		}
		<-time.After(200 * time.Millisecond)
		if c.life.phase() != phaseClosed {
			t.Error("not cut after CloseTimeout")
		}
		e.finish()
	})
}

// TestLoopCutAllMeanwhile cuts all connections while one gets its loop.
func TestLoopCutAllMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, n := newLoopEngine(t)
		e.isPlain = func(net.Conn) bool {
			e.CutAll(io.ErrUnexpectedEOF)
			return true
		}
		s := n.newSocket(1000, 1000)
		c := e.looped(fakes.Echo(), s)
		synctest.Wait()
		e.CutAll(io.ErrUnexpectedEOF)
		if _, err := s.receiveAll(100); err == nil || c.life.phase() != phaseClosed {
			t.Errorf("got %v", err)
		}
		e.finish()
	})
}

// TestLoopPaces sends messages with a key to a peer that reads nothing: they are replaced
// in the queue, and not written into the socket's buffer.
func TestLoopPaces(t *testing.T) {
	t.Parallel()
	for _, inCallback := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e, n := newLoopEngine(t)
			send := func(c *protocol.Conn) {
				for i := range 10 {
					m := protocol.Text(strings.Repeat(string(rune('a'+i)), unsentLow-1000))
					m.Key = "key"
					if err := c.Send(context.Background(), m); err != nil {
						t.Error(err)
					}
					synctest.Wait()
				}
			}
			h := &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
				m = protocol.Text(strings.Repeat(string(m.Data), unsentLow-1000))
				m.Key = "key"
				return c.Send(context.Background(), m)
			}}
			s := n.newSocket(1000, 10*unsentLow)
			c := e.looped(h, s)
			synctest.Wait()
			if inCallback {
				for i := range 10 {
					s.send(frametest.Frame(frametest.Fin|byte(ws.OpText), string(rune('a'+i))))
					synctest.Wait()
				}
			} else {
				send(c.session.Conn())
			}
			first := s.receiveNow()
			rest := s.receiveNow()
			if len(first) > 2*unsentLow || strings.Contains(first+rest, "cccc") || !strings.HasSuffix(rest, "j") {
				t.Errorf("in a callback: %v: %d bytes were in the socket's buffer, then %d, the last one %.1q", inCallback, len(first), len(rest), rest[max(len(rest)-1, 0):])
			}
			s.leave()
			e.finish()
		})
	}
}

// TestLoopReset has the peer reset the connection at each stage of a close.
func TestLoopReset(t *testing.T) {
	t.Parallel()
	for _, frames := range []string{"", "\x81\x05xxxxx", string(frametest.Frame(frametest.Fin|byte(ws.OpClose), ""))} {
		synctest.Test(t, func(t *testing.T) {
			e, n := newLoopEngine(t)
			s := n.newSocket(1000, 100)
			c := e.looped(fakes.Echo(), s)
			synctest.Wait()
			_ = c.Send(protocol.Text(strings.Repeat("a", 5000)))
			if frames != "" {
				s.send([]byte(frames))
			}
			synctest.Wait()
			s.abort()
			if _, err := s.receive(1); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v", err)
			}
			e.finish()
		})
	}
}

// TestLoopShortCallbacks has many short callbacks due at once: none of them blocks.
func TestLoopShortCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, n := newLoopEngine(t)
		s := n.newSocket(1000, 1000)
		h := &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error {
			<-time.After(sampleLoopEvery / 8)
			return nil
		}}
		c := e.looped(h, s)
		synctest.Wait()
		for range 2 * runsPerTurn {
			if err := c.session.Conn().Post(modelEvent.New(modelLine{})); err != nil {
				t.Error(err)
			}
		}
		<-time.After(time.Second)
		if n := e.counters.leftBehind.Load(); n > 0 || c.way.isBlocking(c.engine) {
			t.Errorf("%d callbacks were left behind", n)
		}
		s.leave()
		e.finish()
	})
}

// TestLoopKeepsBufferThatIsCopied: a driver that has lost its lease does not give its
// buffer to others while what it has not parsed is copied from there.
func TestLoopKeepsBufferThatIsCopied(t *testing.T) {
	t.Parallel()
	e, n := newLoopEngine(t)
	l := e.loops[0]
	started, end := make(chan struct{}), make(chan struct{})
	h := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
		close(started)
		<-end
		return nil
	}}
	l.driving.watched.Store(true) // nobody else takes the loop over
	l.kernel, _ = n.newKernel()
	l.mu.driven, l.turn.events = true, make([]change, eventsPerTurn)
	s := n.newSocket(1000, 1000)
	c := e.looped(h, s)
	given := make(chan struct{})
	for l.load.Load() == 0 {
		runtime.Gosched()
	}
	go func() {
		l.drive()
		close(given)
	}()
	s.send(frametest.Frame(frametest.Fin|byte(ws.OpText), "hi"))
	<-started
	l.mu.Lock() // as expireLease does
	l.driving.expire(l.driving.number.Load())
	close(end)
	for range 10000 {
		runtime.Gosched()
	}
	select {
	case <-given:
		t.Error("the buffer was given up during the copy")
	default:
	}
	l.mu.Unlock()
	<-given
	s.leave()
	l.takeOver(c, true)
	e.finish()
}

// TestLoopTakesTurns floods one connection in every way: another one, whose message comes
// meanwhile, is served before the flood is over.
func TestLoopTakesTurns(t *testing.T) {
	t.Parallel()
	const flood = 20000
	text := func(s string) []byte { return frametest.Frame(frametest.Fin|byte(ws.OpText), s) }
	for kind, most := range map[string]int{
		"messages":       2 * readsPerTurn * messagesPerTurn,
		"large messages": 2 * readsPerTurn * loopBuffer / 1000,
		"events":         2 * runsPerTurn,
		"output":         2 * (bytesPerTurn + maxPeek),
	} {
		synctest.Test(t, func(t *testing.T) {
			e, n := newLoopEngine(t)
			e.sessions.Limits.QueueEvents, e.sessions.Limits.QueueBytes = flood, flood*100
			first, second := n.newSocket(flood*100, flood*100), n.newSocket(100, 1000)
			served, whenOther := 0, -1
			h := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
				served++
				if served == 1 {
					second.send(text("hi"))
				}
				return nil
			}}
			h.OnEvent = func(ctx context.Context, c *protocol.Conn, _ *protocol.Event) error {
				return h.OnReceive(ctx, c, protocol.Message{})
			}
			other := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
				if whenOther = served; kind == "output" {
					n.mu.Lock()
					whenOther = len(first.out)
					n.mu.Unlock()
				}
				return nil
			}}
			c := e.looped(h, first)
			e.looped(other, second)
			synctest.Wait()
			e.loops[0].driving.watched.Store(true) // nobody takes the loop over
			switch kind {
			case "messages":
				first.send(bytes.Repeat(text("m"), flood))
			case "large messages":
				first.send(bytes.Repeat(text(strings.Repeat("m", 1000)), flood/20))
			case "events":
				for range flood {
					if err := c.session.Conn().Post(modelEvent.New(modelLine{})); err != nil {
						t.Fatal(err)
					}
				}
			case "output":
				h.OnReceive = func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
					second.send(text("hi"))
					return c.Send(ctx, protocol.Binary(make([]byte, flood*90)))
				}
				first.send(text("go"))
			}
			synctest.Wait()
			if whenOther < 0 || whenOther > most {
				t.Errorf("%s: the other was served after %d, want after %d at most", kind, whenOther, most)
			}
			first.leave()
			second.leave()
			e.finish()
		})
	}
}

// TestLoopWillWaitEarly has a goroutine of Connect wait while the connection gets its loop,
// or is refused.
func TestLoopWillWaitEarly(t *testing.T) {
	t.Parallel()
	for _, refused := range []bool{false, true} {
		e, n := newLoopEngine(t)
		var c *Conn
		opened, stop := make(chan struct{}), make(chan struct{})
		h := &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error {
			<-opened
			go func() {
				for {
					select {
					case <-stop:
						return
					default:
						c.WillWait()
						c.WillWork()
					}
				}
			}()
			runtime.Gosched()
			if refused {
				return errors.New("refused")
			}
			return nil
		}}
		s := n.newSocket(100, 1000)
		c = e.looped(h, s)
		close(opened)
		if refused {
			e.finish()
			close(stop)
			continue
		}
		if _, err := s.receive(1); err != nil {
			t.Error(err)
		}
		close(stop)
		s.leave()
		e.finish()
	}
}

// TestLoopCopiesRestOnce has a connection read more messages than a turn handles: what is
// left is copied once, and not in each turn.
func TestLoopCopiesRestOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, n := newLoopEngine(t)
		l := e.loops[0]
		var served, copies int
		var last *byte
		h := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
			served++
			if rest := l.driving.rest; len(rest) > 0 && last != &rest[len(rest)-1] {
				last = &rest[len(rest)-1]
				copies++
			}
			return nil
		}}
		s := n.newSocket(loopBuffer, 1000)
		const messages = 10 * messagesPerTurn
		e.looped(h, s)
		synctest.Wait()
		s.send(bytes.Repeat(frametest.Frame(frametest.Fin|byte(ws.OpText), "m"), messages))
		synctest.Wait()
		if served != messages || copies > 2 {
			t.Errorf("%d messages were handled, %d times in other memory, want the buffer and one copy", served, copies)
		}
		s.leave()
		e.finish()
	})
}

// TestLoopLeftBehindKeepsItsBuffer: the driver that takes over parses a copy of what is
// left of the read, because the buffer belongs to the callback that was left behind.
func TestLoopLeftBehindKeepsItsBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, n := newLoopEngine(t)
		l := e.loops[0]
		var c *Conn
		var got []string
		h := &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
			got = append(got, string(m.Data))
			if len(got) == 1 {
				rest := l.driving.rest
				c.WillWait()
				clear(rest)
				<-time.After(time.Second)
			}
			return nil
		}}
		ends := h.Ends()
		s := n.newSocket(1000, 1000)
		c = e.looped(h, s)
		synctest.Wait()
		text := byte(frametest.Fin | ws.OpText)
		s.send(slices.Concat(frametest.Frame(text, "one"), frametest.Frame(text, "two"), frametest.Frame(text, "three")))
		<-time.After(2 * time.Second)
		synctest.Wait()
		if len(ends) > 0 || !slices.Equal(got, []string{"one", "two", "three"}) || e.counters.leftBehind.Load() != 1 {
			t.Errorf("got %q, %d left behind", got, e.counters.leftBehind.Load())
		}
		s.leave()
		e.finish()
	})
}
