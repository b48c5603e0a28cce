package websocket_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// TestPassUnrouted has handshakes with and without a route, in front of a plain handler.
func TestPassUnrouted(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(
		router.Path("ws/moved/", consumer.ReceiveFunc(func(context.Context, *consumer.Conn, consumer.Message) error { return nil })),
		router.Mount("ws/refuse/", router.NewURLRouter()),
	)
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, r.URL.Path)
	})
	const foreign = "https://elsewhere.example"
	for _, row := range []struct {
		at           testkit.Line
		pass         bool
		path, origin string
		want         int
	}{
		{testkit.Here(), true, "/ws/moved/", "", http.StatusSwitchingProtocols},
		{testkit.Here(), true, "/ws/moved/", foreign, http.StatusForbidden},
		{testkit.Here(), true, "/ws/stays/", "", http.StatusTeapot},
		{testkit.Here(), true, "/ws/stays/", foreign, http.StatusTeapot}, // the other program checks it
		{testkit.Here(), true, "/ws/moved", "", http.StatusTeapot},
		{testkit.Here(), true, "/ws/refuse/x", "", http.StatusTeapot},
		{testkit.Here(), false, "/ws/stays/", "", http.StatusNotFound},
		{testkit.Here(), false, "/ws/moved/", "", http.StatusSwitchingProtocols},
	} {
		s := websocket.New(urls, &websocket.Options{PassUnrouted: row.pass})
		server := httptest.NewServer(router.New(plain, s))
		if got := handshakeStatus(t, server.URL+row.path, row.origin); got != row.want {
			t.Errorf("%s: status %d, want %d", row.at, got, row.want)
		}
		server.CloseClientConnections()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("%s: %v", row.at, err)
		}
		server.Close()
	}
}

// handshakeStatus returns the status of the answer to a handshake.
func handshakeStatus(t *testing.T, url, origin string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	return answer.StatusCode
}
