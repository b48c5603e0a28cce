package websocket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// conn is one connection: the protocol.Transport of its session.
//
// Reading is a role that one goroutine has at a time; turn says which one. The
// holder of the role owns the fields of role. Writing belongs to whoever holds
// the outbox, and with it the fields of writer.
type conn struct {
	server   *Server
	session  *protocol.Session
	hand     *handshake        // until the answer
	path     string            // for the log
	peer     string            // its address, for the log
	addr     netip.Addr        // what its connections are counted under, if they are
	decided  bool              // guarded by the server's lock
	position liveness.Position // in the server's wheel
	nc       net.Conn          // from Accept on

	out    outbox
	pacer  atomic.Pointer[pacer] // nil until a message with a key is sent
	write  func()                // flush, bound once so that starting it allocates nothing
	writer struct {
		vector net.Buffers
		until  time.Duration // deadline of writes, since the server was made
	}

	role struct {
		parser  frame.Parser
		rest    []byte // read, and not yet parsed
		holds   bool   // the outbox, until the end of the turn
		message uint32 // as in looked
		held    int    // as in Session.Hold
		times   uint32 // as in looked, when the parser was told last
	}
	turn   atomic.Uint64 // odd while the goroutine that reads runs callbacks, or waits for Open
	looked looked

	opened  atomic.Bool // Open has returned
	watched atomic.Bool // on the watcher's list
	end     struct {
		closing  atomic.Bool // the deadlines are those of the end
		roused   atomic.Bool // the reader's deadline is a call to look again
		peerDone atomic.Bool // the peer's close has come
		hungUp   atomic.Bool // nothing comes from the peer any more
		deaf     atomic.Bool // the peer broke the rules: what it sends is dropped
		shut     atomic.Bool // the socket is closed
	}
	parts atomic.Int32
}

// The parts of a connection that must be over before the server forgets it.
const (
	partSession = 1 << iota
	partSocket
	partReading
	allParts = partSession | partSocket | partReading
)

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

// Accept answers the handshake and starts reading.
func (c *conn) Accept(o protocol.AcceptOptions) error {
	if err := checkOwn(o.Header); err != nil {
		return err
	}
	if o.Subprotocol == "" {
		o.Subprotocol = c.hand.subprotocol
	}
	answer := c.hand.answer(&o)
	nc, early, err := c.hand.hijack()
	if err != nil {
		return err
	}
	c.limit(c.session.Limits())
	c.out.begin(answer)
	c.nc, c.hand = nc, nil
	c.server.decided(c)
	c.looked.received.Store(1) // the handshake is a sign of life
	c.parts.Add(partSocket | partReading)
	go c.begin(early)
	return nil
}

// limit applies limits that are not the server's. MinRate is looked up when it is
// needed, and what is not named here is the session's to apply.
func (c *conn) limit(l protocol.Limits) {
	if l == c.server.opts.Limits {
		return
	}
	c.role.parser = frame.NewParser(&l)
	c.out.budget = c.server.queues.within(l.QueueBytes)
}

// beginTurn is the turn in which begin waits for Open: nobody has read yet.
const beginTurn = 1

// begin writes the answer, and reads when Open has returned. Before, messages would
// wait, and what comes behind them, a close or a broken rule, would be dealt with
// first. A Connect that has accepted and goes on is a callback like any other: if
// it takes long, the watcher has another goroutine read.
func (c *conn) begin(early []byte) {
	c.flushTurn(c.out.take(nil))
	c.role.rest = early
	c.turn.Store(beginTurn)
	if c.opened.Load() && c.turn.CompareAndSwap(beginTurn, beginTurn+1) {
		c.role.rest = nil
		c.read(early)
		return
	}
	c.server.watcher.watch(c)
}

// open runs Open, and has a begin that waits for it read on.
func (c *conn) open() {
	c.session.Open()
	c.opened.Store(true)
	c.takeOver(beginTurn) // if a callback has ended the goroutine the watcher does it
}

// Reject answers the handshake, if it has not been answered.
func (c *conn) Reject(e *protocol.RejectError) {
	if e.Status == http.StatusServiceUnavailable && errors.Is(e.Err, context.DeadlineExceeded) {
		c.server.stats.late.Add(1)
	}
	if errors.Is(e.Err, protocol.ErrNoRoute) && !errors.Is(e.Err, protocol.ErrInvalidName) { // the session logs those
		c.logNoRoute(e)
	}
	if c.hand != nil {
		refuse(c.hand.w, c.hand.r, e)
	}
	c.hand = nil
}

// logNoRoute logs a path that leads nowhere, which is a misprint in a program as a
// rule, with what the router knows of it. Routers that give up are a subject of their
// own, so that many misprints do not hide them.
func (c *conn) logNoRoute(e *protocol.RejectError) {
	subject := "route"
	if errors.Is(e.Err, protocol.ErrBranches) {
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
	c.end.closing.Store(true)
	c.boundClose()
	c.sendClose(s)
	c.rouse()
}

func (c *conn) sendClose(s protocol.CloseStatus) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.control(true, frame.AppendClose(buf[:0], s)) {
		go c.write()
	}
}

// pong answers a ping, unless the peer is not reading anyway.
func (c *conn) pong(payload []byte) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.offer(frame.Append(buf[:0], ws.OpPong, payload)) {
		go c.write()
	}
}

// peerClosed ends the connection as the peer has asked: its close is answered
// behind what is queued, for which it has CloseTimeout, and then it is for us to
// close the socket (RFC 6455 section 7.1.1).
func (c *conn) peerClosed(s protocol.CloseStatus) {
	c.session.Ended(s)
	c.end.peerDone.Store(true)
	c.end.closing.Store(true)
	c.boundClose()
	c.sendClose(protocol.CloseStatus{Code: s.Code})
}

// broke ends the connection because the socket failed, or was cut.
func (c *conn) broke(err error) {
	closing := c.end.closing.Load()
	c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: err})
	c.out.abort()
	if c.closeSocket() {
		c.server.stats.cut(err, closing) // before the server forgets the connection
		c.partOver(partSocket)
	}
}

// cut closes the socket, if that has not been done.
func (c *conn) cut() {
	if c.closeSocket() {
		c.partOver(partSocket)
	}
}

// closeSocket closes the socket, once.
func (c *conn) closeSocket() (first bool) {
	first = c.end.shut.CompareAndSwap(false, true)
	if first {
		if c.paced() { // of TLS, Close would wait for a writer that waits
			_ = c.nc.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // as below
		}
		_ = c.nc.Close() //nolint:errcheck // there is nobody left to tell
	}
	return first
}

// WheelPosition implements liveness.Member.
func (c *conn) WheelPosition() *liveness.Position { return &c.position }

// partOver takes note that the session, the socket or the reading is over.
func (c *conn) partOver(part int32) {
	if c.parts.Add(-part) == 0 {
		c.server.forget(c)
	}
}

// isTimeout reports whether err is that of a socket's deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
