package websocket

import (
	"fmt"
	"net/http"
	"sync/atomic"

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
}

// counters are those of Stats that neither the sessions, the gate nor the engine count.
type counters struct {
	malformed, oversized, unrouted, late atomic.Int64
}

var _ protocol.Protocol = (*Server)(nil)

// New returns a server for app. o may be nil; it is copied. New panics if app is
// nil, if an entry of o.Origins, o.Hosts or o.TrustedProxies can match nothing, if
// one of o.Subprotocols is not a token, if o.Shutdown.Code cannot be sent, or if a field
// of o.Compression is out of its range.
func New(app protocol.Application, o *Options) *Server {
	if app == nil {
		panic("wye: websocket.New: the application is nil")
	}
	s := &Server{app: app, opts: o.withDefaults(), warnings: logs.Limiter{Burst: 1}}
	for _, p := range s.opts.Subprotocols {
		if !handshake.IsToken(p) {
			panic(fmt.Sprintf("wye: websocket.Options.Subprotocols: %q is not a token of HTTP", p))
		}
	}
	s.gate = newGate(&s.opts)
	if code := s.opts.Shutdown.Code; code != 0 && !code.Sendable() {
		panic(fmt.Sprintf("wye: websocket.Options.Shutdown: a close cannot carry the code %v; leave it 0 for 1001, or write 1012", code))
	}
	s.opts.Engine.check()
	s.opts.Compression.check()
	s.engine = engine.New(engine.Config{
		Limits:       s.opts.Limits,
		WriteTimeout: s.opts.WriteTimeout,
		CloseTimeout: s.opts.CloseTimeout,
		PingInterval: s.opts.PingInterval,
		PongTimeout:  s.opts.PongTimeout,
		QueueBytes:   s.opts.Capacity.QueueBytes,
		Compression:  s.opts.Compression.engine(),
		Leave:        s.gate.Leave,
		Loops:        s.opts.Engine != EngineGoroutine && engine.LoopsWork(),
		OffLoop:      s.logOffLoop,
	})
	s.sessions = protocol.SessionOptions{
		Limits: s.opts.Limits, Logger: s.opts.Logger, Counters: &s.counters, ReadBytes: s.opts.Capacity.ReadBytes,
	}
	return s
}

// Handler is New with the defaults, for one line in any mux:
//
//	mux.Handle("GET /live/{item}", websocket.Handler(app))
func Handler(app protocol.Application) *Server { return New(app, nil) }

// Type returns "websocket".
func (s *Server) Type() string { return "websocket" }

// Match reports whether r asks for WebSocket. It also returns true for WebSocket over
// HTTP/2 (RFC 8441), which ServeHTTP refuses with 501. With Options.PassUnrouted, it returns
// false if the application has no route for r.
func (s *Server) Match(r *http.Request) bool {
	if !handshake.IsUpgrade(r) {
		return false
	}
	return !s.opts.PassUnrouted || admission.FindRoute(s.app, protocol.NewScope(s.Type(), r)) == nil
}
