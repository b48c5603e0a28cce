//go:build linux

package floor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/floor"
	"github.com/wye-go/wye/bench/internal/floortest"
)

func TestRefused(t *testing.T) {
	addr := floortest.Start(t, false)
	for _, path := range []string{"/", "/nope", "/room", "/room/", "/member/", "/echo/x"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		conn, _, _, err := ws.Dial(ctx, "ws://"+addr+path)
		cancel()
		if err == nil {
			conn.Close()
			t.Errorf("%s: accepted", path)
		}
	}
}

// TestHangsUp sends what is no WebSocket client's doing.
func TestHangsUp(t *testing.T) {
	addr := floortest.Start(t, false)
	t.Run("unmasked", func(t *testing.T) {
		conn := dial(t, addr, "/echo")
		if err := ws.WriteFrame(conn, ws.NewTextFrame([]byte("x"))); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, conn)
	})
	t.Run("no upgrade", func(t *testing.T) {
		conn, err := net.Dial("tcp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		deadline(t, conn)
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, conn)
	})
}

func expectEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes and %v, want the end", n, err)
	}
}

// TestBacklog has a client send much more than the sockets hold before it reads.
func TestBacklog(t *testing.T) {
	conn, err := net.Dial("tcp4", floortest.Start(t, true))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	deadline(t, conn)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 12<<16) // 12 MiB
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("something else came back")
	}
}

func TestCloseLeavesNoDescriptor(t *testing.T) {
	warm, err := net.Listen("tcp4", "127.0.0.1:0") // Go opens descriptors of its own the first time
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	before := descriptors(t)
	t.Run("serve", func(t *testing.T) {
		addr := floortest.Start(t, false)
		for range 10 {
			conn := dial(t, addr, "/room/a")
			say(t, conn, "x")
			hear(t, "sender", conn, "x")
		}
	})
	if _, err := floor.Listen("127.0.0.1:-1", false); err == nil {
		t.Error("no error for a bad address")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
