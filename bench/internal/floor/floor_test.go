//go:build linux

package floor_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wye-go/wye/bench/internal/floortest"
)

// patience bounds every test; nothing here waits for it to pass.
const patience = 20 * time.Second

// dial connects with a client that is not ours, so that the floor and the load
// generator cannot be wrong in the same way.
func dial(t *testing.T, addr, path string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, "ws://"+addr+path)
	if err != nil {
		t.Fatal(err)
	}
	if early != nil {
		t.Fatal("the floor sent something with its answer to the handshake")
	}
	t.Cleanup(func() { conn.Close() })
	deadline(t, conn)
	return conn
}

func deadline(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if err := wsutil.WriteClientText(conn, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, who string, conn net.Conn, want ...string) {
	t.Helper()
	for _, text := range want {
		got, err := wsutil.ReadServerText(conn)
		if err != nil {
			t.Fatalf("%s: %v, want %.40q", who, err, text)
		}
		if string(got) != text {
			t.Fatalf("%s: heard %.40q, want %.40q", who, got, text)
		}
	}
}

func TestEcho(t *testing.T) {
	conn := dial(t, floortest.Start(t, false), "/echo")
	for _, n := range []int{0, 1, 125, 126, 16 << 10, 65535, 65536, 1 << 17} {
		text := strings.Repeat("x", n)
		say(t, conn, text)
		hear(t, "sender", conn, text)
	}
}

// TestFrameInPieces sends frames that end anywhere, and several at once.
func TestFrameInPieces(t *testing.T) {
	conn := dial(t, floortest.Start(t, false), "/echo")
	var stream bytes.Buffer
	var want []string
	for n := range 40 {
		text := strings.Repeat(string(rune('a'+n%26)), n*7)
		want = append(want, text)
		frame := ws.MaskFrameInPlaceWith(ws.NewTextFrame([]byte(text)), [4]byte{byte(n), 2, 3, 4})
		if err := ws.WriteFrame(&stream, frame); err != nil {
			t.Fatal(err)
		}
	}
	for piece := 1; stream.Len() > 0; piece += 3 {
		if _, err := conn.Write(stream.Next(piece)); err != nil {
			t.Fatal(err)
		}
	}
	hear(t, "sender", conn, want...)
}

func TestRoom(t *testing.T) {
	addr := floortest.Start(t, false)
	ann, bob := dial(t, addr, "/room/a"), dial(t, addr, "/room/a")
	eve := dial(t, addr, "/room/b")
	say(t, ann, "one")
	hear(t, "sender", ann, "one")
	hear(t, "other", bob, "one")
	say(t, bob, "two")
	hear(t, "other", ann, "two")
	hear(t, "sender", bob, "two")
	say(t, eve, "three")
	hear(t, "other room", eve, "three")
}

func TestMemberAnswersOnlyTheSender(t *testing.T) {
	addr := floortest.Start(t, false)
	publisher, ann, bob := dial(t, addr, "/room/a"), dial(t, addr, "/member/a"), dial(t, addr, "/member/a")
	say(t, ann, "mine")
	hear(t, "sender", ann, "mine")
	say(t, publisher, "all")
	hear(t, "publisher", publisher, "all")
	hear(t, "sender", ann, "all")
	hear(t, "other member", bob, "all")
}

func TestLeavingARoom(t *testing.T) {
	addr := floortest.Start(t, false)
	ann, bob, eve := dial(t, addr, "/room/a"), dial(t, addr, "/room/a"), dial(t, addr, "/room/a")
	if err := wsutil.WriteClientMessage(ann, ws.OpClose, ws.NewCloseFrameBody(1000, "")); err != nil {
		t.Fatal(err)
	}
	if h, err := ws.ReadHeader(ann); err != nil || h.OpCode != ws.OpClose {
		t.Fatalf("got %v %v, want a close frame", h.OpCode, err)
	}
	if _, err := io.Copy(io.Discard, ann); err != nil {
		t.Fatal(err)
	}
	say(t, eve, "still")
	hear(t, "sender", eve, "still")
	hear(t, "other", bob, "still")
}

func TestPing(t *testing.T) {
	conn := dial(t, floortest.Start(t, false), "/echo")
	if err := wsutil.WriteClientMessage(conn, ws.OpPing, []byte("p")); err != nil {
		t.Fatal(err)
	}
	want := "\x8a\x01p"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}
