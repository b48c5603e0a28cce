package matrix_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// upstream is where the documented configurations expect the program.
const upstream = "127.0.0.1:8000"

// front is a proxy that runs.
type front struct {
	addr  string // of TLS
	trust *x509.CertPool
	child *child
}

// host is what browsers send as Host.
func (f *front) host() string { return domain + ":" + portOf(f.addr) }

func (f *front) dial(tb testing.TB) *peer {
	tb.Helper()
	return dialTLS(tb, f.addr, f.trust, "http/1.1")
}

// elsewhere is an address of this machine that the tests do not use by
// themselves.
const elsewhere = "127.0.0.2"

// dialFrom connects from an address of this machine.
func (f *front) dialFrom(tb testing.TB, local string) *peer {
	tb.Helper()
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}},
		Config:    &tls.Config{RootCAs: f.trust, ServerName: domain, MinVersion: tls.VersionTLS12},
	}
	nc, err := d.DialContext(tb.Context(), "tcp", f.addr)
	if err != nil {
		tb.Fatal(err)
	}
	return newPeer(tb, nc)
}

// open opens a connection as a page of the site does.
func (f *front) open(tb testing.TB) *peer {
	tb.Helper()
	p := f.dial(tb)
	p.Upgrade(upgrade(f.host(), "/live/lobby", "Origin: https://"+f.host()))
	return p
}

// proxyRow is a reverse proxy, and how it is started before a server at an
// address, with changes to the documented configuration.
type proxyRow struct {
	name  string
	start func(tb testing.TB, server net.Addr, changes ...string) *front
	// early says that it passes on what a client says before it has the answer,
	// which RFC 6455 section 4.1 forbids clients.
	early bool
}

func proxies() []proxyRow { return []proxyRow{{"nginx", nginx, true}, {"caddy", caddy, false}} }

// nginx runs the documented configuration. What is around it is what Debian's
// nginx.conf is, for a process without rights.
func nginx(tb testing.TB, server net.Addr, changes ...string) *front {
	tb.Helper()
	path, dir, addr := program(tb, "nginx"), commonDir(tb), freeAddr(tb)
	certFile, keyFile, trust := certificate(tb, dir)
	at := server.String()
	if server.Network() == "unix" {
		at = "unix:" + at
	}
	config := replace(tb, blocks(tb, "nginx")[0], append([]string{
		"listen 443 ssl", "listen " + addr + " ssl", "server " + upstream, "server " + at,
		"/etc/ssl/certs/example.com.pem", certFile, "/etc/ssl/private/example.com.key", keyFile,
	}, changes...)...)
	write(tb, filepath.Join(dir, "nginx.conf"), strings.ReplaceAll(`
		daemon off; master_process off; pid DIR/pid; error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
			uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	`, "DIR", dir)+config+"}\n")
	c := start(tb, dir, path, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	f := &front{addr: addr, trust: trust, child: c}
	until(tb, f.ready, c.over)
	return f
}

// around stands before the documented Caddyfile.
const around = `{
	admin off
	local_certs
	skip_install_trust
	default_bind 127.0.0.1
	http_port HTTP
	https_port HTTPS
	servers {
		protocols h1 h2
	}
}

`

// caddy runs the documented configuration with a certificate authority of its
// own, on other ports.
func caddy(tb testing.TB, server net.Addr, changes ...string) *front {
	tb.Helper()
	path, dir, addr := program(tb, "caddy"), commonDir(tb), freeAddr(tb)
	at := server.String()
	if server.Network() == "unix" {
		at = "unix/" + at
	}
	config := replace(tb, blocks(tb, "caddyfile")[0], append([]string{upstream, at}, changes...)...)
	write(tb, filepath.Join(dir, "Caddyfile"), strings.NewReplacer("HTTPS", portOf(addr), "HTTP", portOf(freeAddr(tb))).Replace(around)+config)
	c := start(tb, dir, path, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	f := &front{addr: addr, trust: x509.NewCertPool(), child: c}
	until(tb, f.ready, c.over)
	root, err := os.ReadFile(filepath.Join(dir, "caddy", "pki", "authorities", "local", "root.crt"))
	if err != nil {
		tb.Fatal(err)
	}
	f.trust.AppendCertsFromPEM(root)
	return f
}

// ready reports whether TLS can be spoken; Caddy has no certificate at first.
func (f *front) ready() bool {
	d := &net.Dialer{Timeout: patience}
	nc, err := tls.DialWithDialer(d, "tcp", f.addr, &tls.Config{ServerName: domain, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err == nil {
		nc.Close()
	}
	return err == nil
}

// backend serves the rooms, over TCP or a Unix socket, as the document says.
func backend(tb testing.TB, network string, o *websocket.Options) (*bed, net.Addr) {
	tb.Helper()
	var opts websocket.Options
	if o != nil {
		opts = *o
	}
	b := newBed(tb, behindProxy(&opts))
	if network == "tcp" {
		l := listen(tb, "tcp", "127.0.0.1:0")
		b.serveOn(l, b.mux())
		return b, l.Addr()
	}
	path := filepath.Join(commonDir(tb), "wye.sock")
	l, err := listenUnix(path)
	if err != nil {
		tb.Fatal(err)
	}
	giveToNobody(tb, path)
	b.serveOn(l, b.mux())
	return b, l.Addr()
}

// TestProxy is the documented configurations as they stand there.
func TestProxy(t *testing.T) {
	t.Parallel()
	for _, row := range proxies() {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(row.name+" "+network, func(t *testing.T) {
				t.Parallel()
				b, server := backend(t, network, nil)
				s := &site{b, row.start(t, server)}
				t.Run("origins", s.origins)
				t.Run("talk", s.talk)
				if row.early {
					t.Run("early bytes", s.earlyBytes)
				}
				t.Run("server closes", s.serverCloses)
				t.Run("refused", s.refused)
				t.Run("plain", s.plain)
				t.Run("client's address", s.address)
				t.Run("shutdown", s.shutdown)
			})
		}
	}
}

// site is a program behind a proxy.
type site struct {
	bed   *bed
	front *front
}

func (s *site) wantDisconnect(t *testing.T, want protocol.CloseStatus) {
	t.Helper()
	if got := testkit.Await(t, s.bed.ended, "Disconnect"); got.Code != want.Code || got.Reason != want.Reason || got.Remote != want.Remote {
		t.Errorf("Disconnect has seen %+v, want %+v", got, want)
	}
}

// origins is the origin check, which needs the Host that the browser has sent.
func (s *site) origins(t *testing.T) {
	p := s.front.open(t)
	p.close(1000, "")
	s.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
	for _, origin := range []string{
		"https://evil.example", "https://" + domain, "http://localhost:5173", "null",
		"http://" + s.front.host(), // it came without TLS, and the proxy says that the socket has it
	} {
		a := s.front.dial(t).ask(upgrade(s.front.host(), "/live/lobby", "Origin: "+origin))
		if a.Status != http.StatusForbidden {
			t.Errorf("a page from %s: status %d %q, want 403", origin, a.Status, a.Body)
		}
	}
}

func (s *site) talk(t *testing.T) {
	p := s.front.open(t)
	for range 20 { // none is held back until there is more to pass on
		p.echo(websockettest.Text("a"))
	}
	p.echo(websockettest.Binary(strings.Repeat("0123456789abcdef", protocol.Limits{}.WithDefaults().MaxMessage/16)))
	p.Send(websockettest.Ping("still there?"))
	p.Want(websockettest.Pong("still there?"))
	p.close(4000, "bye")
	s.wantDisconnect(t, protocol.CloseStatus{Code: 4000, Reason: "bye", Remote: true})
}

func (s *site) earlyBytes(t *testing.T) {
	p := s.front.dial(t)
	p.SendBytes([]byte(upgrade(s.front.host(), "/live/lobby")), websockettest.Text("early").Masked(), websockettest.Binary("birds").Masked())
	if a := p.ReadAnswer(); a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d %q, want 101", a.Status, a.Body)
	}
	p.WantText("early")
	p.Want(websockettest.Binary("birds"))
	p.close(1000, "")
	s.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
}

func (s *site) serverCloses(t *testing.T) {
	p := s.front.open(t)
	p.SendText("leave")
	p.wantClosed(4321, "as you wish")
	s.wantDisconnect(t, protocol.CloseStatus{Code: 4321, Reason: "as you wish"})
}

func (s *site) refused(t *testing.T) {
	a := s.front.dial(t).ask(upgrade(s.front.host(), "/live/full"))
	if a.Status != http.StatusForbidden || a.Header.Get("X-Why") != "full" || a.Body != full+"\n" {
		t.Errorf("status %d, headers %v, body %.100q; want 403, X-Why: full, and %.100q", a.Status, a.Header, a.Body, full+"\n")
	}
}

func (s *site) plain(t *testing.T) {
	if a := s.front.dial(t).ask(get(s.front.host(), "/both/lobby")); a.Status != http.StatusOK || a.Body != "a page" {
		t.Errorf("the page: status %d %q", a.Status, a.Body)
	}
	if a := s.front.dial(t).ask(get(s.front.host(), "/live/lobby")); a.Status != http.StatusUpgradeRequired {
		t.Errorf("a GET of the socket: status %d %q, want 426", a.Status, a.Body)
	}
}

// address comes from another address than everybody else, and says it were a
// third one.
func (s *site) address(t *testing.T) {
	p := s.front.dialFrom(t, elsewhere)
	p.Upgrade(upgrade(s.front.host(), "/live/lobby", "X-Forwarded-For: 192.0.2.1"))
	if got, want := p.report().Peer, elsewhere+":0"; got != want {
		t.Errorf("the server takes the client for %s, want %s", got, want)
	}
	p.close(1000, "")
	s.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
}

// TestProxyAdds is nginx that adds to the X-Forwarded-For it was sent, and that
// passes a client's Forwarded on.
func TestProxyAdds(t *testing.T) {
	t.Parallel()
	b, server := backend(t, "tcp", nil)
	f := nginx(t, server, "X-Forwarded-For $remote_addr;", "X-Forwarded-For $proxy_add_x_forwarded_for;", `proxy_set_header Forwarded "";`, "")
	for _, row := range []struct {
		lines []string
		want  string
	}{
		{[]string{"X-Forwarded-For: 192.0.2.1"}, elsewhere + ":0"},
		{[]string{"X-Forwarded-For: 192.0.2.1, 127.0.0.1", "X-Forwarded-For: unknown"}, elsewhere + ":0"},
		{[]string{"Forwarded: for=" + elsewhere}, elsewhere + ":0"},
		{[]string{"Forwarded: for=192.0.2.1"}, "127.0.0.1"}, // the proxy's
		{[]string{`Forwarded: for="`}, "127.0.0.1"},
	} {
		p := f.dialFrom(t, elsewhere)
		p.Upgrade(upgrade(f.host(), "/live/lobby", row.lines...))
		if got := p.report().Peer; !strings.HasPrefix(got, row.want) {
			t.Errorf("with %q the server takes the client for %s, want %s", row.lines, got, row.want)
		}
		p.close(1000, "")
	}
	if !strings.Contains(b.log.String(), "the client's address was not believed") {
		t.Errorf("the log does not say what is wrong:\n%s", b.log)
	}
}

// shutdown is the last of the site.
func (s *site) shutdown(t *testing.T) {
	p := s.front.open(t)
	over := make(chan struct{})
	go func() { defer close(over); s.bed.shutdown() }()
	p.wantClosed(1001, "the server is shutting down")
	testkit.Await(t, over, "the end of the shutdown")
	s.wantDisconnect(t, protocol.CloseStatus{Code: 1001, Reason: "the server is shutting down"})
}

// impatient are nginx's timeouts, made short.
func impatient() []string { return []string{"_timeout 60s", "_timeout 2s"} }

// TestProxyIdle is the proxies' patience with connections on which nothing
// passes, and what the server's pings do about it.
func TestProxyIdle(t *testing.T) {
	t.Parallel()
	const interval = 500 * time.Millisecond
	t.Run("nginx with pings", func(t *testing.T) {
		t.Parallel()
		_, server := backend(t, "tcp", &websocket.Options{PingInterval: interval})
		p := nginx(t, server, impatient()...).open(t)
		p.AnswerPings = false
		for start := time.Now(); time.Since(start) < 5*time.Second; {
			p.Send(websockettest.Pong(wantPing(t, p)))
		}
		p.echo(websockettest.Text("still here"))
		p.close(1000, "")
	})
	t.Run("nginx without pings", func(t *testing.T) {
		t.Parallel()
		b, server := backend(t, "tcp", &websocket.Options{PingInterval: -1})
		p := nginx(t, server, impatient()...).open(t)
		began := time.Now()
		p.wantCut()
		if took := time.Since(began); took < time.Second {
			t.Errorf("cut after %v, want 2s", took)
		}
		if got := testkit.Await(t, b.ended, "Disconnect"); got.Code != protocol.CloseAbnormal {
			t.Errorf("Disconnect has seen %+v, want 1006", got)
		}
	})
	t.Run("nginx, and a client that does not answer pings", func(t *testing.T) {
		t.Parallel()
		b, server := backend(t, "tcp", &websocket.Options{PingInterval: interval, PongTimeout: interval})
		p := nginx(t, server, impatient()...).open(t)
		p.AnswerPings = false
		wantPing(t, p)
		if got := testkit.Await(t, b.ended, "Disconnect"); !errors.Is(got.Err, websocket.ErrPongTimeout) {
			t.Errorf("Disconnect has seen %+v, want ErrPongTimeout", got)
		}
		p.wantCut()
	})
	t.Run("caddy without pings", func(t *testing.T) {
		t.Parallel()
		_, server := backend(t, "tcp", &websocket.Options{PingInterval: -1})
		p := caddy(t, server).open(t)
		<-time.After(4 * time.Second)
		p.echo(websockettest.Text("still here"))
		p.close(1000, "")
	})
}

// wantPing waits for a ping and returns its payload.
func wantPing(t *testing.T, p *peer) string {
	t.Helper()
	f := p.Next()
	if f.First != websockettest.FIN|websockettest.OpPing {
		t.Fatalf("got %v, want a ping", f)
	}
	return f.Payload
}

// TestProxyCrowd is that clients behind one proxy are told apart by address, as
// the document says, and not taken for one.
func TestProxyCrowd(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			_, server := backend(t, network, &websocket.Options{Capacity: websocket.Capacity{ConnsPerAddress: 2}})
			f := nginx(t, server)
			f.open(t)
			f.open(t)
			if a := f.dial(t).ask(upgrade(f.host(), "/live/lobby")); a.Status != http.StatusTooManyRequests {
				t.Errorf("the third of an address: status %d %q, want 429", a.Status, a.Body)
			}
			p := f.dialFrom(t, elsewhere)
			p.Upgrade(upgrade(f.host(), "/live/lobby"))
			p.echo(websockettest.Text("hello"))
		})
	}
}

// TestBareProxyPass is nginx without what the document says about WebSocket.
func TestBareProxyPass(t *testing.T) {
	t.Parallel()
	_, server := backend(t, "tcp", nil)
	f := nginx(t, server,
		"proxy_http_version 1.1;", "", "proxy_set_header Upgrade $http_upgrade;", "", "proxy_set_header Connection $connection_upgrade;", "")
	a := f.dial(t).ask(upgrade(f.host(), "/live/lobby"))
	for _, want := range []string{"WebSocket over HTTP/1.0 is not served here; use HTTP/1.1", "proxy"} {
		if a.Status != http.StatusNotImplemented || !strings.Contains(a.Body, want) {
			t.Errorf("status %d %q, want 501 with %q", a.Status, a.Body, want)
		}
	}
}

// TestProxyWithoutUpgrade is nginx with HTTP/1.1 and without the two headers.
func TestProxyWithoutUpgrade(t *testing.T) {
	t.Parallel()
	_, server := backend(t, "tcp", nil)
	f := nginx(t, server, "proxy_set_header Upgrade $http_upgrade;", "", "proxy_set_header Connection $connection_upgrade;", "")
	a := f.dial(t).ask(upgrade(f.host(), "/live/lobby"))
	for _, want := range []string{"this address speaks WebSocket", "proxy"} { // there is a key, but no Upgrade
		if a.Status != http.StatusUpgradeRequired || !strings.Contains(a.Body, want) {
			t.Errorf("status %d %q, want 426 with %q", a.Status, a.Body, want)
		}
	}
}

// TestProxyWithoutHost is nginx that does not pass Host on, or without its port:
// the refusal names the cause.
func TestProxyWithoutHost(t *testing.T) {
	t.Parallel()
	for change, seen := range map[string]string{"": "wye", "proxy_set_header Host $host;": domain} {
		b, server := backend(t, "tcp", nil)
		f := nginx(t, server, "proxy_set_header Host $http_host;", change)
		a := f.dial(t).ask(upgrade(f.host(), "/live/lobby", "Origin: https://"+f.host()))
		for _, want := range []string{`"https://` + f.host() + `"`, `"` + seen + `"`, "a proxy in front does not pass the Host header on"} {
			if a.Status != http.StatusForbidden || !strings.Contains(a.Body, want) {
				t.Errorf("Host as %q: status %d %q, want 403 with %q", change, a.Status, a.Body, want)
			}
		}
		if !strings.Contains(b.log.String(), "refused because of its origin") {
			t.Errorf("the log does not say it:\n%s", b.log)
		}
	}
}

// TestProxyStops is the end of the proxy itself.
func TestProxyStops(t *testing.T) {
	t.Parallel()
	stop := func(t *testing.T, row proxyRow) (p *peer, ended protocol.CloseStatus) {
		t.Helper()
		b, server := backend(t, "tcp", nil)
		f := row.start(t, server)
		p = f.open(t)
		if err := f.child.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		return p, testkit.Await(t, b.ended, "Disconnect")
	}
	t.Run("nginx", func(t *testing.T) {
		t.Parallel()
		p, ended := stop(t, proxies()[0])
		p.wantCut()
		if ended.Code != protocol.CloseAbnormal {
			t.Errorf("Disconnect has seen %+v, want 1006", ended)
		}
	})
	t.Run("caddy", func(t *testing.T) {
		t.Parallel()
		p, ended := stop(t, proxies()[1])
		// 2.6 does not mask what it says to us: our complaint may be at the peer before
		// what it says there. And it may exit before it has said anything to one of us.
		got, err := p.Read()
		complaint := websockettest.Close(1002, "frames from client to server must be masked")
		if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && got != websockettest.Close(1001, "") && got != complaint {
			t.Errorf("the peer got %v and %v, want 1001, our 1002 or the end of the connection", got, err)
		}
		if !slices.Contains([]protocol.CloseCode{protocol.CloseGoingAway, protocol.CloseProtocolError, protocol.CloseAbnormal}, ended.Code) {
			t.Errorf("Disconnect has seen %+v, want 1001, 1002 or 1006", ended)
		}
	})
}
