package protocol

import "github.com/wye-go/wye/internal/plumbing"

// lateCalls are what is called after Disconnect: the functions of Conn.Defer, in the
// reverse order, and the leaver of a consumer's connection among them. last is a *lateCall,
// or the leaver itself if it was added first: so a connection in a group needs neither a
// closure nor a list for it.
type lateCalls struct{ last plumbing.Leaver }

// lateCall is a function of Conn.Defer.
type lateCall struct {
	f      func()
	before plumbing.Leaver // as lateCalls.last
}

// LeaveAll implements plumbing.Leaver.
func (c *lateCall) LeaveAll() { c.f() }

// isEmpty reports whether nothing is left to be called.
func (l *lateCalls) isEmpty() bool { return l.last == nil }

// add adds f.
func (l *lateCalls) add(f func()) { l.last = &lateCall{f: f, before: l.last} }

// addLeaver adds v.
func (l *lateCalls) addLeaver(v plumbing.Leaver) {
	if l.last != nil {
		l.add(v.LeaveAll)
		return
	}
	l.last = v
}

// remove removes the call that was added last, and returns it. l must not be empty.
func (l *lateCalls) remove() func() {
	switch last := l.last.(type) {
	case *lateCall:
		l.last = last.before
		return last.f
	default:
		l.last = nil
		return last.LeaveAll
	}
}

// hasLateLocked reports whether something is left to be called after Disconnect.
func (s *Session) hasLateLocked() bool { return !s.mu.late.isEmpty() || s.owesSettledLocked() }

// owesSettledLocked reports whether the transport's Settled is to be called.
func (s *Session) owesSettledLocked() bool {
	if s.mu.settled || !s.mu.life.IsSettled() {
		return false
	}
	_, ok := s.t.(settler)
	return ok
}

// nextLateLocked returns what is called next after Disconnect: Settled comes last.
func (s *Session) nextLateLocked() func() {
	if !s.mu.late.isEmpty() {
		return s.mu.late.remove()
	}
	s.mu.settled = true
	return s.t.(settler).Settled //nolint:errcheck,forcetypeassert // see owesSettledLocked
}

// deferred is Conn.Defer.
func (s *Session) deferred(f func()) {
	s.mu.Lock()
	late := s.isLateLocked()
	if !late {
		s.mu.late.add(f)
	}
	s.mu.Unlock()
	if late {
		s.callLate(f)
	}
}

// deferLeaver is Conn.Defer for the leaver of a consumer's connection, which has one.
func (s *Session) deferLeaver(v plumbing.Leaver) {
	s.mu.Lock()
	late := s.isLateLocked()
	if !late {
		s.mu.late.addLeaver(v)
	}
	s.mu.Unlock()
	if late {
		s.callLate(v.LeaveAll)
	}
}

// isLateLocked reports whether what is deferred now has to be called at once.
func (s *Session) isLateLocked() bool { return s.mu.life.IsSettled() && !s.exec.IsRunning() }
