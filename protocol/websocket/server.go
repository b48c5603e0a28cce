package websocket

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/protocol"
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
	origins  *origins
	watcher  watcher

	malformed, forbidden atomic.Int64

	mu struct {
		sync.Mutex
		conns   map[*conn]struct{}
		closing bool
		empty   chan struct{} // made by Shutdown; closed when conns is empty
	}
}

var _ protocol.Protocol = (*Server)(nil)

// New returns a server for app. o may be nil; it is copied. A nil app, or an
// entry of o.Origins that can match nothing, panics.
func New(app protocol.Application, o *Options) *Server {
	if app == nil {
		panic("wye: websocket.New: the application is nil")
	}
	s := &Server{app: app, opts: o.withDefaults()}
	s.origins = newOrigins(&s.opts)
	s.sessions = protocol.SessionOptions{Limits: s.opts.Limits, Logger: s.opts.Logger, Counters: &s.counters}
	s.mu.conns = make(map[*conn]struct{})
	return s
}

// Handler is New with the defaults, for one line in any mux:
//
//	mux.Handle("GET /live/{item}", websocket.Handler(app))
func Handler(app protocol.Application) *Server { return New(app, nil) }

// Type returns "websocket".
func (s *Server) Type() string { return "websocket" }

// Match reports whether r wants to upgrade to WebSocket.
func (s *Server) Match(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || hasToken(r.Header, "Upgrade", "websocket")
}

// ServeHTTP answers the handshake and returns. It refuses, in this order, with
// 503 while the server shuts down, what is no good handshake (405, 501, 431,
// 426, 400), and a page of another origin with 403; then the application
// decides.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := s.admit(r); e != nil {
		reject(w, e)
		return
	}
	base := context.Background()
	if s.opts.KeepContext != nil {
		base = s.opts.KeepContext(r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.HandshakeTimeout)
	defer cancel()
	scope := protocol.NewScope(s.Type(), r.WithContext(ctx))
	scope.Subprotocols, _ = subprotocols(r.Header) // admit has seen that they are well-formed
	s.open(base, scope, &conn{
		server: s,
		hand:   &handshake{w, r},
		path:   strings.Clone(r.URL.Path), // without the rest of the request
		peer:   strings.Clone(r.RemoteAddr),
	})
}

// admit is what can be decided without the application.
func (s *Server) admit(r *http.Request) *protocol.RejectError {
	s.mu.Lock()
	closing := s.mu.closing
	s.mu.Unlock()
	if closing {
		return refusal(http.StatusServiceUnavailable, "the server is shutting down", "Retry-After", "1")
	}
	if e := checkRequest(r, s.opts.MaxHandshake); e != nil {
		s.malformed.Add(1)
		return e
	}
	if e := s.origins.check(r); e != nil {
		s.forbidden.Add(1)
		s.opts.Logger.Warn("wye: origin refused", "why", e.Body, "peer", r.RemoteAddr)
		return e
	}
	return nil
}

// open runs the handshake's decision.
func (s *Server) open(base context.Context, scope *protocol.Scope, c *conn) {
	c.role.parser.maxMessage, c.role.parser.maxFrame = s.opts.Limits.MaxMessage, s.opts.Limits.MaxFrame
	c.write = c.flush
	c.parts.Store(1)
	c.session = protocol.NewSession(base, s.app, scope, c, &s.sessions)
	c.session.Conn().Defer(c.partOver)
	s.remember(c)
	c.session.Open()
}

// Stats are the counters of a [Server] since it was made.
type Stats struct {
	protocol.Stats
	Malformed int64 // handshakes that were not good WebSocket
	Forbidden int64 // handshakes from an origin that is not allowed
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	return Stats{Stats: s.counters.Stats(), Malformed: s.malformed.Load(), Forbidden: s.forbidden.Load()}
}
