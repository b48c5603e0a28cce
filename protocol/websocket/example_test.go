package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// One line in the mux of a program that is there already.
func ExampleHandler() {
	app := consumer.Receive(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /live/{item}", websocket.Handler(app))

	// Whoever comes without a handshake is told what is spoken here.
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/live/tea", nil))
	fmt.Println(w.Code, w.Header().Get("Upgrade"), w.Body)
	// Output: 426 websocket this address speaks WebSocket
}

// Options bound what a peer may do, and say which pages may connect.
func ExampleNew() {
	app := consumer.Receive(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})
	s := websocket.New(app, &websocket.Options{
		Origins: []string{"https://shop.example.com"}, // beside the server's own
		Limits: protocol.Limits{
			MaxMessage: 4 << 10,
			Overflow:   protocol.OverflowDropNewest,
		},
		HandshakeTimeout: 5 * time.Second,
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(s.Type(), s.Stats().Open, s.Shutdown(ctx))
	// Output: websocket 0 <nil>
}
