package websocket_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// proxied are options of a server that trusts proxies on the loopback and in
// 10.0.0.0/8.
func proxied(c websocket.Capacity) *websocket.Options {
	o := websocket.Options{Capacity: c}
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	return &o
}

// TestTrustedProxies has Scope.RemoteAddr and the log name the client, and
// Scope.Request the proxy.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{OnOpen: func(s *protocol.Scope) error {
		_, _, direct := strings.Cut(s.Request().RemoteAddr, "127.0.0.1:")
		return protocol.NewRejectError(http.StatusTeapot, fmt.Sprintf("%s by a proxy: %v", s.RemoteAddr(), direct))
	}}
	s := serve(t, app, proxied(websocket.Capacity{}))
	for _, row := range []struct {
		at    testkit.Line
		lines []string
		want  string
	}{
		{testkit.Here(), []string{"X-Forwarded-For: 192.0.2.1, 203.0.113.7"}, "203.0.113.7:0 by a proxy: true\n"},
		{testkit.Here(), []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: [2001:db8::7]:80, 10.0.0.1"}, "[2001:db8::7]:80 by a proxy: true\n"},
		{testkit.Here(), []string{`Forwarded: for=192.0.2.1, for="[2001:db8::7]"`}, "[2001:db8::7]:0 by a proxy: true\n"},
	} {
		if a := s.peer(t).Handshake(websockettest.Request("/", row.lines...)); a.Body != row.want {
			t.Errorf("%s: got %q, want %q", row.at, a.Body, row.want)
		}
	}
	s.peer(t).Handshake(websockettest.Request("/", "Origin: https://evil.example", "X-Forwarded-For: 203.0.113.8"))
	s.wantLog(t, "refused because of its origin", "peer=203.0.113.8:0")
	direct := serve(t, app, nil)
	if a := direct.peer(t).Handshake(websockettest.Request("/", "X-Forwarded-For: 203.0.113.7")); !strings.HasPrefix(a.Body, "127.0.0.1:") {
		t.Errorf("without trusted proxies a client is believed: %q", a.Body)
	}
}

// TestTrustedProxiesBoundClients counts clients and not their proxy, and those
// whose headers are made up together.
func TestTrustedProxiesBoundClients(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		s := besiegeBehind(t, via, app, app, proxied(websocket.Capacity{ConnsPerAddress: 2}), rewriting)
		const proxy = "X-From: 10.0.0.1:4000"
		for _, client := range []string{"203.0.113.7", "203.0.113.8"} {
			s.attacker(proxy, "X-Forwarded-For: "+client)
			s.attacker(proxy, "X-Forwarded-For: 192.0.2.1, "+client+":80")
			s.turnedAway(1, 429, 5, proxy, "X-Forwarded-For: "+client)
			s.turnedAway(1, 429, 5, proxy, "X-Forwarded-For: 192.0.2.2", "X-Forwarded-For: "+client)
		}
		s.attacker(proxy, "X-Forwarded-For: 203.0.113.9", "Forwarded: for=192.0.2.3")
		s.attacker(proxy, "X-Forwarded-For: 203.0.113.9", "Forwarded: for=192.0.2.4")
		s.turnedAway(1, 429, 5, proxy, "X-Forwarded-For: 203.0.113.9", `Forwarded: for="`)
		if n := strings.Count(s.log.String(), "the client's address was not believed"); n != 1 {
			t.Errorf("%d lines about headers that are not believed, want 1:\n%s", n, s.log.String())
		}
	})
}

// TestOriginSchemeBehindProxies refuses pages that came without TLS where the
// client is known to use it.
func TestOriginSchemeBehindProxies(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), proxied(websocket.Capacity{}))
	for _, row := range []struct {
		at     testkit.Line
		lines  []string
		status int
	}{
		{testkit.Here(), []string{"Origin: http://example.com"}, 101},
		{testkit.Here(), []string{"Origin: http://example.com", "X-Forwarded-Proto: http"}, 101},
		{testkit.Here(), []string{"Origin: http://example.com", "X-Forwarded-Proto: https"}, 403},
		{testkit.Here(), []string{"Origin: http://example.com", "Forwarded: for=192.0.2.1;proto=https"}, 403},
		{testkit.Here(), []string{"Origin: https://example.com", "X-Forwarded-Proto: https"}, 101},
	} {
		if a := s.peer(t).Handshake(websockettest.Request("/", row.lines...)); a.Status != row.status {
			t.Errorf("%s: status %d %q, want %d", row.at, a.Status, a.Body, row.status)
		}
	}
	direct := newServer(fakes.Echo(), nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {websockettest.SampleKey},
		"Origin": {"http://example.com"},
	}
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	direct.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "by TLS") {
		t.Errorf("a page without TLS to a socket with TLS: %d %q, want 403", w.Code, w.Body)
	}
}

// TestHostsAreRefused answers another host with 421, counts it and logs it once in
// a while.
func TestHostsAreRefused(t *testing.T) {
	t.Parallel()
	inBubbles(t, testHostsAreRefused)
}

func testHostsAreRefused(t *testing.T, via carrier) {
	t.Helper()
	s := serveOver(t, via, fakes.Echo(), &websocket.Options{Hosts: []string{"example.org", ".example.com"}, InsecureAllowAnyOrigin: true})
	for range 3 {
		a := s.peer(t).Handshake(strings.Replace(websockettest.Request("/"), "Host: example.com", "Host: rebound.evil.example:8000", 1))
		if a.Status != http.StatusMisdirectedRequest || !strings.Contains(a.Body, "rebound.evil.example:8000") {
			t.Errorf("status %d %q, want 421", a.Status, a.Body)
		}
	}
	s.open(t).closes()
	if n := s.Stats().Misdirected; n != 3 {
		t.Errorf("%d are counted, want 3", n)
	}
	if n := strings.Count(s.log.String(), "refused because its host is not in websocket.Options.Hosts"); n != 1 {
		t.Errorf("%d lines about it, want 1:\n%s", n, s.log.String())
	}
}
