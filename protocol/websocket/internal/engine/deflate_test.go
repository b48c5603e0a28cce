package engine

import (
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
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
	return newTestEngine(Config{Compression: testCompression()}).deflatingConn(tb, p)
}

// deflatingConn opens one more connection.
func (e *testEngine) deflatingConn(tb testing.TB, p deflate.Params) *Conn {
	tb.Helper()
	nc := enginetest.NewSink()
	if p.ClientTakeover && !e.ReserveWindow(p.ClientBits) {
		tb.Fatal("there is no room for a window")
	}
	c := e.NewConn(&Opening{Handshake: deflated{handover{nc}, p}}, "")
	c.Open(e.session(fakes.Echo(), c))
	nc.AwaitReader()
	threadOf(c).reading.watched.Store(true)
	tb.Cleanup(func() {
		nc.Close()
		<-c.session.Conn().Context().Done()
	})
	return c
}

// TestDeflateCountsAreGivenBack makes sure that nothing is counted when all is over.
func TestDeflateCountsAreGivenBack(t *testing.T) {
	t.Parallel()
	e := newTestEngine(Config{Compression: testCompression()})
	t.Run("open", func(t *testing.T) {
		c := e.deflatingConn(t, deflate.Params{ServerBits: 15, ClientBits: 12, ServerTakeover: true, ClientTakeover: true})
		if err := c.Send(protocol.Message{Data: []byte(jsonText(1000))}); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats().Deflate; s.Conns != 1 || s.WindowBytes != 8<<10 {
			t.Errorf("%+v, want one connection and 8 KiB", s)
		}
	})
	e.finish()
	if s := e.Stats().Deflate; s.Conns != 0 || s.WindowBytes != 0 {
		t.Errorf("%+v when all is over", s)
	}
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

// TestMemoryOfCompression measures what a connection keeps on the heap because it has agreed
// on compression, after messages of 1000 bytes both ways, and when it has been idle for a
// while.
func TestMemoryOfCompression(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector changes the sizes")
	}
	memoryOf(t, deflate.Params{}) // what is made once
	plain, _ := memoryOf(t, deflate.Params{})
	for _, row := range []struct {
		at             testkit.Line
		params         deflate.Params
		active, atRest int // bytes more than a plain connection, at most, and something for what else is on the heap
	}{
		{testkit.Here(), deflate.Params{ServerBits: 15, ClientBits: 15}, 128, 128},
		{testkit.Here(), deflate.Params{ServerBits: 15, ClientBits: 15, ServerTakeover: true}, 1400, 256},
		{testkit.Here(), deflate.Params{ServerBits: 15, ClientBits: 15, ClientTakeover: true}, 1800, 1800},
	} {
		active, atRest := memoryOf(t, row.params)
		t.Logf("%+v: %d bytes more, %d at rest", row.params, active-plain, atRest-plain)
		if active-plain > row.active || atRest-plain > row.atRest {
			t.Errorf("%s: %d and %d bytes more than a plain connection, want %d and %d at most", row.at, active-plain, atRest-plain, row.active, row.atRest)
		}
	}
}

// memoryOf returns how many bytes of the heap each of many connections has.
func memoryOf(t *testing.T, p deflate.Params) (active, atRest int) {
	t.Helper()
	const n = 300
	d := deflate.NewDeflaters(1)
	z := d.Deflate([]byte(jsonText(1000)), nil, 15)
	in := frametest.Frame(frametest.Fin|0x41, string(z.Payload))
	z.Release()
	if !p.InUse() {
		in = frametest.Frame(frametest.Fin|1, jsonText(1000))
	}
	e := newTestEngine(Config{Compression: testCompression()})
	e.deflate.WindowBytes = n * 64 << 10
	conns, b := make([]*Conn, n), make([]byte, len(in))
	before := heap()
	for i := range conns {
		conns[i] = e.deflatingConn(t, p)
		copy(b, in)
		conns[i].out.startBatch()
		if o := conns[i].parse(b, &threadOf(conns[i]).reading, math.MaxInt); o != readOn {
			t.Fatalf("outcome %d", o)
		}
		conns[i].endBatch()
	}
	active = (heap() - before) / n
	for range 2 {
		for _, c := range conns {
			c.way.deflate.giveBackIfIdle()
		}
	}
	atRest = (heap() - before) / n
	runtime.KeepAlive(conns)
	return active, atRest
}

// heap returns how many bytes of the heap are in use.
func heap() int {
	var m runtime.MemStats
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
