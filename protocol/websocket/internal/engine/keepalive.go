package engine

import (
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

var errTooSlow = protocol.NewCloseError(protocol.ClosePolicyViolation, "message sent too slowly")

// addConn has the connection checked from now on.
func (e *Engine) addConn(c *Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.conns.Add(c)
	if e.mu.running {
		return
	}
	e.mu.running = true
	if e.mu.timer == nil {
		e.mu.timer = time.AfterFunc(e.liveness.Interval/liveness.Slots, e.tick)
		return
	}
	e.mu.timer.Reset(e.liveness.Interval / liveness.Slots)
}

// tick checks the connections of one slot.
func (e *Engine) tick() {
	e.mu.Lock()
	e.mu.due = e.mu.conns.Advance(e.mu.due[:0])
	due := e.mu.due
	e.mu.Unlock()
	for i, c := range due {
		c.checkAlive()
		due[i] = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.running = e.mu.conns.Len() > 0; e.mu.running {
		e.mu.timer.Reset(e.liveness.Interval / liveness.Slots)
	}
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
	v := a.liveness.Check(liveness.Sample{
		Received:   a.received.Swap(false),
		Message:    a.message.Load(),
		Payload:    a.payload.Load(),
		ReadPaused: a.stalled.Load(),
		Unwritten:  c.out.pending() > 0,
	}, &r)
	c.way.deflate.giveBackIfIdle()
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
