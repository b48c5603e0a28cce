package websocket_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// Messages are compressed with peers that offer it. Messages to the peer may refer to those
// before, which makes small similar ones much smaller; what holds a secret stays as it is.
func ExampleCompression() {
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		token := consumer.Message{Data: []byte(`{"token":"s3cret","for":"ann"}`), Uncompressed: true}
		return c.Send(ctx, token)
	})
	s := websocket.New(app, &websocket.Options{
		Compression: &websocket.Compression{ServerTakeover: true},
	})
	fmt.Println(s.Stats().Compression.Conns)
	// Output: 0
}

// One line in the mux of a program that is there already.
func ExampleHandler() {
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
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

// Options bound what a peer may do, and say which pages may connect. What they
// refuse is counted.
func ExampleNew() {
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})
	s := websocket.New(app, &websocket.Options{
		Logger:  slog.New(slog.DiscardHandler),
		Origins: []string{"https://shop.example.com"}, // beside the server's own
		Limits: protocol.Limits{
			MaxMessage: 4 << 10,
			Overflow:   protocol.OverflowDropOldest,
		},
		Capacity:         websocket.Capacity{Conns: 20_000, ConnsPerAddress: 100},
		HandshakeTimeout: 5 * time.Second,
		PingInterval:     20 * time.Second,
	})

	r := httptest.NewRequest(http.MethodGet, "/live", nil)
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "https://elsewhere.example",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	fmt.Println(w.Code, s.Stats().Forbidden)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(s.Shutdown(ctx))
	// Output:
	// 403 1
	// <nil>
}

// A server that stands behind a proxy and is restarted now and then: it knows its
// clients, and has them come back in good order.
func ExampleOptions() {
	s := websocket.New(consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	}), &websocket.Options{
		Logger:         slog.New(slog.DiscardHandler),
		Hosts:          []string{"example.com"},
		Origins:        []string{"capacitor://localhost"}, // the app, beside pages of example.com
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Capacity:       websocket.Capacity{HandshakesPerSecond: 200},
		Shutdown: websocket.ShutdownOptions{
			Code:       1012,
			RetryAfter: 10 * time.Second, // each waits 10 to 20 s
		},
	})
	if err := s.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}

	r := httptest.NewRequest(http.MethodGet, "https://example.com/live", nil)
	r.RemoteAddr = "10.0.0.2:52000"
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "capacitor://localhost",
		"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Header().Get("Retry-After") >= "10", " ", w.Body)
	// Output: 503 true the server is shutting down
}
