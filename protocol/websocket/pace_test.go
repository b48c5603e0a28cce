package websocket_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// TestKeyedMessagesToADeafPeer sends messages with a key to a peer that reads nothing,
// until they are conflated, so that the writer waits for the kernel: it is cut as
// everybody else is, or closed when we want it.
func TestKeyedMessagesToADeafPeer(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		secure, closes bool
		code           protocol.CloseCode
		stats          func(s websocket.Stats) int64
	}{
		"TCP, cut":    {false, false, 1006, func(s websocket.Stats) int64 { return s.WriteTimeouts }},
		"TLS, cut":    {true, false, 1006, func(s websocket.Stats) int64 { return s.WriteTimeouts }},
		"TCP, closed": {false, true, 4000, func(s websocket.Stats) int64 { return s.CloseTimeouts }},
		"TLS, closed": {true, true, 4000, func(s websocket.Stats) int64 { return s.CloseTimeouts }},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, opened := conns()
			ends := app.Ends()
			timeout := patience // no busy machine may cut the peer before it is closed
			if !row.closes {    // sends until it is cut
				timeout = time.Duration(testkit.Count(1000, 250)) * time.Millisecond
			}
			s := newServer(app, &websocket.Options{WriteTimeout: timeout, CloseTimeout: time.Second, PingInterval: -1})
			start := s.listenTLS
			if !row.secure {
				start = func(t *testing.T) { t.Helper(); s.listen(t, s.Server) }
			}
			start(t)
			s.open(t)
			c := <-opened
			m := protocol.Message{Data: []byte(strings.Repeat("m", 4*kib)), Key: "key"}
			for s.Stats().MessagesConflated < 1000 || !row.closes {
				if err := c.Send(t.Context(), m); err != nil {
					if row.closes || !errors.Is(err, protocol.ErrClosed) {
						t.Error(err)
					}
					break
				}
				runtime.Gosched() // to the writer
			}
			if row.closes {
				c.Close(4000, "enough")
			}
			if end := <-ends; end.Code != row.code {
				t.Errorf("ended with %+v, want %d", end, row.code)
			}
			s.wantEmpty(t)
			if n := row.stats(s.Stats()); n != 1 {
				t.Errorf("%d are counted, want 1: %+v", n, s.Stats())
			}
		})
	}
}

// listenTLS is listen with encryption.
func (s *server) listenTLS(t *testing.T) {
	t.Helper()
	ts := httptest.NewUnstartedServer(s.Server)
	ts.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ts.StartTLS()
	t.Cleanup(func() {
		s.wantEmpty(t)
		ts.Close()
	})
	s.dial = func() net.Conn {
		nc, err := new(net.Dialer).DialContext(t.Context(), "tcp", ts.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
}
