package websocket

import (
	"context"
	"net/http"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
)

// ServeHTTP answers the handshake and returns. A refusal does not wait for the rest of the
// request, and closes the connection. The checks have a fixed order: method (405), HTTP
// version (501), size (431), route (404, if the application has a Find method), WebSocket's
// headers (426, 400), host (421), origin (403), Capacity (503, 429). Then the middleware,
// for example router.Auth, and the application decide.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := s.gate.Client(r)
	offer := handshake.ParseOffer(r.Header)
	scope, limit := scopes.ForHandshake(&plumbing.Handshake{
		Type: s.Type(), Request: r, RemoteAddr: client.RemoteAddr, Subprotocols: offer.Subprotocols, Timeout: s.opts.HandshakeTimeout,
	})
	defer limit.Cancel(nil)
	h := &opening{server: s, w: w, r: r, path: noted(r.URL.Path), peer: noted(client.RemoteAddr)}
	if e := s.admit(scope, h, client, &offer); e != nil {
		h.refuse(e)
		return
	}
	c := s.engine.NewConn(h, h.path, h.peer)
	session := s.newSession(scope, r, c)
	h.conn = session.Conn()
	if e := s.gate.Enter(h.conn, client); e != nil {
		h.refuse(e)
		return
	}
	defer s.gate.Answered(session.Conn())
	c.Open(session)
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
