package websocket_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/router"
)

// inHTTP2 marks the process that TestHTTP2 starts: net/http decides at its start
// whether it offers the extended CONNECT of HTTP/2.
const inHTTP2 = "WYE_TEST_HTTP2"

// TestHTTP2 refuses the extended CONNECT of HTTP/2 (RFC 8441) in words, and the
// connection stays good.
func TestHTTP2(t *testing.T) {
	if os.Getenv(inHTTP2) == "" {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHTTP2$", "-test.v")
		cmd.Env = append(os.Environ(), inHTTP2+"=1", "GODEBUG=http2xconnect=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "extended CONNECT was answered") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s := newServer(fakes.Echo(), nil)
	ts := httptest.NewUnstartedServer(router.New(nil, s.Server))
	ts.EnableHTTP2 = true
	ts.StartTLS()
	defer ts.Close()
	client := ts.Client()
	defer client.CloseIdleConnections()
	resp, err := client.Get(ts.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusNotFound {
		t.Errorf("a plain request: %s %d, want HTTP/2 and 404", resp.Proto, resp.StatusCode)
	}
	nc, err := tls.Dial("tcp", ts.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if body := extendedConnect(t, nc, 1, "websocket"); body != "WebSocket over HTTP/2.0 is not served here; use HTTP/1.1\n" {
		t.Errorf("answered with %q", body)
	}
	if body := extendedConnect(t, nc, 3, "connect-udp"); !strings.Contains(body, "only websocket is served here") {
		t.Errorf("another protocol: answered with %q", body)
	}
	t.Log("extended CONNECT was answered")
}

// extendedConnect sends one, as stream id, and returns the body of the answer.
// The first on a connection is 1. (RFC 9113 section 4, RFC 7541 section 6.2.2.)
func extendedConnect(t *testing.T, nc net.Conn, id byte, protocol string) string {
	t.Helper()
	var block []byte
	for _, field := range [][2]string{
		{":method", "CONNECT"}, {":protocol", protocol}, {":scheme", "https"}, {":path", "/"}, {":authority", "example.com"},
		{"sec-websocket-version", "13"},
	} {
		block = append(block, 0, byte(len(field[0])))
		block = append(append(block, field[0]...), byte(len(field[1])))
		block = append(block, field[1]...)
	}
	const settings, headers, data, endHeaders = 4, 1, 0, 4
	out := []byte(nil)
	if id == 1 {
		out = append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, settings, 0, 0, 0, 0, 0)
	}
	out = append(append(out, 0, 0, byte(len(block)), headers, endHeaders, 0, 0, 0, id), block...)
	if _, err := nc.Write(out); err != nil {
		t.Fatal(err)
	}
	for {
		var head [9]byte
		if _, err := io.ReadFull(nc, head[:]); err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(nc, payload); err != nil {
			t.Fatal(err)
		}
		if head[3] == data && head[8] == id {
			return string(payload)
		}
	}
}
