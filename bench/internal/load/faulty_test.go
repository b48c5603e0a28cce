//go:build linux

package load

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// answer is what a server does wrong: given the n-th message of a connection it
// returns the frames to send.
type answer func(n int, msg string) []ws.Frame

// serve runs an ordinary WebSocket server, one goroutine per connection, until
// the test ends. It ends a connection for which answer returns nil.
func serve(t *testing.T, answer answer) (url string) {
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
			all.Go(func() {
				defer conn.Close()
				if err := attend(conn, answer); err != nil {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return "ws://" + ln.Addr().String()
}

// attend serves one connection until the client has closed it.
func attend(conn net.Conn, answer answer) error {
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := ws.Upgrade(conn); err != nil {
		return err
	}
	for n := 0; ; n++ {
		msg, err := wsutil.ReadClientText(conn)
		if err != nil {
			return nil //nolint:nilerr // the client has seen enough
		}
		frames := answer(n, string(msg))
		if frames == nil {
			return nil
		}
		for _, f := range frames {
			if err := ws.WriteFrame(conn, f); err != nil {
				return nil //nolint:nilerr // likewise
			}
		}
	}
}

func text(s string) ws.Frame { return ws.NewTextFrame([]byte(s)) }

// TestFaultyServers makes sure that nothing but an exact echo passes.
func TestFaultyServers(t *testing.T) {
	// Each fault happens at the tenth message of a connection.
	late := func(n int, msg string, fault ...ws.Frame) []ws.Frame {
		if n == 10 {
			return fault
		}
		return []ws.Frame{text(msg)}
	}
	pong := ws.NewPongFrame(nil) // is ignored, and so no answer
	flip := func(s string, i int) string { return s[:i] + "~" + s[i+1:] }
	for name, test := range map[string]struct {
		answer answer
		want   string
	}{
		"first byte":  {func(n int, s string) []ws.Frame { return late(n, s, text(flip(s, 0))) }, "differ at 0:"},
		"middle byte": {func(n int, s string) []ws.Frame { return late(n, s, text(flip(s, 30))) }, "differ at 30:"},
		"last byte":   {func(n int, s string) []ws.Frame { return late(n, s, text(flip(s, 63))) }, "differ at 63:"},
		"short":       {func(n int, s string) []ws.Frame { return late(n, s, text(s[:63])) }, "63 bytes came back"},
		"long":        {func(n int, s string) []ws.Frame { return late(n, s, text(s+"x")) }, "65 bytes came back"},
		"empty":       {func(n int, s string) []ws.Frame { return late(n, s, text("")) }, "0 bytes came back"},
		"twice":       {func(n int, s string) []ws.Frame { return late(n, s, text(s), text(s)) }, "message 11 "},
		"lost":        {func(n int, s string) []ws.Frame { return late(n, s, pong) }, "message 10 "},
		"hang up":     {func(n int, s string) []ws.Frame { return late(n, s) }, "closed"},
		"close":       {func(n int, s string) []ws.Frame { return late(n, s, ws.NewCloseFrame(nil)) }, "opcode 0x8"},
		"binary":      {func(n int, s string) []ws.Frame { return late(n, s, ws.NewBinaryFrame([]byte(s))) }, "opcode 0x2"},
		"masked":      {func(n int, s string) []ws.Frame { return late(n, s, ws.MaskFrame(text(s))) }, "masked"},
		"fragment":    {func(n int, s string) []ws.Frame { return late(n, s, ws.NewFrame(ws.OpText, false, []byte(s))) }, "fragmented"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Scenario: Echo, URL: serve(t, test.answer), Conns: 2, Size: 64, Depth: 4, Duration: time.Hour}
			_, err := Run(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// TestSwapped has a server answer two messages in the wrong order, and one
// connection with what another has said.
func TestSwapped(t *testing.T) {
	t.Run("order", func(t *testing.T) {
		var held string
		url := serve(t, func(n int, s string) []ws.Frame {
			if n == 6 {
				held = s
				return []ws.Frame{}
			}
			if n == 7 {
				return []ws.Frame{text(s), text(held)}
			}
			return []ws.Frame{text(s)}
		})
		_, err := Run(t.Context(), Config{Scenario: Echo, URL: url, Conns: 1, Size: 64, Depth: 4, Duration: time.Hour})
		if err == nil || !strings.Contains(err.Error(), "message 6 ") {
			t.Errorf("got %v, want an error about message 6", err)
		}
	})
	t.Run("connection", func(t *testing.T) {
		said := make(chan string, 1)
		url := serve(t, func(_ int, s string) []ws.Frame {
			select {
			case said <- s:
				return []ws.Frame{}
			case other := <-said:
				return []ws.Frame{text(other)}
			}
		})
		_, err := Run(t.Context(), Config{Scenario: Echo, URL: url, Conns: 2, Size: 64, Depth: 1, Duration: time.Hour})
		if err == nil || !strings.Contains(err.Error(), "differ at 0:") {
			t.Errorf("got %v, want an error about the sender", err)
		}
	})
}
