package engine

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// TestHandOver has a callback on a loop wait for a message of another connection of the
// loop, which nothing but the call before makes possible: the watcher does not sample the
// loop. Only a callback that has said that it waits makes its route one that blocks.
func TestHandOver(t *testing.T) {
	t.Parallel()
	if !LoopsWork() {
		t.Skip("this system has no loops")
	}
	for _, row := range []struct {
		at     testkit.Line
		call   func(ctx context.Context)
		blocks bool
	}{
		{testkit.Here(), plumbing.WillWait, true},
		{testkit.Here(), plumbing.WillWork, false},
	} {
		e := newTestEngine(Config{Loops: true})
		e.loops = e.loops[:1]
		e.loops[0].driving.watched.Store(true)
		release := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if m.Text() == "release" {
				close(release)
				return nil
			}
			row.call(ctx)
			<-release
			return c.Send(ctx, m)
		}}
		first, peer := onLoop(t, e, app)
		_, other := onLoop(t, e, app)
		peer.say(t, "wait")
		other.say(t, "release")
		if got := peer.hears(t); got != "wait" {
			t.Errorf("%s: the answer is %q", row.at, got)
		}
		if first.way.isBlocking(e.Engine) != row.blocks {
			t.Errorf("%s: the route is a blocking one: %t, want %t", row.at, !row.blocks, row.blocks)
		}
		if n := e.counters.leftBehind.Load(); n != 1 {
			t.Errorf("%s: %d callbacks were left behind, want 1", row.at, n)
		}
		peer.Close()
		other.Close()
		e.finish()
	}
}

// onLoop opens a connection of app over TCP, and returns the peer's side behind the answer.
func onLoop(t *testing.T, e *testEngine, app protocol.Application) (c *Conn, peer *tcpPeer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c = e.NewConn(&Opening{Handshake: handover{ours}}, "")
	c.Open(e.session(app, c))
	peer = &tcpPeer{theirs, bufio.NewReader(theirs)}
	if _, err := http.ReadResponse(peer.r, nil); err != nil { //nolint:bodyclose // a 101 has none
		t.Fatal(err)
	}
	return c, peer
}

// tcpPeer is the peer of a connection over TCP.
type tcpPeer struct {
	net.Conn
	r *bufio.Reader
}

// say sends a text message.
func (p *tcpPeer) say(t *testing.T, text string) {
	t.Helper()
	if _, err := p.Write(frametest.Frame(frametest.Fin|1, text)); err != nil {
		t.Fatal(err)
	}
}

// hears reads a short text message.
func (p *tcpPeer) hears(t *testing.T) string {
	t.Helper()
	var header [2]byte
	if _, err := io.ReadFull(p.r, header[:]); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, header[1])
	if _, err := io.ReadFull(p.r, payload); err != nil {
		t.Fatal(err)
	}
	return string(payload)
}
