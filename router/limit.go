package router

import (
	"context"

	"github.com/wye-go/wye/protocol"
)

// Limit returns middleware that sets limits for the connections behind it. Each field
// of l that is not zero replaces the limit of the server (websocket.Options.Limits) or
// of a Limit further out.
//
//	router.Path("upload/", router.Use(upload, router.Limit(protocol.Limits{MaxMessage: 16 << 20})))
//
// MaxMessage without MaxFrame sets both. A zero field changes nothing, so write
// protocol.OverflowClose to restore the default Overflow, and protocol.Rate{Messages: -1}
// to remove a Rate.
//
// The limits are set before the inner Connect runs. Middleware further out must not have
// called Conn.Accept by then: if it has, the connection fails.
func Limit(l protocol.Limits) protocol.Middleware {
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			h, err := next.Open(s)
			if err != nil || h == nil {
				return h, err
			}
			return limited{Handler: h, limits: &l}, nil
		})
	}
}

// limited is a handler whose connections have limits of their own.
type limited struct {
	protocol.Handler
	limits *protocol.Limits // shared by all connections, read-only
}

// Connect sets the limits first, so that a Limit further in can replace them.
func (l limited) Connect(ctx context.Context, c *protocol.Conn) error {
	if err := c.Limit(*l.limits); err != nil {
		return err
	}
	return l.Handler.Connect(ctx, c)
}
