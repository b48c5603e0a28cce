package websocket_test

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestCompressionBomb sends 1 GiB in 1 MiB to a server with neither a ratio nor a window to
// stop it: it must be refused without the memory being taken, whatever the pieces.
func TestCompressionBomb(t *testing.T) {
	skipMemory(t)
	const most = 1 << 20
	piece := new(deflatePeer).deflated(strings.Repeat("\x00", 1<<26)) + "\x00\x00\xff\xff"
	bomb := strings.Repeat(piece, 16)
	rows := []struct {
		at testkit.Line
		in [][]byte
	}{
		{testkit.Here(), [][]byte{frame(finBinary|rsv1, bomb)}},
		{testkit.Here(), fragments(finBinary|rsv1, bomb, 1000)},
	}
	for _, e := range []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine} {
		s := serve(t, fakes.Echo(), &websocket.Options{
			Engine: e, Compression: &websocket.Compression{MaxRatio: -1, ClientTakeover: true}, Limits: protocol.Limits{MaxMessage: most},
		})
		for _, row := range rows {
			p := s.openDeflate(t, deflateOffer)
			before := allocatedSoFar()
			go func() { _, _ = p.Conn.Write(bytes.Join(row.in, nil)) }()
			p.WantClosed(protocol.CloseMessageTooBig)
			// A buffer that grows by doubling has taken less than twice its size in all, beside
			// what is joined here.
			if n := allocatedSoFar() - before; n > 2*most+len(bomb)*2+256<<10 {
				t.Errorf("%s, %s: %d bytes were allocated for a message of %d at most", row.at, e, n, most)
			}
		}
	}
}

// TestCompressionMemory says what compression takes for a connection that has negotiated all
// that it can, has been sent and has sent a message of 1 KiB, and is idle; of the window
// for messages to the peer before it is given back.
func TestCompressionMemory(t *testing.T) {
	skipMemory(t)
	const conns = 500
	rows := []struct {
		at   testkit.Line
		name string
		c    *websocket.Compression
		most float64 // bytes, beside the connection without
	}{
		{testkit.Here(), "without takeover", &websocket.Compression{}, 64},
		{testkit.Here(), "takeover to the peer", &websocket.Compression{ServerTakeover: true}, 64 + 1<<10 + 512},
		{testkit.Here(), "takeover from the peer", &websocket.Compression{ClientTakeover: true}, 64 + 1<<10 + 512},
		{testkit.Here(), "takeover both ways", &websocket.Compression{ServerTakeover: true, ClientTakeover: true}, 64 + 2<<10 + 1024},
	}
	for _, e := range []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine} {
		none := perConn(t, conns, &websocket.Options{Engine: e})
		for _, row := range rows {
			n := perConn(t, conns, &websocket.Options{Engine: e, Compression: row.c}) - none
			t.Logf("%s, %s: %.0f bytes", e, row.name, n)
			if n > row.most {
				t.Errorf("%s: %s, %s: compression takes %.0f bytes for a connection, want at most %.0f", row.at, e, row.name, n, row.most)
			}
		}
	}
}

// perConn returns what a connection keeps on the heap, and what the socket of its client does.
func perConn(t *testing.T, conns int, o *websocket.Options) float64 {
	t.Helper()
	s := serve(t, fakes.Echo(), o)
	data := line(rand.New(rand.NewPCG(1, 2)), 1<<10)
	first := byte(finText)
	if o.Compression != nil {
		first |= rsv1
		data = new(deflatePeer).deflated(data)
	}
	in := append([]byte(websockettest.Request("/", deflateOffer)), frame(first, data)...)
	all := make([]net.Conn, conns)
	echo := func(i int) {
		all[i] = s.dial()
		if _, err := all[i].Write(in); err != nil {
			t.Fatal(err)
		}
		out := bufio.NewReader(all[i])
		for line := ""; line != "\r\n"; {
			var err error
			if line, err = out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if got, _, err := readRaw(out); err != nil || got != first {
			t.Fatalf("got a frame that begins with %#x, %v, want %#x", got, err, first)
		}
	}
	echo(0)
	before := live()
	for i := range conns - 1 {
		echo(i + 1)
	}
	n := float64(live()-before) / float64(conns-1)
	for _, nc := range all {
		nc.Close()
	}
	s.wantEmpty(t) // what is freed later would count for the next measurement
	return n
}

// skipMemory skips tests that count bytes where these are others.
func skipMemory(t *testing.T) {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
}

// allocatedSoFar is how many bytes have been allocated so far.
func allocatedSoFar() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.TotalAlloc)
}

// live is how many bytes are in use.
func live() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools are emptied by two
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
