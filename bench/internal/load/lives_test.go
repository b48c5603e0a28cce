//go:build linux

package load

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/floortest"
	"github.com/wye-go/wye/bench/internal/frame"
	"github.com/wye-go/wye/internal/testkit"
)

// TestHandshake opens and closes connections of the floor, and of a server that
// closes its sockets by itself.
func TestHandshake(t *testing.T) {
	floor := "ws://" + floortest.Start(t, false)
	other := serve(t, func(int, string) []ws.Frame { return nil })
	for name, cfg := range map[string]Config{
		"one":   {URL: floor, Conns: 1},
		"many":  {URL: floor, Conns: 20},
		"other": {URL: other, Conns: 20},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Scenario, cfg.Duration, cfg.PID = Handshake, short, os.Getpid()
			r, err := perform(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if r.result.Messages < uint64(3*cfg.Conns) || r.result.P50us <= 0 || r.result.Server.TotalNs <= 0 {
				t.Errorf("implausible: %v", r.result)
			}
			if line := r.result.String(); strings.Contains(line, "RSS") {
				t.Errorf("%q tells the memory of connections that are gone", line)
			}
			for _, c := range r.cl.conns {
				if c.fd >= 0 {
					t.Errorf("connection %d is still open", c.id)
				}
			}
		})
	}
}

// TestFaultyLives makes sure that a life counts only if the server does its part
// from the beginning to the end.
func TestFaultyLives(t *testing.T) {
	accept := func(key string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + string(frame.AppendAccept(nil, []byte(key))) + "\r\n\r\n"
	}
	bye := func(body string) []byte {
		return append(frame.AppendHeader(nil, frame.Fin|frame.OpClose, len(body), nil), body...)
	}
	hello := append(frame.AppendHeader(nil, frame.Fin|frame.OpText, 2, nil), "hi"...)
	ping := frame.AppendHeader(nil, frame.Fin|frame.OpPing, 0, nil)
	for _, row := range []struct {
		at     testkit.Line
		name   string
		answer func(key string) string
		close  []byte
		want   string
	}{
		{testkit.Here(), "status", func(string) string { return "HTTP/1.1 200 OK\r\n\r\n" }, nil, "200 OK"},
		{testkit.Here(), "key", func(string) string { return accept("other") }, nil, "Sec-WebSocket-Accept"},
		{testkit.Here(), "no answer", func(string) string { return "" }, nil, "closed"},
		{testkit.Here(), "half an answer", func(key string) string { return accept(key)[:40] }, nil, "closed"},
		{testkit.Here(), "no close", accept, nil, "closed"},
		{testkit.Here(), "another code", accept, bye("\x03\xe9"), "close with"},
		{testkit.Here(), "a message", accept, hello, "nobody has sent"},
		{testkit.Here(), "two closes", accept, append(bye("\x03\xe8"), bye("\x03\xe8")...), "close with"},
		{testkit.Here(), "a pong is sent", accept, append(ping, bye("")...), `close with ""`},
	} {
		t.Run(row.name, func(t *testing.T) {
			url := live(t, row.answer, row.close)
			cfg := Config{Scenario: Handshake, URL: url, Conns: 1, Duration: short}
			if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: got %v, want an error with %q", row.at, err, row.want)
			}
		})
	}
}

// live serves connections as it is told: it answers the request, and what follows
// it, and hangs up.
func live(t *testing.T, answer func(key string) string, bye []byte) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed by the test
			}
			liveOnce(conn, answer, bye)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return "ws://" + ln.Addr().String()
}

func liveOnce(conn net.Conn, answer func(key string) string, bye []byte) {
	b := make([]byte, 1<<10)
	n, err := conn.Read(b)
	if err != nil {
		return
	}
	_, after, _ := bytes.Cut(b[:n], []byte("Sec-WebSocket-Key: "))
	key, _, _ := bytes.Cut(after, []byte("\r\n"))
	said := answer(string(key))
	if _, err := io.WriteString(conn, said); err != nil || !strings.HasSuffix(said, "\r\n\r\n") {
		return
	}
	if _, err := conn.Read(b); err == nil {
		_, _ = conn.Write(bye)
	}
}
