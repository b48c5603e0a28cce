package router

import (
	"context"

	"github.com/wye-go/wye/protocol"
)

// Blocking is middleware for applications whose callbacks may block: that wait for a
// database, another service, a file or a lock, or compute for more than a millisecond.
//
//	router.Path("search/", router.Use(consumer.New(NewSearch), router.Blocking))
//
// Callbacks may block without it. But a server may run the callbacks of many connections on
// one goroutine, an event loop. It then takes the server about a millisecond to notice that
// a callback blocks, and in that time the other connections of the loop wait. Behind
// Blocking, no connection waits for the callbacks of another one, not even the first time.
// The price is a copy of each message and a change of goroutine.
//
// Without Blocking and [Inline], the server learns which routes block. consumer.Func
// declares by itself that it blocks. The innermost declaration wins. A server that has a
// goroutine for each connection has no use for it. Package websocket documents what it
// does.
func Blocking(app protocol.Application) protocol.Application {
	return declare(app, protocol.BlockingYes)
}

// Inline is middleware for applications whose callbacks never block: Receive and the
// handlers of events compute for well under a millisecond, send, and return.
//
//	router.Path("echo/", router.Use(consumer.ReceiveFunc(echo), router.Inline))
//
// It promises the server that it may always run these callbacks on the goroutine that
// serves many connections, which is the fastest way, and need not learn whether they block.
// If one blocks all the same, the program stays correct, but the other connections of that
// goroutine wait each time until the server notices. See [Blocking]; the innermost
// declaration wins.
func Inline(app protocol.Application) protocol.Application {
	return declare(app, protocol.BlockingNo)
}

// declare returns middleware that declares b.
func declare(app protocol.Application, b protocol.Blocking) protocol.Application {
	return protocol.Wrap(app, func(s *protocol.Scope) (protocol.Handler, error) {
		h, err := app.Open(s)
		if err != nil || h == nil {
			return h, err
		}
		return declared{Handler: h, blocking: b}, nil
	})
}

// declared is a handler that declares whether its callbacks block.
type declared struct {
	protocol.Handler
	blocking protocol.Blocking
}

// Connect declares it first, so that the inner Connect can declare something else.
func (d declared) Connect(ctx context.Context, c *protocol.Conn) error {
	c.SetBlocking(d.blocking)
	return d.Handler.Connect(ctx, c)
}
