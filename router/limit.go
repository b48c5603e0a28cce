package router

import (
	"context"

	"github.com/wye-go/wye/protocol"
)

// Limit bounds the connections behind it in its own way: fields of l that are
// not zero replace the server's (websocket.Options.Limits), and those of a Limit
// further out. MaxMessage without MaxFrame is both; protocol.OverflowClose goes
// back to the default policy, and protocol.Rate{Messages: -1} to no rate.
//
//	router.Path("upload/", router.Use(upload, router.Limit(protocol.Limits{MaxMessage: 16 << 20})))
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

type limited struct {
	protocol.Handler
	limits *protocol.Limits // all connections'
}

// Connect sets the limits before those further in do, who so have the last word.
func (l limited) Connect(ctx context.Context, c *protocol.Conn) error {
	if err := c.Limit(*l.limits); err != nil {
		return err
	}
	return l.Handler.Connect(ctx, c)
}
