//go:build linux

package spike

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/bench/internal/frame"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// dial opens a connection without a socket.
func dial(tb testing.TB, l *Loop, path string) *conn {
	tb.Helper()
	c := &conn{loop: l, fd: -1}
	rest, err := c.consume([]byte(websockettest.Request(path)))
	if err != nil || len(rest) > 0 || c.session == nil {
		tb.Fatalf("handshake: %q left, error %v", rest, err)
	}
	c.out = c.out[:0]
	return c
}

// letters are the 64 bytes of a message.
const letters = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

// masked returns n client frames with letters.
func masked(n int) []byte { return bytes.Repeat(websockettest.Text(letters).Masked(), n) }

func TestEcho(t *testing.T) {
	l := New(app.New())
	c := dial(t, l, "/echo")
	rest, err := c.consume(masked(3))
	if err != nil || len(rest) > 0 {
		t.Fatalf("%d bytes left, error %v", len(rest), err)
	}
	want := encode(nil, protocol.Text(letters))
	if got := string(c.out); got != string(want)+string(want)+string(want) {
		t.Errorf("echoed %q", got)
	}
}

func TestRoomReachesEveryMemberOnce(t *testing.T) {
	l := New(app.New())
	speaker, listener, other := dial(t, l, "/room/a"), dial(t, l, "/member/a"), dial(t, l, "/room/b")
	if _, err := speaker.consume(masked(1)); err != nil {
		t.Fatal(err)
	}
	if len(speaker.out) != 66 || len(listener.out) != 66 || len(other.out) != 0 {
		t.Errorf("the room got %d and %d bytes and another room %d, want 66, 66 and 0", len(speaker.out), len(listener.out), len(other.out))
	}
}

// bare is what the loop does without Wye: the same frames, answered on the spot.
func (c *conn) bare(b []byte) {
	for len(b) > 0 {
		h, _, err := frame.Parse(b)
		if err != nil {
			panic(err)
		}
		payload := b[h.Len:h.Size()]
		ws.Cipher(payload, h.Mask, 0)
		c.out = append(frame.AppendHeader(c.out, h.First, len(payload), nil), payload...)
		b = b[h.Size():]
	}
}

// BenchmarkMessage is one message of 64 bytes from the bytes of a client's frame
// to those of the answer, 16 of them in a read. Nothing of it is system calls,
// so the difference to "bare" is what session, consumer and layer add.
func BenchmarkMessage(b *testing.B) {
	const n = 16
	for _, bm := range []struct{ name, path string }{
		{"bare", ""}, {"echo", "/echo"}, {"member", "/member/a"}, {"room-of-one", "/room/a"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			l := New(app.New())
			c := &conn{loop: l, fd: -1}
			if bm.path != "" {
				c = dial(b, l, bm.path)
			}
			frames, in := masked(n), make([]byte, 16*128)
			b.ReportAllocs()
			for b.Loop() {
				read := in[:copy(in, frames)]
				if c.session == nil {
					c.bare(read)
				} else if _, err := c.consume(read); err != nil {
					b.Fatal(err)
				}
				c.out, c.dirty, l.dirty = c.out[:0], false, l.dirty[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/msg")
		})
	}
}

// BenchmarkRoom is one message of 64 bytes to each of 1000 members.
func BenchmarkRoom(b *testing.B) {
	const members = 1000
	l := New(app.New())
	speaker := dial(b, l, "/room/a")
	all := []*conn{speaker}
	for range members - 1 {
		all = append(all, dial(b, l, "/member/a"))
	}
	frames := masked(1)
	in := make([]byte, len(frames))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := speaker.consume(in[:copy(in, frames)]); err != nil {
			b.Fatal(err)
		}
		for _, c := range all {
			c.out, c.dirty = c.out[:0], false
		}
		l.dirty = l.dirty[:0]
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
}
