// Package fakes has a handler made of functions, so that a test contains only the
// callbacks that it needs.
package fakes

import (
	"context"

	"github.com/wye-go/wye/protocol"
)

// Handler is a protocol.Handler made of functions, and an application that opens it for
// every connection. A nil function does nothing and returns nil: the connection is
// accepted, messages are ignored.
type Handler struct {
	OnOpen       func(s *protocol.Scope) error
	OnConnect    func(ctx context.Context, c *protocol.Conn) error
	OnReceive    func(ctx context.Context, c *protocol.Conn, m protocol.Message) error
	OnEvent      func(ctx context.Context, c *protocol.Conn, e *protocol.Event) error
	OnDisconnect func(ctx context.Context, c *protocol.Conn, s protocol.CloseStatus)
}

// Echo returns a handler that sends back what it receives.
func Echo() *Handler {
	return &Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error { return c.Send(ctx, m) }}
}

// Ends sets OnDisconnect, and returns a channel that receives the status of each closed
// connection. Its buffer has room for 100.
func (h *Handler) Ends() <-chan protocol.CloseStatus {
	ends := make(chan protocol.CloseStatus, 100)
	h.OnDisconnect = func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) { ends <- s }
	return ends
}

// Open is the application's: it calls OnOpen and returns h.
func (h *Handler) Open(s *protocol.Scope) (protocol.Handler, error) {
	if h.OnOpen != nil {
		if err := h.OnOpen(s); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Connect calls OnConnect.
func (h *Handler) Connect(ctx context.Context, c *protocol.Conn) error {
	if h.OnConnect == nil {
		return nil
	}
	return h.OnConnect(ctx, c)
}

// Receive calls OnReceive.
func (h *Handler) Receive(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	if h.OnReceive == nil {
		return nil
	}
	return h.OnReceive(ctx, c, m)
}

// Event calls OnEvent.
func (h *Handler) Event(ctx context.Context, c *protocol.Conn, e *protocol.Event) error {
	if h.OnEvent == nil {
		return nil
	}
	return h.OnEvent(ctx, c, e)
}

// Disconnect calls OnDisconnect.
func (h *Handler) Disconnect(ctx context.Context, c *protocol.Conn, s protocol.CloseStatus) {
	if h.OnDisconnect != nil {
		h.OnDisconnect(ctx, c, s)
	}
}
