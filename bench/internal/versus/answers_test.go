package versus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/frame"
	"github.com/wye-go/wye/internal/testkit"
)

// The benchmarks mean nothing if a server answers wrongly, or takes text that the
// tables say it refuses.

// patient makes a client give up on a server that does not answer.
func patient(t *testing.T, c *client) *client {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryPayloadComesBack(t *testing.T) {
	t.Parallel()
	messages := append(parsed(),
		text(0, "ascii", english), text(1, "ascii", english),
		text(125, "ascii", english), text(126, "ascii", english),
		text(126, "chinese", chinese), bytesOf(64), bytesOf(1<<14+1))
	for _, l := range libraries() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			c := patient(t, dial(t, l))
			for i, m := range messages {
				for _, key := range [][4]byte{{1, 2, 3, 4}, {}, {0xff, 0, 0x80, 0x7f}} {
					if err := c.exchange(m.masked(nil, key), m.unmasked()); err != nil {
						t.Fatalf("message %d, %s, masked with %x: %v", i, m.name(), key, err)
					}
				}
			}
		})
	}
}

func TestWhoChecksUTF8(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		name    string
		payload string
	}{
		{testkit.Here(), "no character", "\xff"},
		{testkit.Here(), "cut at the end", string(fill(16<<10, chinese)[:16381]) + "\xe6\x95"},
		{testkit.Here(), "surrogate", english + "\xed\xa0\x80"},
	} {
		for _, l := range libraries() {
			t.Run(row.name+" to "+l.name, func(t *testing.T) {
				t.Parallel()
				c := patient(t, dial(t, l))
				m := message{op: frame.OpText, payload: []byte(row.payload)}
				out := m.masked(nil, [4]byte{1, 2, 3, 4})
				var err error
				if l.utf8 {
					err = refused(c, out)
				} else {
					err = c.exchange(out, m.unmasked())
				}
				if err != nil {
					t.Errorf("%s: utf8 is %v: %v", row.at, l.utf8, err)
				}
			})
		}
	}
}

// refused sends a frame that has to be answered by a close with code 1007.
func refused(c *client, out []byte) error {
	const invalidPayload = 1007
	if _, err := c.Write(out); err != nil {
		return err
	}
	got := c.in[:4]
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if got[0] != frame.Fin|frame.OpClose || binary.BigEndian.Uint16(got[2:]) != invalidPayload {
		return fmt.Errorf("the answer begins with %x, want a close with %d", got, invalidPayload)
	}
	return nil
}

// TestEveryMessageIsParsed is about the benchmark of reading, in which nothing is
// answered.
func TestEveryMessageIsParsed(t *testing.T) {
	t.Parallel()
	const want = 1000
	for _, m := range parsed() {
		for _, l := range libraries() {
			t.Run(m.name()+" by "+l.name, func(t *testing.T) {
				t.Parallel()
				seen, wrong := 0, 0
				stream, n := stream(m)
				conn := feed(t, l, func(got []byte) {
					seen++
					if !bytes.Equal(got, m.payload) {
						wrong++
					}
				}, stream, len(stream)/n*want)
				close(conn.begin)
				<-conn.over
				if seen != want || wrong > 0 {
					t.Errorf("%d messages, %d of them wrong, want %d", seen, wrong, want)
				}
			})
		}
	}
}

func TestHandshakesOverPipes(t *testing.T) {
	t.Parallel()
	for _, l := range libraries() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := listen(t, l)
			for range 3 {
				c := patient(t, &client{Conn: p.dial()})
				t.Cleanup(func() { c.Close() })
				if err := c.shake(); err != nil {
					t.Fatal(err)
				}
				m := text(64, "ascii", english)
				if err := c.exchange(m.masked(nil, [4]byte{1}), m.unmasked()); err != nil {
					t.Fatal(err)
				}
				c.Close()
				<-p.closed
			}
		})
	}
}
