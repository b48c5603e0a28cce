//go:build linux

package floor_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"

	"github.com/wye-go/wye/bench/internal/floor"
	"github.com/wye-go/wye/bench/internal/floortest"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

func TestRefused(t *testing.T) {
	addr := floortest.Start(t, false)
	for _, path := range []string{"/", "/nope", "/room", "/room/", "/member/", "/echo/x"} {
		c := connect(t, addr)
		c.SendBytes([]byte(websockettest.Request(path)))
		if b, err := io.ReadAll(c.In); err != nil || bytes.Contains(b, []byte("101")) {
			t.Errorf("%s: answered with %q, %v", path, b, err)
		}
	}
}

// TestHangsUp sends what is no WebSocket client's doing.
func TestHangsUp(t *testing.T) {
	addr := floortest.Start(t, false)
	t.Run("unmasked", func(t *testing.T) {
		c := dial(t, addr, "/echo")
		c.SendBytes(websockettest.Text("x").Unmasked())
		c.WantEnd()
	})
	t.Run("no upgrade", func(t *testing.T) {
		c := connect(t, addr)
		c.SendBytes([]byte("GET / HTTP/1.1\r\n\r\n"))
		c.WantEnd()
	})
}

// connect opens a connection without a handshake.
func connect(t *testing.T, addr string) *websockettest.Client {
	t.Helper()
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	return websockettest.New(t, conn)
}

// TestBacklog has a client send much more than the sockets hold before it reads.
func TestBacklog(t *testing.T) {
	c := connect(t, floortest.Start(t, true))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 12<<16) // 12 MiB
	c.SendBytes(sent)
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c.In, got); err != nil {
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
			conn.SendText("x")
			conn.WantText("x")
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
