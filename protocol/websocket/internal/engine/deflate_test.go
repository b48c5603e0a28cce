package engine

import (
	"math"
	"reflect"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// deflated is a handshake that has agreed on compression.
type deflated struct {
	handover
	params deflate.Params
}

func (d deflated) Accept(o protocol.AcceptOptions) (Accepted, error) {
	a, err := d.handover.Accept(o)
	a.Deflate = d.params
	return a, err
}

func testCompression() *Compression {
	return &Compression{Level: 1, Threshold: 100, MaxRatio: 1000, WindowBytes: 1 << 20, ServerBits: 12}
}

// deflatingConn is alone for a connection that has agreed on p.
func deflatingConn(tb testing.TB, p deflate.Params) *Conn {
	tb.Helper()
	e, nc := newTestEngine(Config{Compression: testCompression()}), enginetest.NewSink()
	if p.ClientTakeover && !e.ReserveWindow(p.ClientBits) {
		tb.Fatal("there is no room for a window")
	}
	c := e.NewConn(&Opening{Handshake: deflated{handover{nc}, p}}, "")
	c.Open(e.session(fakes.Echo(), c))
	nc.AwaitReader()
	threadOf(c).reading.watched.Store(true)
	tb.Cleanup(func() {
		nc.Close()
		e.finish()
		if s := e.Stats().Deflate; s.Conns != 0 || s.WindowBytes != 0 {
			tb.Errorf("%+v when all is over", s)
		}
	})
	return c
}

func TestAllocDeflate(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		c := deflatingConn(t, deflate.Params{ServerBits: 15, ClientBits: 15, ServerTakeover: takeover, ClientTakeover: takeover})
		text := jsonText(40_000)
		for _, size := range []int{200, 2000, 40_000} {
			m := protocol.Message{Data: []byte(text[:size])}
			p := protocol.Prepare(m)
			for name, send := range map[string]func() error{
				"Send":         func() error { return c.Send(m) },
				"SendPrepared": func() error { return c.SendPrepared(p) },
			} {
				wantNoAllocs(t, name, func() {
					c.out.startBatch()
					if err := send(); err != nil {
						t.Fatal(err)
					}
					c.endBatch()
				})
			}
		}
	}
}

// TestAllocDeflatedEcho is TestAllocEcho for a message that is compressed both ways.
func TestAllocDeflatedEcho(t *testing.T) {
	c := deflatingConn(t, deflate.Params{ServerBits: 15, ClientBits: 15})
	z := c.way.deflate.of.deflaters.Deflate([]byte(jsonText(1000)), nil, 15)
	in := frametest.Frame(frametest.Fin|0x41, string(z.Payload))
	z.Release()
	b := make([]byte, len(in))
	wantNoAllocs(t, "an echo", func() {
		copy(b, in)
		c.out.startBatch()
		if o := c.parse(b, &threadOf(c).reading, math.MaxInt); o != readOn {
			t.Fatalf("outcome %d", o)
		}
		c.endBatch()
	})
	if s := c.engine.Stats().Deflate; s.MessagesOut == 0 || s.PlainBytesIn != 1000*s.MessagesOut || s.WireBytesIn >= s.PlainBytesIn {
		t.Errorf("%+v", s)
	}
}

// TestDeflatingIsSmall bounds what an idle connection has that has agreed on compression
// without takeover.
func TestDeflatingIsSmall(t *testing.T) {
	t.Parallel()
	if size := reflect.TypeFor[way]().Size() + reflect.TypeFor[deflating]().Size(); size > 40 {
		t.Errorf("%d bytes, want at most 40", size)
	}
}
