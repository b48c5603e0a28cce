package websocket

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// ErrPongTimeout is the CloseStatus.Err of a connection that was cut because
// nothing came from its peer, not even the answer to a ping.
var ErrPongTimeout = errors.New("wye: the peer did not answer a ping in time; it is gone, or its network is")

var errTooSlow = protocol.Close(protocol.ClosePolicyViolation, "message sent too slowly")

// looked is what whoever reads tells those who look, and the other way round.
type looked struct {
	liveness liveness.State // of those who look
	received atomic.Uint32  // bytes since the last look
	message  atomic.Uint32  // which one is incomplete, or 0
	payload  atomic.Uint32  // bytes of it so far
	stalled  atomic.Bool    // nobody reads, because a callback is busy
	times    atomic.Uint32  // how often it was looked at
	sent     atomic.Int64   // when the last ping was, since the server was made, or 0
	rtt      atomic.Int64
}

// tick looks at the connections of one slot, and comes again while there are
// any.
func (s *Server) tick() {
	s.mu.Lock()
	s.mu.seen = s.mu.conns.Advance(s.mu.seen[:0])
	seen := s.mu.seen
	s.mu.Unlock()
	for i, c := range seen {
		c.look()
		seen[i] = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ticks = s.mu.conns.Len() > 0
	if s.mu.ticks {
		s.mu.timer.Reset(s.liveness.Interval / liveness.Slots)
	}
}

// tickLocked sees to it that tick comes.
func (s *Server) tickLocked() {
	if s.mu.ticks {
		return
	}
	s.mu.ticks = true
	if s.mu.timer == nil {
		s.mu.timer = time.AfterFunc(s.liveness.Interval/liveness.Slots, s.tick)
		return
	}
	s.mu.timer.Reset(s.liveness.Interval / liveness.Slots)
}

// look does what has to be done from time to time about an open connection. It
// does not block.
func (c *conn) look() {
	if c.parts.Load() != allParts || c.end.closing.Load() || c.end.peerDone.Load() {
		return
	}
	l, r := &c.looked, c.server.liveness
	if rate := c.session.Limits().MinRate; rate != c.server.opts.Limits.MinRate {
		r = r.WithMinRate(rate)
	}
	l.times.Add(1)
	v := l.liveness.Check(liveness.Sample{
		Received:   int(l.received.Swap(0)),
		Message:    l.message.Load(),
		Payload:    l.payload.Load(),
		ReadPaused: l.stalled.Load(),
		Unwritten:  c.out.busy(),
	}, &r)
	switch v {
	case liveness.OK:
	case liveness.Ping:
		c.ping()
	case liveness.Dead:
		go c.broke(ErrPongTimeout) // closing a TLS connection may block
	case liveness.TooSlow:
		if c.session.Fail(errTooSlow) {
			c.server.stats.slowSenders.Add(1)
		}
	}
}

const pingSize = 8

// ping sends a ping that says when it was sent.
func (c *conn) ping() {
	now := int64(time.Since(c.server.made))
	c.looked.sent.Store(now)
	var stamp [pingSize]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(now)) //nolint:gosec // not negative
	var buf [2 + pingSize]byte
	if c.out.control(false, frame.Append(buf[:0], ws.OpPing, stamp[:])) {
		go c.write()
	}
}

// ponged measures the round trip, if payload is that of the last ping.
func (c *conn) ponged(payload []byte) {
	sent := c.looked.sent.Load()
	if sent == 0 || len(payload) != pingSize || int64(binary.BigEndian.Uint64(payload)) != sent { //nolint:gosec // it is compared only
		return
	}
	c.looked.sent.Store(0)
	c.looked.rtt.Store(int64(time.Since(c.server.made)) - sent)
}

// RTT returns the round trip of the last ping that was answered.
func (c *conn) RTT() time.Duration { return time.Duration(c.looked.rtt.Load()) }
