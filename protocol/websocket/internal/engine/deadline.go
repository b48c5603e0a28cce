package engine

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// lingerTime is how long a peer that has closed, and has our close, may take to hang up.
// What it has sent behind its close comes within a round trip.
const lingerTime = time.Second

// deadlines are those of the connections of an engine. A connection has one at most:
// that of its close, once it is closing, and otherwise that of a write that makes no
// progress. The timer runs only while there are any.
type deadlines struct {
	granularity time.Duration
	mu          struct {
		sync.Mutex
		wheel *liveness.Deadlines[*Conn]
		timer *time.Timer
		next  time.Duration // for which the timer is set; 0: it does not run
		due   []*Conn       // of expireDue
	}
}

// The bounds of how exact deadlines are.
const (
	minGranularity = time.Millisecond
	maxGranularity = 20 * time.Millisecond
)

// granularityOf returns how exact the deadlines of an engine with these timeouts are.
func granularityOf(c *Config) time.Duration {
	const part = 16
	return max(min(c.WriteTimeout/part, c.CloseTimeout/part, maxGranularity), minGranularity)
}

// DeadlinePosition implements [liveness.DeadlineMember].
func (c *Conn) DeadlinePosition() *liveness.DeadlinePosition { return &c.deadline }

// armWrite gives the peer WriteTimeout to read something. While the connection closes, the
// deadline is that of the close.
func (c *Conn) armWrite() {
	e := c.engine
	d, now := &e.deadlines, e.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !c.life.closing() {
		e.setDeadlineLocked(c, now+e.WriteTimeout)
	}
}

// armClose gives the peer CloseTimeout to read what is queued and to answer our close.
func (c *Conn) armClose() { c.setDeadline(c.engine.CloseTimeout) }

// armGrace has a connection in phaseAnswered read after connectGrace.
func (c *Conn) armGrace() {
	e := c.engine
	d, now := &e.deadlines, e.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.life.phase() == phaseAnswered { // otherwise it may have the deadline of its close
		e.setDeadlineLocked(c, now+connectGrace)
	}
}

// hasDeadline reports whether the connection has a deadline that has not passed.
func (c *Conn) hasDeadline() bool {
	d := &c.engine.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.mu.wheel.Has(c)
	return ok
}

// armHangUp gives the peer lingerTime to hang up, at most.
func (c *Conn) armHangUp() {
	c.setDeadline(min(lingerTime, c.engine.CloseTimeout))
}

// setDeadline sets the deadline of the connection, instead of the one that it has.
func (c *Conn) setDeadline(after time.Duration) {
	e := c.engine
	d, now := &e.deadlines, e.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.life.phase() < phaseClosed {
		e.setDeadlineLocked(c, now+after)
	}
}

func (e *Engine) setDeadlineLocked(c *Conn, at time.Duration) {
	d := &e.deadlines
	d.mu.wheel.Add(c, at)
	e.setTimerLocked()
}

// setTimerLocked sets the timer for the next deadline.
func (e *Engine) setTimerLocked() {
	d := &e.deadlines
	next, ok := d.mu.wheel.Next()
	switch {
	case !ok, d.mu.next != 0 && d.mu.next <= next:
		return // it fires early enough, and then sets itself
	case d.mu.timer == nil:
		d.mu.timer = time.AfterFunc(next-e.now(), e.expireDue)
	default:
		d.mu.timer.Reset(next - e.now())
	}
	d.mu.next = next
}

// removeDeadline removes the deadline of a connection that is closed.
func (c *Conn) removeDeadline() {
	d := &c.engine.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.wheel.Remove(c)
	if d.mu.wheel.Len() == 0 && d.mu.next != 0 {
		d.mu.timer.Stop()
		d.mu.next = 0
	}
}

// expireDue handles the deadlines that have passed.
func (e *Engine) expireDue() {
	d := &e.deadlines
	d.mu.Lock()
	d.mu.next = 0
	d.mu.due = d.mu.wheel.Advance(e.now(), d.mu.due[:0])
	due := d.mu.due
	d.mu.due = nil
	e.setTimerLocked()
	d.mu.Unlock()
	for _, c := range due {
		c.runner.expire(c)
	}
	clear(due)
	d.mu.Lock()
	d.mu.due = due
	d.mu.Unlock()
}

// isTimeout reports whether err is that of a deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// Causes of the end.
var (
	errNoAnswer = fmt.Errorf("the peer did not answer our close frame in time: %w", os.ErrDeadlineExceeded)
	errNoRead   = fmt.Errorf("the peer has read nothing for Options.WriteTimeout: %w", os.ErrDeadlineExceeded)
)
