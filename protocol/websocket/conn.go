package websocket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// conn is one connection: the protocol.Transport of its session.
//
// One goroutine reads, which holds the lease and owns the fields of read. One goroutine
// writes, which holds the outbox and owns the fields of writer. life says how far the
// connection has come, and with it who starts to read.
type conn struct {
	server   *Server
	session  *protocol.Session
	opening  *opening          // in phaseOpening
	path     string            // for the log
	peer     string            // its address, for the log
	position liveness.Position // in the server's wheel
	nc       net.Conn          // from phaseAnswering on

	life     life
	peerSide peerSide
	parts    atomic.Int32 // that the server waits for: the session, and once accepted the socket and the reader

	out    outbox
	pacer  atomic.Pointer[pacer] // nil until a message with a key is sent
	write  func()                // flush, bound once so that starting it allocates nothing
	writer struct {
		vector net.Buffers
		until  time.Duration // deadline of writes, since the server was made
	}

	reading lease
	read    struct {
		parser  frame.Parser
		rest    []byte // was read, and is not parsed yet
		batches bool   // holds the outbox, and writes when the callbacks of a read have returned
		message uint32 // as in activity
		held    int    // as in Session.Hold
		ticks   uint32 // as in activity, when the parser was last told
	}
	roused   atomic.Bool // the deadline of a read is a call to check the phase
	activity activity
}

// peerSide is what the peer may still send, and whether we listen. The zero value is a
// peer whose frames are handled. The reader changes it, the writer reads it.
type peerSide struct{ state atomic.Uint32 }

const (
	peerSends   = iota
	peerIgnored // it broke the rules: what it sends is dropped
	peerClosed  // its close frame has come: what it sends is dropped
	peerGone    // nothing comes any more
)

func (p *peerSide) is(state uint32) bool { return p.state.Load() == state }
func (p *peerSide) set(state uint32)     { p.state.Store(state) }

var (
	_ protocol.Transport    = (*conn)(nil)
	_ protocol.BusyNotifier = (*conn)(nil)
	_ protocol.Dropper      = (*conn)(nil)
	_ protocol.Pinger       = (*conn)(nil)
	_ protocol.Meter        = (*conn)(nil)
)

// LogValue names the connection in log lines.
func (c *conn) LogValue() slog.Value {
	return slog.GroupValue(slog.String("path", logs.Cut(c.path)), slog.String("peer", logs.Cut(c.peer)))
}

// open runs Open, and starts the reader if the handshake was accepted, even if a callback
// has ended the goroutine.
func (c *conn) open() {
	defer c.advance(phaseReading)
	c.session.Open()
}

// advance is life.advance. The step out of phaseAnswered starts the reader.
func (c *conn) advance(to phase) (from phase) {
	from = c.life.advance(to)
	if from == phaseAnswered && from < to {
		go c.runReader()
	}
	return from
}

// Accept takes the socket over from net/http and starts a goroutine that writes the
// answer.
func (c *conn) Accept(o protocol.AcceptOptions) error {
	if err := handshake.CheckHeader(o.Header); err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	answer := c.opening.answer(&o)
	nc, early, err := c.opening.hijack()
	if err != nil {
		return err
	}
	c.limit(c.session.Limits())
	c.out.begin(answer)
	c.nc, c.opening, c.read.rest = nc, nil, early
	c.server.gate.Answered(c.session.Conn())
	c.activity.received.Store(1) // the handshake is a sign of life
	c.parts.Add(2)
	c.life.advance(phaseAnswering)
	go c.writeAnswer()
	return nil
}

// connectGrace is how long the reader waits for a Connect that goes on after its Accept.
const connectGrace = 5 * time.Millisecond

// writeAnswer writes the answer and what was sent behind it, and then reads, unless
// Connect goes on.
func (c *conn) writeAnswer() {
	c.flushTurn(c.out.take(nil))
	if c.advance(phaseAnswered) == phaseAnswering {
		time.AfterFunc(connectGrace, func() { c.advance(phaseReading) })
		return
	}
	c.runReader()
}

// limit applies limits that are not the server's. MinRate is looked up when it is
// needed, and the session applies what is not named here.
func (c *conn) limit(l protocol.Limits) {
	if l == c.server.opts.Limits {
		return
	}
	c.read.parser = frame.NewParser(&l)
	c.out.budget = c.server.queues.within(l.QueueBytes)
}

// Reject answers the handshake.
func (c *conn) Reject(e *protocol.RejectError) {
	c.advance(phaseClosed)
	if e.Status == http.StatusServiceUnavailable && errors.Is(e.Err, context.DeadlineExceeded) {
		c.server.stats.late.Add(1)
	}
	if errors.Is(e.Err, protocol.ErrNoRoute) && !errors.Is(e.Err, protocol.ErrInvalidName) { // the session logs those
		c.logNoRoute(e)
	}
	c.opening.refuse(e)
	c.opening = nil
}

// logNoRoute logs a path that leads nowhere, which is a misprint in a program as a
// rule, with what the router knows of it. Routers that give up are a subject of their
// own, so that many misprints do not hide them.
func (c *conn) logNoRoute(e *protocol.RejectError) {
	subject := "route"
	if errors.Is(e.Err, plumbing.ErrBranches) {
		subject = "branches"
	}
	c.server.warnings.Log(c.server.opts.Logger, slog.LevelWarn, subject, "wye: no route for the path; Stats counts them", func() []any {
		return []any{"path", logs.Cut(c.path), "why", logs.Cut(e.Err.Error()), "peer", c.peer}
	})
}

// Send queues a message.
func (c *conn) Send(m protocol.Message) error {
	if m.Key != "" {
		return c.sendKeyed(keyed{key: m.Key, own: m})
	}
	write, err := c.out.message(m)
	if write {
		go c.write()
	}
	return err
}

// SendPrepared queues a message that is shared.
func (c *conn) SendPrepared(p *protocol.Prepared) error {
	if key := p.Key(); key != "" {
		return c.sendKeyed(keyed{key: key, prepared: p})
	}
	write, err := c.out.prepared(p)
	if write {
		go c.write()
	}
	return err
}

// DropOldest drops queued messages until one of n bytes fits.
func (c *conn) DropOldest(n int) (dropped int) { return c.out.dropOldest(n + ws.MaxHeaderSize) }

// Sent returns what was queued so far.
func (c *conn) Sent() (messages, bytes int64) { return c.out.sent() }

// Close sends a close frame behind what is queued. From then on the peer has
// CloseTimeout to answer.
func (c *conn) Close(s protocol.CloseStatus) {
	c.startClosing()
	c.sendClose(s)
	c.rouse()
}

// startClosing gives the peer CloseTimeout to read what is queued and to answer our
// close.
func (c *conn) startClosing() {
	c.advance(phaseClosing)
	c.boundClose()
}

func (c *conn) sendClose(s protocol.CloseStatus) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.control(true, frame.AppendClose(buf[:0], s)) {
		go c.write()
	}
}

// sendPong answers a ping, unless the peer does not read anyway.
func (c *conn) sendPong(payload []byte) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.offer(frame.Append(buf[:0], ws.OpPong, payload)) {
		go c.write()
	}
}

// closedByPeer handles the peer's close frame: the answer follows what is queued, and
// then it is for us to close the socket (RFC 6455 section 7.1.1).
func (c *conn) closedByPeer(s protocol.CloseStatus) {
	c.session.Ended(s)
	c.peerSide.set(peerClosed)
	c.startClosing()
	c.sendClose(protocol.CloseStatus{Code: s.Code})
}

// fail ends the connection because the socket has failed with err, or because err is a
// reason to cut it.
func (c *conn) fail(err error) {
	closing := c.life.closing()
	c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: err})
	c.out.abort()
	if c.closeSocket() {
		c.server.stats.cut(err, closing) // before the server forgets the connection
		c.partDone()
	}
}

// closeCleanly closes the socket after both closes, unless it is closed.
func (c *conn) closeCleanly() {
	if c.closeSocket() {
		c.partDone()
	}
}

// closeSocket closes the socket, once.
func (c *conn) closeSocket() (first bool) {
	if c.advance(phaseClosed) == phaseClosed {
		return false
	}
	if c.paced() { // of TLS, Close would wait for a writer that waits
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // as below
	}
	_ = c.nc.Close() //nolint:errcheck // there is nobody left to report it to
	return true
}

// WheelPosition implements liveness.Member.
func (c *conn) WheelPosition() *liveness.Position { return &c.position }

// partDone notes that the session is over, the socket is closed or the reader has
// returned. After the last of them the server forgets the connection.
func (c *conn) partDone() {
	if c.parts.Add(-1) == 0 {
		c.server.forget(c)
	}
}

// isTimeout reports whether err is that of a socket's deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
