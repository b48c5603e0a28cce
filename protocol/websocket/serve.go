package websocket

import (
	"context"
	"net/http"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
)

// ServeHTTP answers the handshake and returns. A refusal does not wait for the rest of the
// request, and closes the connection. The checks have a fixed order: method (405), HTTP
// version (501), size (431), route (404, if the application has a Find method), WebSocket's
// headers (426, 400), host (421), origin (403), Capacity (503, 429). Then the middleware,
// for example router.Auth, and the application decide.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := &opening{server: s, w: w, r: r}
	h.Handshake = h
	defer h.end()
	// net/http's goroutine has a small stack. If one of the functions below needs more of
	// it, the runtime copies the stack, which takes as long as all else of a handshake.
	// So prepare leaves nothing on the stack.
	if c, session := h.prepare(); session != nil {
		c.Open(session)
	}
}

// prepare makes what Open needs, in which the program decides about the connection. If
// the handshake is refused before, it answers, and returns nil.
func (h *opening) prepare() (c *engine.Conn, session *protocol.Session) {
	s, r := h.server, h.r
	client := s.gate.Client(r)
	offer := handshake.ParseOffer(r.Header)
	h.name = engine.NewName(r.URL.Path, client.RemoteAddr)
	var scope *protocol.Scope
	scope, h.limit = scopes.ForHandshake(plumbing.Handshake{
		Type: s.Type(), Request: r, RemoteAddr: client.RemoteAddr, Subprotocols: offer.Subprotocols, Timeout: s.opts.HandshakeTimeout,
	})
	if e := s.admit(scope, h, client, &offer); e != nil {
		h.refuse(e)
		return nil, nil
	}
	h.acceptKey = handshake.AcceptKey(r.Header)
	c = s.engine.NewConn(&h.Opening, h.name)
	session = s.newSession(scope, r, c)
	h.session = session
	if e := s.gate.Enter(session.Conn(), client); e != nil {
		h.refuse(e)
		return nil, nil
	}
	h.conn = session.Conn()
	return c, session
}

// answered notes that the handshake is answered, or will not be.
func (h *opening) answered() {
	if c := h.conn; c != nil {
		h.conn = nil
		h.server.gate.Answered(c)
	}
}

// end ends what lasts as long as the handshake.
func (h *opening) end() {
	h.answered()
	if h.limit != nil {
		h.limit.Cancel(nil)
	}
}

// admit makes the checks that do not need the application. It returns nil, or the answer
// that refuses the handshake.
func (s *Server) admit(scope *protocol.Scope, h *opening, client admission.Client, offer *handshake.Offer) *protocol.RejectError {
	r := h.r
	if e := handshake.CheckRequest(r, s.opts.MaxHandshake, s.opts.MaxHeaderLines); e != nil {
		if e.Status == http.StatusRequestHeaderFieldsTooLarge {
			s.stats.oversized.Add(1)
		} else {
			s.stats.malformed.Add(1)
		}
		return e
	}
	h.subprotocol = scope.Subprotocol(s.opts.Subprotocols...)
	if err := admission.FindRoute(s.app, scope); err != nil {
		s.stats.unrouted.Add(1)
		e := protocol.AsRejectError(err)
		h.logNoRoute(e)
		return e
	}
	if e := handshake.CheckUpgrade(r, offer); e != nil {
		s.stats.malformed.Add(1)
		return e
	}
	if e := s.checkExtensions(r.Header); e != nil {
		s.stats.malformed.Add(1)
		return e
	}
	return s.gate.CheckRequest(r, client)
}

// newSession returns the session of a connection that r opens.
func (s *Server) newSession(scope *protocol.Scope, r *http.Request, t protocol.Transport) *protocol.Session {
	base := context.Background()
	if s.opts.KeepContext != nil {
		base = s.opts.KeepContext(r)
	}
	return protocol.NewSession(base, s.app, scope, t, &s.sessions)
}
