package versus

import (
	"context"
	"net/http"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
)

// serveWye has nothing to tune: messages are lent to a function.
func serveWye(tb testing.TB, drop func([]byte)) http.Handler {
	tb.Helper()
	s := websocket.New(consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		if drop != nil {
			drop(m.Data)
			return nil
		}
		return c.Send(ctx, m)
	}), nil)
	tb.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return s
}
