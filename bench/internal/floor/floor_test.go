//go:build linux

package floor_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wye-go/wye/bench/internal/floortest"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// dial connects with a client that shares no code with the load generator, so that the
// floor and that cannot be wrong in the same way.
func dial(t *testing.T, addr, path string) *websockettest.Client {
	t.Helper()
	return websockettest.Dial(t, "ws://"+addr+path, nil)
}

func TestEcho(t *testing.T) {
	conn := dial(t, floortest.Start(t, false), "/echo")
	for _, n := range []int{0, 1, 125, 126, 16 << 10, 65535, 65536, 1 << 17} {
		text := strings.Repeat("x", n)
		conn.SendText(text)
		conn.WantText(text)
	}
}

// TestFrameInPieces sends frames that end anywhere, and several at once.
func TestFrameInPieces(t *testing.T) {
	conn := dial(t, floortest.Start(t, false), "/echo")
	var stream bytes.Buffer
	var want []websockettest.Frame
	for n := range 40 {
		f := websockettest.Text(strings.Repeat(string(rune('a'+n%26)), n*7))
		want = append(want, f)
		stream.Write(f.MaskedWith([4]byte{byte(n), 2, 3, 4}))
	}
	for piece := 1; stream.Len() > 0; piece += 3 {
		conn.SendBytes(stream.Next(piece))
	}
	conn.Want(want...)
}

func TestRoom(t *testing.T) {
	addr := floortest.Start(t, false)
	ann, bob := dial(t, addr, "/room/a"), dial(t, addr, "/room/a")
	eve := dial(t, addr, "/room/b")
	ann.SendText("one")
	ann.WantText("one")
	bob.WantText("one")
	bob.SendText("two")
	ann.WantText("two")
	bob.WantText("two")
	eve.SendText("three")
	eve.WantText("three")
}

func TestMemberAnswersOnlyTheSender(t *testing.T) {
	addr := floortest.Start(t, false)
	publisher, ann, bob := dial(t, addr, "/room/a"), dial(t, addr, "/member/a"), dial(t, addr, "/member/a")
	ann.SendText("mine")
	ann.WantText("mine")
	publisher.SendText("all")
	publisher.WantText("all")
	ann.WantText("all")
	bob.WantText("all")
}

func TestLeavingARoom(t *testing.T) {
	addr := floortest.Start(t, false)
	ann, bob, eve := dial(t, addr, "/room/a"), dial(t, addr, "/room/a"), dial(t, addr, "/room/a")
	ann.Close(1000, "")
	eve.SendText("still")
	eve.WantText("still")
	bob.WantText("still")
}

func TestPing(t *testing.T) {
	conn := dial(t, floortest.Start(t, false), "/echo")
	conn.Send(websockettest.Ping("p"))
	conn.Want(websockettest.Pong("p"))
}
