package matrix_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// serveUnix serves the rooms on a Unix socket.
func serveUnix(t *testing.T, b *bed) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "wye.sock")
	b.serveOn(listen(t, "unix", path), b.mux())
	return path
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	p := dial(t, "unix", serveUnix(t, b))
	p.SendBytes([]byte(upgrade(domain, "/live/lobby", "Origin: http://"+domain)), websockettest.Text("early").Masked())
	if a := p.ReadAnswer(); a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d %q, want 101", a.Status, a.Body)
	}
	p.WantText("early")
	p.echo(websockettest.Binary(strings.Repeat("\x00\xff", 500_000)))
	// A client's socket has no name.
	want := report{Room: "lobby", Again: "lobby", Param: "lobby", Mark: "marked", Path: "/live/lobby", Peer: "@"}
	if got := p.report(); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
	p.close(1000, "")
	if got := testkit.Await(t, b.ended, "Disconnect"); got != (protocol.CloseStatus{Code: 1000, Remote: true}) {
		t.Errorf("Disconnect has seen %+v", got)
	}
}

// TestUnixSocketOrigin is that the rule for loopback hosts is about the Host
// header, and not about where the connection comes from.
func TestUnixSocketOrigin(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	path := serveUnix(t, b)
	for _, row := range []struct {
		host, origin string
		want         int
	}{
		{"example.com", "http://example.com", http.StatusSwitchingProtocols},
		{"example.com", "https://example.com", http.StatusSwitchingProtocols},
		{"example.com", "http://evil.example", http.StatusForbidden},
		{"example.com", "http://localhost:5173", http.StatusForbidden},
		{"localhost", "http://localhost:5173", http.StatusSwitchingProtocols},
		{"localhost", "http://evil.example", http.StatusForbidden},
	} {
		a := dial(t, "unix", path).ask(upgrade(row.host, "/live/lobby", "Origin: "+row.origin))
		if a.Status != row.want {
			t.Errorf("a page from %s to %s: status %d %q, want %d", row.origin, row.host, a.Status, a.Body, row.want)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "refused because of its origin") || !strings.Contains(log, "peer=@") {
		t.Errorf("the log does not name the peer:\n%s", log)
	}
}

// TestUnixSocketCrowd is that peers without an address are not counted as one.
func TestUnixSocketCrowd(t *testing.T) {
	t.Parallel()
	b := newBed(t, &websocket.Options{Capacity: websocket.Capacity{ConnsPerAddress: 2}})
	path := serveUnix(t, b)
	for range 5 {
		p := dial(t, "unix", path)
		p.Upgrade(upgrade(domain, "/live/lobby"))
		p.echo(websockettest.Text("hello"))
	}
	if s := b.ws.Stats(); s.Crowded != 0 || s.Open != 5 {
		t.Errorf("%d are open, %d were refused; want 5 and 0", s.Open, s.Crowded)
	}
}
