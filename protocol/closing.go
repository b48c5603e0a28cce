package protocol

import (
	"log/slog"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/protocol/internal/executor"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// closing is what follows a close: it is decided with the session's lock held, and
// carried out without it, by carryOut. The zero value is nothing.
type closing struct {
	dropped contents    // by a close from our side
	cause   *CloseError // ends the connection's context; nil if that goes on

	counted    bool // the connection was open
	notify     bool // the transport's Close has to be called
	run        bool // the executor was claimed for what is due
	resume     func()
	connecting *lazyctx.Context
}

// closeSession closes the connection with st. local says that our side closes it, so
// that the transport has to be told, and the handler is called for Disconnect only, also
// if the peer has closed before. report, which may be nil, logs and counts the close. It is
// called before the close takes effect elsewhere.
func (s *Session) closeSession(st CloseStatus, local bool, report func(lifecycle.Effect)) lifecycle.Effect {
	given := st.Code
	if local {
		st = st.sendable()
	}
	s.mu.Lock()
	effect := s.mu.life.Close(local)
	if effect.IsFirst() {
		s.setCauseLocked(&CloseError{CloseStatus: st, closed: true})
	}
	c := s.closingLocked(effect)
	s.mu.Unlock()
	if effect.IsFirst() && st.Code != given {
		s.log(slog.LevelError, "wye: a connection was to be closed with a code that a server cannot send; it is closed with 1011",
			append(details(st.Err), "code", int(given)))
	}
	if report != nil {
		report(effect)
	}
	s.carryOut(c)
	return effect
}

// closeRefused ends the context of a connection that will never be open, because of err
// or of the close that came before.
func (s *Session) closeRefused(err error) {
	s.mu.Lock()
	if s.cause() == nil {
		s.setCauseLocked(&CloseError{CloseStatus: CloseStatus{Code: CloseAbnormal, Err: err}, closed: true})
	}
	c := closing{cause: s.cause(), connecting: s.connectingLocked()}
	s.mu.Unlock()
	s.carryOut(c)
}

// closingLocked decides what follows a close that had this effect.
func (s *Session) closingLocked(effect lifecycle.Effect) (c closing) {
	life := &s.mu.life
	if effect == lifecycle.Stops || effect == lifecycle.Closes && life.IsStopped() {
		c.dropped = s.discardMailLocked()
	}
	if effect == lifecycle.Closes || life.State() == lifecycle.Opening { // then Connect has no more to decide
		c.cause, c.connecting = s.cause(), s.connectingLocked()
	}
	if effect == lifecycle.Closes {
		s.exec.Put(executor.Open, false)
		c.counted, c.notify, c.run = true, life.IsLocal(), s.exec.Claim(0)
		c.resume = s.rare.Load().takeResume()
		s.stopPacingLocked()
	}
	return c
}

// connectingLocked returns the ctx of Connect while it runs, or nil.
func (s *Session) connectingLocked() *lazyctx.Context {
	if s.mu.opening == nil {
		return nil
	}
	return s.mu.opening.connecting
}

// discardMailLocked ends the calling of Receive and Event: what waits is dropped, and the
// ctx of a final callback that is running ends.
func (s *Session) discardMailLocked() (dropped contents) {
	s.rare.Load().finals().end()
	return s.discardLocked()
}

// carryOut does what follows a close.
func (s *Session) carryOut(c closing) {
	s.options().Counters.dropped(c.dropped)
	if c.counted {
		s.options().Counters.closed(c.cause.CloseStatus)
	}
	if c.cause != nil {
		s.endContext()
	}
	if c.connecting != nil {
		c.connecting.Cancel(c.cause)
	}
	if c.notify {
		s.t.Close(c.cause.CloseStatus)
	}
	if c.resume != nil {
		c.resume()
	}
	if c.run {
		s.schedule()
	}
}
