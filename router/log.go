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

// Log writes a line to l when a connection behind it opens, and one when it
// ends, or one when it is refused; nil is slog.Default(). All have the protocol,
// the route (see protocol.Scope.Route), the path (decoded, without what a
// http.StripPrefix has taken, and no more than 200 bytes of it) and the peer's
// address. The end has code, reason and duration (from the handshake to
// the end), and the messages and bytes both ways (see protocol.Traffic); a
// refusal has the status, or the code and reason if it came from an Open that
// returned one of protocol.CloseError.AcceptFirst (of a Connect that is an end). The query,
// where tokens live, is not logged.
//
// All lines are of level Info, also that of a connection which fails: the fault
// itself, with its stack, is a line of the protocol's Options.Logger.
//
// What the server refuses without asking the application is in its Stats, and some of
// it, such as unknown paths, in its own log, but not here: bad handshakes, other origins, and, of routers that it can ask,
// unknown paths. A router behind another one's Mount may have no route although
// the other has: that it has none is logged only in front of both.
func Log(l *slog.Logger) protocol.Middleware {
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) { return observe(l, next, s) })
	}
}

// observe opens next. What it returns and how it fails goes through as it is.
func observe(l *slog.Logger, next protocol.Application, s *protocol.Scope) (protocol.Handler, error) {
	o := &observed{
		log:    l,
		values: scopes.Values(s),
		typ:    s.Type(),
		path:   strings.Clone(logs.Cut(s.RootPath() + s.Path())), // without the rest of the request
		peer:   strings.Clone(logs.Cut(s.RemoteAddr())),
		began:  time.Now(),
	}
	why := statusOf(http.StatusInternalServerError) // unless it returns: it panics, or ends the goroutine
	defer func() {
		o.route = s.Route()
		if why != nil {
			o.refused(s.Context(), why)
		}
	}()
	h, err := next.Open(s)
	switch {
	case err == nil && h != nil:
		why, o.Handler = nil, h
		return o, nil
	case err != nil && errors.Is(err, protocol.ErrNoRoute) && scopes.IsMounted(s):
		why = nil // a router in front may know better
	case protocol.Accepts(err):
		why = endOf(protocol.CloseStatusOf(err))
	case err != nil:
		why = statusOf(protocol.AsRejectError(err).Status)
	}
	return h, err
}

func statusOf(answer int) []slog.Attr { return []slog.Attr{slog.Int("status", answer)} }

func endOf(st protocol.CloseStatus) []slog.Attr {
	return []slog.Attr{slog.Int("code", int(st.Code)), slog.String("reason", logs.Cut(st.Reason))}
}

// observed is a handler whose connections are logged.
type observed struct {
	protocol.Handler
	log                    *slog.Logger // nil: the default one
	values                 plumbing.Values
	typ, route, path, peer string
	began                  time.Time
}

// Connect has the session tell how the connection is answered: the inner Connect
// is not the last to decide.
func (o *observed) Connect(ctx context.Context, c *protocol.Conn) error {
	kept := context.WithoutCancel(ctx) // it ends when Connect has returned
	c.Answered(func(no *protocol.RejectError) {
		if no != nil {
			o.refused(kept, statusOf(no.Status))
			return
		}
		o.logger().LogAttrs(o.values.Bind(kept), slog.LevelInfo, "wye: connection opened", o.attrs()...)
	})
	return o.Handler.Connect(ctx, c)
}

// Disconnect logs the end however the inner Disconnect returns.
func (o *observed) Disconnect(ctx context.Context, c *protocol.Conn, st protocol.CloseStatus) {
	lasted := time.Since(o.began)
	defer o.ended(ctx, c, st, lasted)
	o.Handler.Disconnect(ctx, c, st)
}

func (o *observed) refused(ctx context.Context, why []slog.Attr) {
	o.logger().LogAttrs(o.values.Bind(ctx), slog.LevelInfo, "wye: connection refused", o.attrs(why...)...)
}

func (o *observed) ended(ctx context.Context, c *protocol.Conn, st protocol.CloseStatus, lasted time.Duration) {
	t := c.Traffic()
	o.logger().LogAttrs(o.values.Bind(ctx), slog.LevelInfo, "wye: connection closed", o.attrs(append(endOf(st),
		slog.Bool("by_peer", st.Remote), slog.Duration("duration", lasted),
		slog.Int64("messages_in", t.MessagesIn), slog.Int64("bytes_in", t.BytesIn),
		slog.Int64("messages_out", t.MessagesOut), slog.Int64("bytes_out", t.BytesOut))...)...)
}

func (o *observed) logger() *slog.Logger {
	if o.log == nil {
		return slog.Default()
	}
	return o.log
}

// attrs are what all lines have, and more.
func (o *observed) attrs(more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		slog.String("protocol", o.typ), slog.String("route", o.route), slog.String("path", o.path), slog.String("peer", o.peer),
	}, more...)
}
