package websocket

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// TestSuspectClientsAreCounted bounds clients that make headers up also where
// their proxy is not counted, because it is in a private network.
func TestSuspectClientsAreCounted(t *testing.T) {
	t.Parallel()
	refuse := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		return nil, protocol.Reject(http.StatusTeapot, "let in")
	})
	s := New(refuse, &Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Logger: slog.New(slog.DiscardHandler)})
	proxy := netip.MustParseAddr("10.0.0.1")
	s.mu.addresses[proxy] = s.opts.Capacity.ConnsPerAddress
	for _, row := range []struct {
		at              testkit.Line
		plain, standard string
		status          int
	}{
		{testkit.Here(), "203.0.113.7", "for=203.0.113.7", http.StatusTeapot},
		{testkit.Here(), "10.0.0.1", "for=10.0.0.1", http.StatusTeapot},
		{testkit.Here(), "203.0.113.7", "for=192.0.2.1", http.StatusTooManyRequests},
		{testkit.Here(), "203.0.113.7", `for="`, http.StatusTooManyRequests},
	} {
		r := handshaketest.Request()
		r.RemoteAddr = "10.0.0.1:4000"
		r.Header.Set("X-Forwarded-For", row.plain)
		r.Header.Set("Forwarded", row.standard)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != row.status {
			t.Errorf("%s: status %d %q, want %d", row.at, w.Code, w.Body, row.status)
		}
	}
}
