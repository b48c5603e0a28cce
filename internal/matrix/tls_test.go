package matrix_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

const domain = "example.com"

// certificate is a self-signed one for domain, in files, and who trusts it.
func certificate(tb testing.TB, dir string) (certFile, keyFile string, trust *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: domain}, DNSNames: []string{domain},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	write(tb, certFile, string(chain))
	write(tb, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	trust = x509.NewCertPool()
	trust.AppendCertsFromPEM(chain)
	return certFile, keyFile, trust
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// dialTLS connects as a browser does for wss, or with the protocols that are
// given.
func dialTLS(tb testing.TB, addr string, trust *x509.CertPool, protocols ...string) *peer {
	tb.Helper()
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: patience},
		Config:    &tls.Config{RootCAs: trust, ServerName: domain, NextProtos: protocols, MinVersion: tls.VersionTLS12},
	}
	nc, err := d.DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatalf("dialing %s: %v", addr, err)
	}
	return newPeer(tb, nc)
}

// serveTLS serves h as http.Server.ListenAndServeTLS does, HTTP/2
// included.
func serveTLS(t *testing.T, b *bed, h http.Handler) (addr string, trust *x509.CertPool) {
	t.Helper()
	certFile, keyFile, trust := certificate(t, t.TempDir())
	l := listen(t, "tcp", "127.0.0.1:0")
	srv := &http.Server{
		Handler: b.watched(h), ReadHeaderTimeout: patience,
		ErrorLog: slog.NewLogLogger(slog.NewTextHandler(b.log, nil), slog.LevelError),
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = srv.ServeTLS(l, certFile, keyFile)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-over
	})
	return l.Addr().String(), trust
}

func listen(tb testing.TB, network, addr string) net.Listener {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), network, addr)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		protocols []string
	}{
		{"as browsers ask for wss", []string{"http/1.1"}},
		{"without ALPN", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.wrapped = true
			addr, trust := serveTLS(t, b, b.mux())
			p := dialTLS(t, addr, trust, row.protocols...)
			p.SendBytes([]byte(upgrade(domain, "/live/lobby", "Origin: https://"+domain)), websockettest.Text("early").Masked())
			if a := p.ReadAnswer(); a.Status != http.StatusSwitchingProtocols {
				t.Fatalf("status %d %q, want 101", a.Status, a.Body)
			}
			p.WantText("early")
			p.echo(websockettest.Binary(strings.Repeat("\x00\xff", 500_000)))
			p.close(4000, "bye")
			want := protocol.CloseStatus{Code: 4000, Reason: "bye", Remote: true}
			if got := testkit.Await(t, b.ended, "Disconnect"); got != want {
				t.Errorf("Disconnect has seen %+v, want %+v", got, want)
			}
		})
	}
}

// TestTLSOrigin is the rule for pages over TLS. Pages of the same name's plain site
// may not connect: anybody on their way can have changed them.
func TestTLSOrigin(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.wrapped = true
	addr, trust := serveTLS(t, b, b.mux())
	for origin, want := range map[string]int{
		"https://" + domain:           http.StatusSwitchingProtocols,
		"http://" + domain:            http.StatusForbidden,
		"https://" + domain + ":8443": http.StatusForbidden,
		"https://evil.example":        http.StatusForbidden,
	} {
		if a := dialTLS(t, addr, trust).ask(upgrade(domain, "/live/lobby", "Origin: "+origin)); a.Status != want {
			t.Errorf("a page from %s: status %d %q, want %d", origin, a.Status, a.Body, want)
		}
	}
}

// TestTLSShutdown is 1001 over TLS, and close_notify behind it.
func TestTLSShutdown(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.wrapped = true
	addr, trust := serveTLS(t, b, b.mux())
	p := dialTLS(t, addr, trust)
	p.Upgrade(upgrade(domain, "/live/lobby"))
	over := make(chan struct{})
	go func() { defer close(over); b.shutdown() }()
	p.wantClosed(1001, "the server is shutting down")
	testkit.Await(t, over, "the end of the shutdown")
}

// useHTTP1 is in the answer to whoever asks over HTTP/2.
const useHTTP1 = "WebSocket over HTTP/2.0 is not served here; use HTTP/1.1"

// TestHTTP2 is a client that gets HTTP/2 by ALPN and asks as in HTTP/1.1, or
// with a plain GET.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.wrapped = true
	addr, trust := serveTLS(t, b, b.mux())
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: trust, ServerName: domain, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr+"/live/lobby", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Websocket-Version", "13")
	req.Header.Set("Sec-Websocket-Key", websockettest.SampleKey)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 {
		t.Fatalf("the answer came by %s: this is no test of HTTP/2", resp.Proto)
	}
	if resp.StatusCode != http.StatusNotImplemented || !strings.Contains(string(body), useHTTP1) {
		t.Errorf("status %d %q, want 501 with %q", resp.StatusCode, body, useHTTP1)
	}
}

// TestExtendedConnect is WebSocket by the means of HTTP/2 (RFC 8441). net/http
// does not offer it, and so no browser asks for it; where a setting of the
// environment makes it offer it, Wye refuses.
func TestExtendedConnect(t *testing.T) {
	t.Parallel()
	const setting = "http2xconnect=1"
	if strings.Contains(os.Getenv("GODEBUG"), setting) {
		if offered, status, body := extendedConnect(t); !offered || status != "501" ||
			!strings.Contains(body, useHTTP1) {
			t.Errorf("offered: %t, status %s, %q; want true, and 501 that says what to do", offered, status, body)
		}
		return
	}
	if offered, _, _ := extendedConnect(t); offered {
		t.Error("WebSocket over HTTP/2 is offered: browsers will ask for it")
	}
	// It is read when a program starts.
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestExtendedConnect$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG="+setting)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestExtendedConnect") {
		t.Errorf("with GODEBUG=%s: %v\n%s", setting, err, out)
	}
}

// extendedConnect asks for a WebSocket over HTTP/2, if that is offered.
func extendedConnect(t *testing.T) (offered bool, status, body string) {
	t.Helper()
	b := newBed(t, nil)
	b.wrapped = true
	addr, trust := serveTLS(t, b, b.ws)
	p := dialTLS(t, addr, trust, "h2")
	p.SendBytes([]byte(http2.ClientPreface))
	fr := http2.NewFramer(p.Conn, p.In)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := fr.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			t.Fatalf("after %s %q: %v", status, body, err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if f.IsAck() {
				continue
			}
			v, _ := f.Value(http2.SettingEnableConnectProtocol)
			if offered = v == 1; !offered {
				return false, "", ""
			}
			askConnect(t, fr)
		case *http2.MetaHeadersFrame:
			status = f.PseudoValue("status")
		case *http2.DataFrame:
			if body += string(f.Data()); f.StreamEnded() {
				return offered, status, body
			}
		}
	}
}

// askConnect sends the request of RFC 8441 section 5.1.
func askConnect(t *testing.T, fr *http2.Framer) {
	t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, h := range [][2]string{
		{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":path", "/live/lobby"}, {":authority", domain},
		{"sec-websocket-version", "13"},
	} {
		_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
}
