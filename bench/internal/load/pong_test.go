//go:build linux

package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestPong has a server that echoes only while its pings are answered.
func TestPong(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error, 1)
	go func() { served <- pingAndEcho(ln) }()
	_, err = Run(t.Context(), Config{Scenario: Echo, URL: "ws://" + ln.Addr().String(), Conns: 1, Size: 64, Depth: 1, Duration: short})
	if err := errors.Join(err, <-served); err != nil {
		t.Error(err)
	}
}

func pingAndEcho(ln net.Listener) error {
	conn, err := ln.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := ws.Upgrade(conn); err != nil {
		return err
	}
	for {
		msg, err := wsutil.ReadClientText(conn)
		if err != nil {
			return nil // the run is over
		}
		if err := ws.WriteFrame(conn, ws.NewPingFrame([]byte("sign of life"))); err != nil {
			return err
		}
		if err := expectPong(conn, "sign of life"); err != nil {
			return err
		}
		if err := ws.WriteFrame(conn, text(string(msg))); err != nil {
			return err
		}
	}
}

func expectPong(r io.Reader, want string) error {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return err
	}
	ws.Cipher(got, h.Mask, 0)
	if h.OpCode != ws.OpPong || h.Length != int64(len(want)) || string(got) != want {
		return fmt.Errorf("a ping was answered by opcode %d and %q", h.OpCode, got)
	}
	return nil
}
