package router

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// Log returns middleware that writes an access log to l, or to slog.Default() if l is
// nil: a line "wye: connection opened" and a line "wye: connection closed" for each
// connection, or a single line "wye: connection refused". All lines have the level Info
// and the attributes
//
//   - protocol: the type of the protocol, such as "websocket";
//   - route: the pattern of the route (see protocol.Scope.Route);
//   - path: the decoded path, at most 200 bytes of it, without a prefix that
//     http.StripPrefix has removed. The query, which may hold tokens, is not logged;
//   - peer: the remote address.
//
// The line of a close also has code, reason, by_peer, duration (since the handshake),
// messages_in, bytes_in, messages_out and bytes_out (see protocol.Traffic).
//
// The line of a refusal also has the status. If the inner Open returned the result of
// [protocol.CloseError.AcceptFirst], it has code and reason instead. A Connect that
// returns such an error opens and closes the connection, and has both lines.
//
// Errors and panics of the application are not described here. The protocol logs them,
// panics with their stack, to its own Options.Logger.
//
// Log does not see what the server refuses before it opens an application: bad
// handshakes, origins that are not allowed, and paths that no route matches if Log is in
// front of a router. The server counts these in its Stats and
// logs some of them. A Log behind a [Mount] does not log a path that no route there
// matches, because a route of the outer router may match it.
func Log(l *slog.Logger) protocol.Middleware {
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) { return openLogged(l, next, s) })
	}
}

// openLogged opens next and returns its result. It logs the refusal of a connection, even if
// next panics or ends its goroutine.
func openLogged(l *slog.Logger, next protocol.Application, s *protocol.Scope) (protocol.Handler, error) {
	h := &logged{
		log:    l,
		values: scopes.Values(s),
		typ:    s.Type(),
		path:   strings.Clone(logs.Cut(s.RootPath() + s.Path())), // a copy, so that the request's memory is not kept
		peer:   strings.Clone(logs.Cut(s.RemoteAddr())),
		start:  time.Now(),
	}
	refusal := statusAttrs(http.StatusInternalServerError) // if next.Open does not return
	defer func() {
		h.route = s.Route()
		if refusal != nil {
			h.logRefused(s.Context(), refusal)
		}
	}()
	inner, err := next.Open(s)
	switch {
	case err == nil && inner != nil:
		refusal, h.Handler = nil, inner
		return h, nil
	case err != nil && errors.Is(err, protocol.ErrNoRoute) && scopes.IsMounted(s):
		refusal = nil // the outer router tries its next route
	case plumbing.Accepts(err):
		refusal = closeAttrs(closeStatusOf(err))
	case err != nil:
		refusal = statusAttrs(protocol.AsRejectError(err).Status)
	}
	return inner, err
}

func statusAttrs(status int) []slog.Attr { return []slog.Attr{slog.Int("status", status)} }

func closeAttrs(st protocol.CloseStatus) []slog.Attr {
	return []slog.Attr{slog.Int("code", int(st.Code)), slog.String("reason", logs.Cut(st.Reason))}
}

// logged is a handler whose connection is logged.
type logged struct {
	protocol.Handler
	log                    *slog.Logger // nil: slog.Default()
	values                 plumbing.Values
	typ, route, path, peer string
	start                  time.Time
}

// Connect logs how the session answers the handshake. The result of the inner Connect
// does not decide that: middleware further out may still refuse.
func (h *logged) Connect(ctx context.Context, c *protocol.Conn) error {
	lasting := context.WithoutCancel(ctx) // ctx is done when Connect has returned
	c.Answered(func(refused *protocol.RejectError) {
		if refused != nil {
			h.logRefused(lasting, statusAttrs(refused.Status))
			return
		}
		h.logger().LogAttrs(h.values.Bind(lasting), slog.LevelInfo, "wye: connection opened", h.attrs()...)
	})
	return h.Handler.Connect(ctx, c)
}

// Disconnect logs the close even if the inner Disconnect panics.
func (h *logged) Disconnect(ctx context.Context, c *protocol.Conn, st protocol.CloseStatus) {
	duration := time.Since(h.start)
	defer h.logClosed(ctx, c, st, duration)
	h.Handler.Disconnect(ctx, c, st)
}

func (h *logged) logRefused(ctx context.Context, refusal []slog.Attr) {
	h.logger().LogAttrs(h.values.Bind(ctx), slog.LevelInfo, "wye: connection refused", h.attrs(refusal...)...)
}

func (h *logged) logClosed(ctx context.Context, c *protocol.Conn, st protocol.CloseStatus, duration time.Duration) {
	t := c.Traffic()
	h.logger().LogAttrs(h.values.Bind(ctx), slog.LevelInfo, "wye: connection closed", h.attrs(append(closeAttrs(st),
		slog.Bool("by_peer", st.Remote), slog.Duration("duration", duration),
		slog.Int64("messages_in", t.MessagesIn), slog.Int64("bytes_in", t.BytesIn),
		slog.Int64("messages_out", t.MessagesOut), slog.Int64("bytes_out", t.BytesOut))...)...)
}

func (h *logged) logger() *slog.Logger {
	if h.log == nil {
		return slog.Default()
	}
	return h.log
}

// attrs returns the attributes that all lines have, followed by more.
func (h *logged) attrs(more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		slog.String("protocol", h.typ), slog.String("route", h.route), slog.String("path", h.path), slog.String("peer", h.peer),
	}, more...)
}

// closeStatusOf returns the status of the CloseError that err is.
func closeStatusOf(err error) (s protocol.CloseStatus) {
	if ce, ok := errors.AsType[*protocol.CloseError](err); ok {
		s = ce.CloseStatus
	}
	return s
}
