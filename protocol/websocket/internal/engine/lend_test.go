package engine

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// TestViolationBeforeOpen breaks a rule after the handshake is answered and before the
// session is open, which takes so long that reading starts earlier.
func TestViolationBeforeOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine(Config{})
		answered := make(chan struct{})
		_, peer := e.wired(&fakes.Handler{}, func(c *Conn) error {
			defer func() { <-answered }()
			return c.Accept(protocol.AcceptOptions{})
		})
		defer e.finish()
		defer peer.Close()
		if _, err := http.ReadResponse(bufio.NewReaderSize(peer, 16), nil); err != nil { //nolint:bodyclose // a 101 has none
			t.Fatal(err)
		}
		if _, err := peer.Write(frametest.Frame(frametest.Fin, "nothing to continue")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the frame has been refused
		close(answered)
		_ = peer.SetReadDeadline(time.Now().Add(time.Minute))
		h, err := ws.ReadHeader(peer)
		if err != nil || h.OpCode != ws.OpClose {
			t.Fatalf("got %+v, %v, want a close", h, err)
		}
		if _, err := io.ReadFull(peer, make([]byte, h.Length)); err != nil {
			t.Fatal(err)
		}
	})
}

// TestEarlyMessageBeforeOpen sends a message, and closes, when the handshake is answered
// and the session is not open yet: the message is received, by a session that is open.
func TestEarlyMessageBeforeOpen(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at  testkit.Line
		end []byte
	}{
		{testkit.Here(), frametest.Frame(frametest.Fin, "nothing to continue")},
		{testkit.Here(), frametest.Frame(frametest.Fin|8, "")},
	}
	for _, row := range rows {
		synctest.Test(t, func(t *testing.T) {
			e := newTestEngine(Config{})
			var heard []bool
			var c *Conn
			app := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
				heard = append(heard, c.life.closing())
				return nil
			}}
			c, peer := e.wired(app, func(c *Conn) error {
				defer synctest.Wait() // every other goroutine gets as far as it can
				return c.Accept(protocol.AcceptOptions{})
			})
			defer e.finish()
			defer peer.Close()
			go peer.Write(slices.Concat(frametest.Frame(frametest.Fin|1, "said first"), row.end)) //nolint:errcheck // what is heard shows it
			if _, err := io.Copy(io.Discard, peer); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(heard, []bool{false}) {
				t.Errorf("%s: heard while closing: %v, want it heard once, and not while closing", row.at, heard)
			}
		})
	}
}

// TestTakeOverOfAFullMailbox takes over from a reader that has just been told to stop
// reading, and has not stopped yet.
func TestTakeOverOfAFullMailbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var got []string
		e := newTestEngine(Config{Limits: protocol.Limits{ReadAhead: 1}})
		app := &fakes.Handler{
			OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error { <-release; return nil },
			OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
				got = append(got, m.Text())
				return nil
			},
		}
		c, peer := e.wired(app, acceptSilently)
		defer e.finish()
		defer peer.Close()
		synctest.Wait()
		if err := c.session.Conn().Post(protocol.EventType[struct{}]{Name: "x"}.New(struct{}{})); err != nil {
			t.Fatal(err)
		}
		threadOf(c).reading.rest = frametest.Frame(frametest.Fin|1, "second")
		threadOf(c).reading.startCallback()
		if c.session.Receive(protocol.Text("first")) {
			t.Fatal("a message beyond ReadAhead, and reading may go on")
		}
		threadOf(c).leaveBehind(1)
		synctest.Wait()
		if n := e.sessions.Counters.Stats().Failures; n != 0 {
			t.Errorf("%d failures: the new reader went on although it should wait", n)
		}
		close(release)
		synctest.Wait()
		if !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("received %q", got)
		}
	})
}

// TestTakeOverBeforeHandOver has the watcher sample while a message is about to be handed
// over, by a goroutine that does not get on: here because the watcher's lock is held,
// elsewhere because the machine is busy. The message behind it must not overtake it.
func TestTakeOverBeforeHandOver(t *testing.T) {
	t.Parallel()
	got := make(chan string, 2)
	e := newTestEngine(Config{})
	opened := make(chan struct{})
	app := &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		got <- m.Text()
		return nil
	}}
	c, peer := e.wired(app, func(c *Conn) error {
		defer close(opened)
		return acceptSilently(c)
	})
	defer e.finish()
	defer peer.Close()
	<-opened
	e.watcher.mu.Lock()
	go c.lend(protocol.Text("first"), frametest.Frame(frametest.Fin|1, "second"), &threadOf(c).reading)
	taken := false
	for range 1000 {
		runtime.Gosched()
		if n := threadOf(c).reading.number.Load(); n%2 == 1 {
			taken = true
			threadOf(c).reading.watched.Store(true) // so that the new reader does not wait for the watcher, too
			threadOf(c).leaveBehind(n)
			select { // the new reader does what it can
			case m := <-got:
				got <- m
			case <-time.After(50 * time.Millisecond):
			}
			break
		}
	}
	e.watcher.mu.Unlock()
	if first := <-got; first != "first" {
		t.Errorf("%q was received first", first)
	}
	if !taken { // Open had not returned, or the machine is slow: somebody has to read to the end
		go threadOf(c).run()
	}
}

// TestTakeOverOnce: of many goroutines that find the same callback blocked, one takes over.
func TestTakeOverOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		e := newTestEngine(Config{})
		c := e.NewConn(&Opening{}, "")
		c.session = e.session(&fakes.Handler{}, c)
		c.parts.Store(1)
		c.adopt(&Accepted{Socket: ours, Answer: bytespool.Get()})
		c.advance(phaseReading)
		threadOf(c).reading.startCallback()
		for range 10 {
			go threadOf(c).leaveBehind(1)
		}
		synctest.Wait()
		theirs.Close()
		synctest.Wait()
		if got := c.parts.Load(); got != 1 { // socket and reading are over, once
			t.Errorf("%d parts left, want 1", got)
		}
		threadOf(c).leaveBehind(2)
		if n := threadOf(c).reading.number.Load(); n != 2 {
			t.Errorf("number %d: taken over although no callback runs", n)
		}
	})
}
