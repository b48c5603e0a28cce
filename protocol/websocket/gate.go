package websocket

import (
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// newGate returns the gate of a server with options o.
func newGate(o *Options) *admission.Gate {
	c := &o.Capacity
	return admission.New(&admission.Options{
		Name:                   "websocket.Options",
		Origins:                o.Origins,
		InsecureAllowAnyOrigin: o.InsecureAllowAnyOrigin,
		Hosts:                  o.Hosts,
		TrustedProxies:         o.TrustedProxies,
		Capacity: admission.Capacity{
			Conns:               c.Conns,
			ConnsPerAddress:     c.ConnsPerAddress,
			Handshakes:          c.Handshakes,
			HandshakesPerSecond: c.HandshakesPerSecond,
			HandshakeBurst:      c.HandshakeBurst,
		},
		Logger: o.Logger,
	})
}

// enter lets a connection in, from before its handshake is answered until session, socket
// and reading are over. It returns nil, or the answer if there is no room.
func (s *Server) enter(c *conn, client protocol.Client) *protocol.RejectError {
	if e := s.gate.Enter(c.session.Conn(), client); e != nil {
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.conns.Add(c)
	s.tickLocked()
	return nil
}

// forget removes a connection that has entered and of which nothing is left.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	s.mu.conns.Remove(c)
	s.mu.Unlock()
	s.gate.Leave(c.session.Conn())
}
