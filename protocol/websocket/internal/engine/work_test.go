package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
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
		first, peer := onLoop(t, e, app, deflate.Params{})
		_, other := onLoop(t, e, app, deflate.Params{})
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

// TestHandOverToCompress has a callback on a loop send a message that takes long to compress,
// and stops the compression until another connection of the loop has been served. The watcher
// does not sample the loop: a message that is not handed over would keep the loop for ever.
func TestHandOverToCompress(t *testing.T) {
	t.Parallel()
	if !LoopsWork() {
		t.Skip("this system has no loops")
	}
	type send func(ctx context.Context, c *protocol.Conn, l *layers.Layer, m protocol.Message) error
	broadcast := func(ctx context.Context, _ *protocol.Conn, l *layers.Layer, m protocol.Message) error {
		return l.Broadcast(ctx, "all", m)
	}
	shared := func(ctx context.Context, c *protocol.Conn, _ *layers.Layer, m protocol.Message) error {
		return c.SendPrepared(ctx, protocol.Prepare(m))
	}
	for _, row := range []struct {
		at    testkit.Line
		size  int
		group bool // another connection sends
		send  send
	}{
		{testkit.Here(), 1 << 20, false, func(ctx context.Context, c *protocol.Conn, _ *layers.Layer, m protocol.Message) error {
			return c.Send(ctx, m)
		}},
		{testkit.Here(), 1 << 20, true, broadcast},
		{testkit.Here(), maxOnLoop + 1, true, broadcast},
		{testkit.Here(), maxOnLoop + 1, false, broadcast},
		{testkit.Here(), maxOnLoop + 1, false, shared},
		{testkit.Here(), maxOnLoop + 1, false, func(_ context.Context, c *protocol.Conn, _ *layers.Layer, m protocol.Message) error {
			event := protocol.EventType[struct{}]{Name: "said"}.New(struct{}{})
			return errors.Join(c.Post(event), c.Offer(protocol.Prepare(m))) // the message waits behind the event
		}},
	} {
		e := newTestEngine(Config{Loops: true, Compression: testCompression()})
		e.loops = e.loops[:1]
		e.loops[0].driving.watched.Store(true)
		l, large := new(layers.Layer), protocol.Text(jsonText(row.size))
		sending := make(chan struct{})
		var held []*deflate.Deflated
		for range runtime.GOMAXPROCS(0) { // as many as there may be of large messages
			held = append(held, e.deflate.deflaters.Deflate(large.Data[:maxOnLoop+1], nil, deflate.MaxBits))
		}
		app := &fakes.Handler{
			OnConnect: func(ctx context.Context, c *protocol.Conn) error { return l.Join(ctx, "all", member{c}) },
			OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
				if m.Text() == "release" {
					for _, z := range held {
						z.Release()
					}
					return nil
				}
				close(sending)
				return errors.Join(row.send(ctx, c, l, large), l.Broadcast(ctx, "all", m))
			},
		}
		_, peer := onLoop(t, e, app, deflate.Params{ServerBits: 15, ClientBits: 15})
		_, other := onLoop(t, e, &fakes.Handler{OnReceive: app.OnReceive}, deflate.Params{})
		sender := peer
		if row.group {
			_, sender = onLoop(t, e, &fakes.Handler{OnReceive: app.OnReceive}, deflate.Params{})
		}
		sender.say(t, "go")
		<-sending
		other.say(t, "release")
		if got := peer.inflates(t); got != large.Text() {
			t.Fatalf("%s: got a message of %d bytes, want %d", row.at, len(got), row.size)
		}
		if got := peer.hears(t); got != "go" {
			t.Errorf("%s: the next message is %q", row.at, got)
		}
		if n := e.counters.leftBehind.Load(); n != 1 {
			t.Errorf("%s: %d callbacks were left behind, want 1", row.at, n)
		}
		peer.Close()
		other.Close()
		sender.Close()
		e.finish()
	}
}

// member is a bare connection in a group.
type member struct{ *protocol.Conn }

func (m member) Deliver(e *protocol.Event) (yield bool)  { return m.Post(e) != nil }
func (m member) Offer(p *protocol.Prepared) (yield bool) { return m.Conn.Offer(p) != nil }

// onLoop opens a connection of app over TCP that has agreed on p, and returns the peer's side
// behind the answer.
func onLoop(t *testing.T, e *testEngine, app protocol.Application, p deflate.Params) (c *Conn, peer *tcpPeer) {
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
	c = e.NewConn(&Opening{Handshake: deflated{handover{ours}, p}}, "")
	c.Open(e.session(app, c))
	theirs.SetDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // reads fail
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

// inflates reads a compressed text message of 64 KiB and more before it was compressed.
func (p *tcpPeer) inflates(t *testing.T) string {
	t.Helper()
	h, err := ws.ReadHeader(p.r)
	if err != nil || h.OpCode != ws.OpText || !h.Rsv1() || !h.Fin {
		t.Fatalf("got a frame with the header %+v, %v, want a compressed text message", h, err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		t.Fatal(err)
	}
	z := deflate.NewInflater()
	defer z.Release()
	text, err := z.Inflate(nil, payload, nil, math.MaxInt32)
	if err == nil {
		text, err = z.Finish(text, nil, math.MaxInt32)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
