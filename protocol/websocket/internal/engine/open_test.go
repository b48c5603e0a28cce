package engine

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// opened is a connection whose Connect does connect after its Accept.
type opened struct {
	*testing.T
	e       *testEngine
	c       *Conn
	peer    net.Conn
	release chan struct{} // for Connect to wait for
}

// opening runs test with a connection that is being opened. All of it is over afterwards.
func opening(t *testing.T, connect func(o *opened, c *protocol.Conn), test func(o *opened)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		e := newTestEngine(Config{})
		o := &opened{T: t, e: e, c: e.NewConn(&Opening{Handshake: handover{ours}}, ""), peer: theirs, release: make(chan struct{})}
		app := fakes.Echo()
		app.OnConnect = func(_ context.Context, c *protocol.Conn) error {
			if err := c.Accept(nil); err != nil {
				t.Error(err)
			}
			connect(o, c)
			return nil
		}
		go o.c.Open(e.session(app, o.c))
		synctest.Wait()
		test(o)
		theirs.Close()
		e.finish()
		synctest.Wait()
		if p := o.c.life.phase(); p != phaseClosed || o.c.parts.Load() != 0 {
			t.Errorf("in phase %d in the end, with %d parts left", p, o.c.parts.Load())
		}
	})
}

func (o *opened) wantPhase(want phase) {
	o.Helper()
	synctest.Wait()
	if got := o.c.life.phase(); got != want {
		o.Errorf("in phase %d, want %d", got, want)
	}
}

// readAnswer has the peer read the answer.
func (o *opened) readAnswer() {
	o.Helper()
	if _, err := http.ReadResponse(bufio.NewReaderSize(o.peer, 16), nil); err != nil { //nolint:bodyclose // a 101 has none
		o.Fatal(err)
	}
}

// wantFrame reads a frame, which has to come at once.
func (o *opened) wantFrame(op ws.OpCode) {
	o.Helper()
	begun := time.Now()
	h, err := ws.ReadHeader(o.peer)
	if err == nil {
		_, err = io.CopyN(io.Discard, o.peer, h.Length)
	}
	if err != nil || h.OpCode != op || time.Since(begun) > 0 {
		o.Errorf("got a frame with opcode %d, %v, after %v, want %d at once", h.OpCode, err, time.Since(begun), op)
	}
}

// send has the peer send a frame. It returns when somebody has read it.
func (o *opened) send(first byte, payload string) {
	o.Helper()
	if _, err := o.peer.Write(frametest.Frame(first, payload)); err != nil {
		o.Error(err)
	}
}

// waits is a Connect that waits.
func waits(o *opened, _ *protocol.Conn) { <-o.release }

// TestOpenBeforeTheAnswerIsWritten: Connect returns first. The goroutine that writes the
// answer reads.
func TestOpenBeforeTheAnswerIsWritten(t *testing.T) {
	t.Parallel()
	opening(t, func(*opened, *protocol.Conn) {}, func(o *opened) {
		o.wantPhase(phaseReading)
		o.readAnswer()
		o.send(frametest.Fin|1, "hello")
		o.wantFrame(ws.OpText)
	})
}

// TestOpenAfterTheAnswerIsWritten: Connect returns a little later. Until then nothing is
// read, and then at once.
func TestOpenAfterTheAnswerIsWritten(t *testing.T) {
	t.Parallel()
	opening(t, waits, func(o *opened) {
		o.wantPhase(phaseAnswering)
		o.readAnswer()
		o.wantPhase(phaseAnswered)
		<-time.After(connectGrace - 1)
		o.wantPhase(phaseAnswered)
		close(o.release)
		o.wantPhase(phaseReading)
		o.send(frametest.Fin|1, "hello")
		o.wantFrame(ws.OpText)
	})
}

// TestConnectThatGoesOn: Connect takes long after its Accept. Pings are answered
// meanwhile, and messages wait.
func TestConnectThatGoesOn(t *testing.T) {
	t.Parallel()
	opening(t, waits, func(o *opened) {
		o.readAnswer()
		<-time.After(connectGrace)
		o.wantPhase(phaseReading)
		o.send(frametest.Fin|1, "hello")
		o.send(frametest.Fin|9, "ping")
		o.wantFrame(ws.OpPong)
		close(o.release)
		o.wantFrame(ws.OpText)
	})
}

// TestConnectThatEndsItsGoroutine: reading starts at once, so that the close is answered.
func TestConnectThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	opening(t, func(o *opened, _ *protocol.Conn) { <-o.release; runtime.Goexit() }, func(o *opened) {
		o.readAnswer()
		close(o.release)
		o.wantFrame(ws.OpClose)
		o.wantPhase(phaseClosing)
		o.send(frametest.Fin|8, "")
		o.wantPhase(phaseClosed)
	})
}

// TestConnectThatCloses after its Accept, and goes on: the close does not wait for it,
// whether the answer is written before or after.
func TestConnectThatCloses(t *testing.T) {
	t.Parallel()
	for _, answerFirst := range []bool{true, false} {
		closes := func(o *opened, c *protocol.Conn) {
			<-o.release
			c.Close(4000, "")
			<-o.release
		}
		opening(t, closes, func(o *opened) {
			if answerFirst {
				o.readAnswer()
				o.wantPhase(phaseAnswered)
			}
			o.release <- struct{}{}
			o.wantPhase(phaseClosing)
			if !answerFirst {
				o.readAnswer()
			}
			o.wantFrame(ws.OpClose)
			o.send(frametest.Fin|8, "")
			o.wantPhase(phaseClosed)
			close(o.release)
		})
	}
}

// TestPeerThatLeavesDuringTheAnswer: the write of the answer fails, while Connect goes on
// or not.
func TestPeerThatLeavesDuringTheAnswer(t *testing.T) {
	t.Parallel()
	for _, connect := range []func(*opened, *protocol.Conn){waits, func(*opened, *protocol.Conn) {}} {
		opening(t, connect, func(o *opened) {
			o.peer.Close()
			o.wantPhase(phaseClosed)
			close(o.release)
		})
	}
}

// TestCutDuringTheAnswer closes all sockets in each phase of a handshake.
func TestCutDuringTheAnswer(t *testing.T) {
	t.Parallel()
	for _, answered := range []bool{true, false} {
		opening(t, waits, func(o *opened) {
			if answered {
				o.readAnswer()
				o.wantPhase(phaseAnswered)
			}
			o.e.CutAll(net.ErrClosed)
			o.wantPhase(phaseClosed)
			close(o.release)
		})
	}
}
