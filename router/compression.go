package router

import (
	"context"

	"github.com/wye-go/wye/protocol"
)

// Compression returns middleware that says what the application behind it wants of the
// compression of its connections, if the server compresses (websocket.Options.Compression):
// nothing compressed, or no context takeover.
//
//	router.Path("account/", router.Use(account, router.Compression(protocol.CompressionOff)))
//
// The innermost one wins. See protocol.Message.Uncompressed for single messages, and for
// when compression endangers secrets.
func Compression(c protocol.Compression) protocol.Middleware {
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			h, err := next.Open(s)
			if err != nil || h == nil {
				return h, err
			}
			return compressed{Handler: h, compression: c}, nil
		})
	}
}

// compressed is a handler that says what it wants of compression.
type compressed struct {
	protocol.Handler
	compression protocol.Compression
}

// Connect says it first, so that the inner Connect can say something else.
func (d compressed) Connect(ctx context.Context, c *protocol.Conn) error {
	c.SetCompression(d.compression)
	return d.Handler.Connect(ctx, c)
}
