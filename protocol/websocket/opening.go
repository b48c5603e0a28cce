package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
)

// opening is a handshake that is not answered yet: the engine.Handshake of its connection.
type opening struct {
	engine.Opening
	server      *Server
	w           http.ResponseWriter
	r           *http.Request
	limit       *lazyctx.Context // the scope's, which ends with the handshake
	conn        *protocol.Conn   // once it has entered the gate
	session     *protocol.Session
	subprotocol string      // chosen by Options, for an application that chooses none
	name        engine.Name // for log lines
	acceptKey   handshake.Key
}

// Accept takes the socket over from net/http.
func (h *opening) Accept(o protocol.AcceptOptions) (a engine.Accepted, err error) {
	if err := handshake.CheckHeader(o.Header); err != nil {
		return a, err //nolint:wrapcheck // it says what is wrong
	}
	a.Answer = h.answer(&o, &a)
	if err := h.hijack(&a); err != nil {
		if a.Deflate.ClientTakeover {
			h.server.engine.RefundWindow(a.Deflate.ClientBits)
		}
		return engine.Accepted{}, fmt.Errorf("wye: the connection cannot be taken over from net/http; "+
			"a middleware in front wraps the ResponseWriter without an Unwrap method, or this is not HTTP/1.1: %w", err)
	}
	h.answered()
	return a, nil
}

// Reject refuses the handshake. It counts timeouts and logs missing routes, which the
// session does not.
func (h *opening) Reject(e *protocol.RejectError) {
	if e.Status == http.StatusServiceUnavailable && errors.Is(e.Err, context.DeadlineExceeded) {
		h.server.stats.late.Add(1)
	}
	if errors.Is(e.Err, protocol.ErrNoRoute) && !errors.Is(e.Err, protocol.ErrInvalidName) { // the session logs those
		h.logNoRoute(e)
	}
	h.refuse(e)
}

// logNoRoute logs a path without a route, which is mostly misspelled in a program, with the
// router's error. Refusals after too many branches are limited separately, so that many
// misspelled paths do not hide them.
func (h *opening) logNoRoute(e *protocol.RejectError) {
	subject := "route"
	if errors.Is(e.Err, plumbing.ErrBranches) {
		subject = "branches"
	}
	h.server.warnings.Log(h.server.opts.Logger, slog.LevelWarn, subject, "wye: no route for the path; Stats counts them", func() []any {
		return []any{"path", logs.Cut(h.name.Path()), "why", logs.Cut(e.Err.Error()), "peer", h.name.Peer()}
	})
}

// answer returns the response that accepts; the caller releases it. It negotiates the
// extensions of accepted. It must be called before hijack: afterwards the headers of
// middleware cannot be read.
func (h *opening) answer(o *protocol.AcceptOptions, accepted *engine.Accepted) *bytespool.Buffer {
	b := bytespool.Get()
	a := handshake.Answer{Key: &h.acceptKey, Subprotocol: o.Subprotocol, Middleware: h.w.Header(), Application: o.Header}
	accepted.Deflate, a.Extensions = h.negotiate()
	if a.Subprotocol == "" {
		a.Subprotocol = h.subprotocol
	}
	b.B = a.Append(b.B)
	return b
}

// hijack takes the connection over from net/http, with the bytes that the peer has sent
// behind its request. It returns a panic as an error: some middleware panics if the writer
// behind its own cannot be taken over.
func (h *opening) hijack(a *engine.Accepted) (err error) {
	defer recoverHijack(&err)
	direct, ok := h.w.(http.Hijacker)
	if !ok {
		direct = http.NewResponseController(h.w)
	}
	nc, rw, err := direct.Hijack()
	if err != nil {
		return err //nolint:wrapcheck // Accept does
	}
	a.Socket = nc
	if n := rw.Reader.Buffered(); n > 0 {
		a.Early = make([]byte, n)
		_, _ = io.ReadFull(rw.Reader, a.Early) //nolint:errcheck // it is in memory
	}
	return nil
}

func recoverHijack(err *error) { //nolint:gocritic // it is the result of hijack
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v", v)
	}
}

// refuse answers the handshake with e, and has net/http close the connection: what a
// peer has sent behind a request that is not a valid handshake may be meant as frames.
func (h *opening) refuse(e *protocol.RejectError) {
	h.w.Header().Set("Connection", "close")
	e.ServeHTTP(h.w, h.r)
}
