package protocol

import "reflect"

// Blocking is what an application has declared about its callbacks, for transports that run
// the callbacks of many connections on one goroutine. See [Conn.SetBlocking].
type Blocking uint8

// The declarations.
const (
	BlockingUnknown Blocking = iota // nothing is declared: the transport finds out by itself
	BlockingYes                     // callbacks may block: other connections should not have to wait for them
	BlockingNo                      // callbacks never block
)

// SetBlocking declares whether Receive and Event of the connection may block: wait for a
// database, a lock, another connection, or a computation of more than a millisecond. It is
// for middleware and handlers, which call it in Connect before the inner Connect: the
// innermost call is the last, and wins. After the handshake is answered, transports need
// not follow a change. What a transport does with it, it documents; callbacks may block
// whatever is declared.
func (c *Conn) SetBlocking(b Blocking) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mu.blocking = b
}

// Blocking returns what the application has declared with [Conn.SetBlocking]. It is final
// when Transport.Accept is called, unless SetBlocking is called later than its contract
// allows.
func (s *Session) Blocking() Blocking {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.blocking
}

// Route returns a name for what serves the connection, under which a transport can keep what
// it learns about the callbacks there: [Scope.Route], or the type of the handler if no
// router has noted a route. There are as many names as routes, so a transport may keep them
// all. Route is for Transport.Accept; when Open has returned, the session no longer knows
// the route, and Route returns "".
func (s *Session) Route() string {
	o := s.opening()
	if o == nil {
		return ""
	}
	if route := o.scope.Route(); route != "" || s.h == nil {
		return route
	}
	return reflect.TypeOf(s.h).String()
}
