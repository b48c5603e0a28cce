package engine

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

var errTooSlow = protocol.NewCloseError(protocol.ClosePolicyViolation, "message sent too slowly")

// activity is what the reader records for the keep-alive check of its connection, and
// what the check remembers.
type activity struct {
	liveness liveness.State // of the check
	received atomic.Uint32  // bytes since the last check
	message  atomic.Uint32  // which one is incomplete, or 0
	payload  atomic.Uint32  // bytes of it so far
	stalled  atomic.Bool    // the reader waits for a callback
	ticks    atomic.Uint32  // checks so far
	pinged   atomic.Int64   // when the last ping was sent, since the engine was made; 0 once it is answered
	rtt      atomic.Int64
}

// checkAlive pings, cuts or closes the connection if it is time. It does not block.
func (c *Conn) checkAlive() {
	if p := c.life.phase(); p == phaseOpening || p >= phaseClosing {
		return
	}
	a, r := &c.activity, c.engine.liveness
	if rate := c.session.Limits().MinRate; rate != c.engine.Limits.MinRate {
		r = r.WithMinRate(rate)
	}
	a.ticks.Add(1)
	v := a.liveness.Check(liveness.Sample{
		Received:   int(a.received.Swap(0)),
		Message:    a.message.Load(),
		Payload:    a.payload.Load(),
		ReadPaused: a.stalled.Load(),
		Unwritten:  c.out.pending() > 0,
	}, &r)
	switch v {
	case liveness.OK:
	case liveness.Ping:
		c.sendPing()
	case liveness.Dead:
		go c.fail(ErrPongTimeout) // closing a TLS connection may block
	case liveness.TooSlow:
		if c.session.Fail(errTooSlow) {
			c.engine.counters.slowSenders.Add(1)
		}
	}
}

const pingSize = 8

// sendPing sends a ping whose payload is the time.
func (c *Conn) sendPing() {
	now := int64(c.engine.now())
	c.activity.pinged.Store(now)
	var stamp [pingSize]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(now)) //nolint:gosec // not negative
	var buf [2 + pingSize]byte
	if c.out.addControl(frame.Append(buf[:0], ws.OpPing, stamp[:]), false) {
		c.wake()
	}
}

// receivePong measures the round trip, if payload is that of the last ping.
func (c *Conn) receivePong(payload []byte) {
	sent := c.activity.pinged.Load()
	if sent == 0 || len(payload) != pingSize || int64(binary.BigEndian.Uint64(payload)) != sent { //nolint:gosec // it is compared only
		return
	}
	c.activity.pinged.Store(0)
	c.activity.rtt.Store(int64(c.engine.now()) - sent)
}

// RTT returns the round trip of the last ping that was answered.
func (c *Conn) RTT() time.Duration { return time.Duration(c.activity.rtt.Load()) }
