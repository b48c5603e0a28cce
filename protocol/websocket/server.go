package websocket

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
)

// Server serves the WebSocket connections of one application. It is an
// http.Handler for any mux, and a protocol.Protocol for a
// router.ProtocolTypeRouter. Make it with [New]. All methods are safe for
// concurrent use.
type Server struct {
	app      protocol.Application
	opts     Options
	sessions protocol.SessionOptions
	counters protocol.Counters
	stats    counters
	gate     *admission.Gate
	engine   *engine.Engine
	warnings logs.Limiter
	reads    protocol.ReadBudget
}

var _ protocol.Protocol = (*Server)(nil)

// New returns a server for app. o may be nil; it is copied. New panics if app is
// nil, if an entry of o.Origins, o.Hosts or o.TrustedProxies can match nothing, if
// one of o.Subprotocols is not a token, or if o.Shutdown.Code cannot be sent.
func New(app protocol.Application, o *Options) *Server {
	if app == nil {
		panic("wye: websocket.New: the application is nil")
	}
	s := &Server{app: app, opts: o.withDefaults(), warnings: logs.Limiter{Burst: 1}}
	for _, p := range s.opts.Subprotocols {
		if !handshake.IsToken(p) {
			panic(fmt.Sprintf("wye: websocket.Options.Subprotocols: %q is no token of HTTP", p))
		}
	}
	s.gate = newGate(&s.opts)
	if code := s.opts.Shutdown.Code; code != 0 && !code.Sendable() {
		panic(fmt.Sprintf("wye: websocket.Options.Shutdown: a close cannot carry the code %v; leave it 0 for 1001, or write 1012", code))
	}
	s.engine = engine.New(engine.Config{
		Limits:       s.opts.Limits,
		WriteTimeout: s.opts.WriteTimeout,
		CloseTimeout: s.opts.CloseTimeout,
		PingInterval: s.opts.PingInterval,
		PongTimeout:  s.opts.PongTimeout,
		QueueBytes:   s.opts.Capacity.QueueBytes,
		Leave:        s.gate.Leave,
	})
	s.sessions = protocol.SessionOptions{Limits: s.opts.Limits, Logger: s.opts.Logger, Counters: &s.counters, Reads: &s.reads}
	s.reads.Bytes = s.opts.Capacity.ReadBytes
	return s
}

// Handler is New with the defaults, for one line in any mux:
//
//	mux.Handle("GET /live/{item}", websocket.Handler(app))
func Handler(app protocol.Application) *Server { return New(app, nil) }

// Type returns "websocket".
func (s *Server) Type() string { return "websocket" }

// Match reports whether r wants to upgrade to WebSocket, also by the means of
// HTTP/2 (RFC 8441), which is not served, but understood.
func (s *Server) Match(r *http.Request) bool { return handshake.IsUpgrade(r) }

// ServeHTTP answers the handshake and returns. A refusal does not wait for the
// rest of the request, and closes the connection. What is wrong with it is looked
// for in a fixed order: method (405), HTTP version (501), size (431), route (404,
// if the application is a protocol.Finder), WebSocket's headers (426, 400),
// host (421), origin (403), room (503, 429); then the application decides, with its
// authenticators.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.HandshakeTimeout)
	defer cancel()
	client := s.gate.Client(r)
	scope := protocol.NewScope(s.Type(), r.WithContext(ctx))
	if client.RemoteAddr != r.RemoteAddr {
		scope = scope.WithRemoteAddr(client.RemoteAddr)
	}
	offer := handshake.ParseOffer(r.Header)
	if len(offer.Subprotocols) > 0 {
		scope = scope.WithSubprotocols(offer.Subprotocols)
	}
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
