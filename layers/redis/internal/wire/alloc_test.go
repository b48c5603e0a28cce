package wire

import (
	"fmt"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
)

// usual is an event as a chat sends it.
func usual(tb testing.TB) *driver.Message {
	tb.Helper()
	e := event("chat.message", fields{"room": "lobby", "user": int64(42), "text": "Grüße an alle, and a message of some length", "at": 1700000000.25})
	if err := events.Seal(e); err != nil {
		tb.Fatal(err)
	}
	return &driver.Message{Event: e, Mark: "wye1:0123456789abcdefghijklmnop"}
}

// carriers are the formats that are measured.
func carriers(tb testing.TB) map[string]*Codec {
	tb.Helper()
	return map[string]*Codec{
		"msgpack": newCodec(tb, MsgPack), "json": newCodec(tb, JSON),
		"msgpack encrypted": newCodec(tb, MsgPack, "key"), "json encrypted": newCodec(tb, JSON, "key"),
	}
}

func TestAllocs(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	for name, want := range map[string]struct{ appending, opening, mark, parsing float64 }{
		"msgpack":           {0, 0, 1, 5},
		"json":              {0, 0, 1, 5},
		"msgpack encrypted": {1, 2, 1, 5},
		"json encrypted":    {1, 2, 1, 5},
	} {
		c, m := carriers(t)[name], usual(t)
		b := make([]byte, 0, 1024)
		atMost := func(what string, want float64, f func() error) {
			t.Helper()
			if got := testing.AllocsPerRun(200, func() {
				if err := f(); err != nil {
					t.Fatal(err)
				}
			}); got > want {
				t.Errorf("%s: %s allocates %v times, want %v", name, what, got, want)
			}
		}
		atMost("Append", want.appending, func() (err error) { b, err = c.Append(b[:0], m); return err })
		var plain []byte
		atMost("Open", want.opening, func() (err error) { plain, err = c.Open(b, time.Minute); return err })
		atMost("MarkOf", want.mark, func() error {
			if c.MarkOf(plain) != m.Mark {
				return fmt.Errorf("the mark of %q is %q", plain, c.MarkOf(plain))
			}
			return nil
		})
		atMost("Parse", want.parsing, func() error { _, err := c.Parse(plain); return err })
	}
}

func BenchmarkCodec(b *testing.B) {
	for name, c := range carriers(b) {
		m := usual(b)
		sent, err := c.Append(nil, m)
		if err != nil {
			b.Fatal(err)
		}
		plain, err := c.Open(sent, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/Append", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sent, err = c.Append(sent[:0], m)
			}
		})
		b.Run(name+"/Open", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = c.Open(sent, time.Hour)
			}
		})
		b.Run(name+"/MarkOf", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.MarkOf(plain)
			}
		})
		b.Run(name+"/Parse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = c.Parse(plain)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
