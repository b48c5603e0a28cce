package websocket_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol/websocket"
)

// exchange is a size of the messages of Autobahn's families 12 and 13, and that of their
// frames.
type exchange struct{ size, fragment int }

// exchanges are the eighteen of each case, in Autobahn's order. 0 is one frame.
func exchanges() (all []exchange) {
	for size := 16; size <= 131072; size *= 2 {
		if size != 32 && size != 128 && size != 512 && size != 2048 {
			all = append(all, exchange{size, 0})
		}
	}
	for size := 8192; size <= 131072; size *= 2 {
		all = append(all, exchange{size, 256})
	}
	return append(all, exchange{131072, 1024}, exchange{131072, 4096}, exchange{131072, 32768})
}

// contents are those of family 12: of a kind and a size, and different for each seed.
func contents() []func(seed, size int) (op byte, data string) {
	random := func(seed, size int) string {
		r := rand.New(rand.NewPCG(uint64(seed), uint64(size)))
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	json := func(seed, size int) string { return line(rand.New(rand.NewPCG(uint64(seed), 5)), size) }
	return []func(seed, size int) (byte, string){
		func(seed, size int) (byte, string) { return text, json(seed, size) },
		func(seed, size int) (byte, string) { return text, fmt.Sprint(seed, filler(size)) },
		func(seed, size int) (byte, string) { return binaryOp, fmt.Sprint(seed, octets(size)) },
		func(seed, size int) (byte, string) { return binaryOp, random(seed, size) },
		func(seed, size int) (byte, string) {
			return text, strings.ToValidUTF8(fmt.Sprint(seed, strings.Repeat("κόσμε 世界 ", size/18)), "?")
		},
	}
}

// offers are those of family 13.
func deflateOffers() []string {
	const pmd = "permessage-deflate; client_max_window_bits"
	return []string{
		pmd, pmd + "; server_no_context_takeover", pmd + "; server_max_window_bits=9", pmd + "; server_max_window_bits=15",
		pmd + "; server_no_context_takeover; server_max_window_bits=9", pmd + "; server_no_context_takeover; server_max_window_bits=15",
		pmd + "; server_no_context_takeover; server_max_window_bits=9, " + pmd + "; server_no_context_takeover, " + pmd,
	}
}

// TestConformanceCompression asks what Autobahn's families 12 (kinds of messages) and 13
// (parameters) ask, with fewer messages each.
func TestConformanceCompression(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		for _, takeover := range []bool{false, true} {
			s := serve(t, fakes.Echo(), &websocket.Options{Engine: e, Compression: &websocket.Compression{ServerTakeover: takeover, ClientTakeover: takeover}})
			n := 0
			for _, content := range contents() {
				for _, x := range exchanges() {
					s.exchange(t, deflateOffers()[0], x, content)
					n++
				}
			}
			for _, offer := range deflateOffers() {
				for _, x := range exchanges() {
					s.exchange(t, offer, x, contents()[0])
					n++
				}
			}
			if n != 216 {
				t.Errorf("%d cases, want 216", n)
			}
		}
	})
}

// exchange has messages echoed to one peer.
func (s *server) exchange(t *testing.T, offer string, x exchange, content func(seed, size int) (byte, string)) {
	t.Helper()
	p := s.openDeflate(t, "Sec-WebSocket-Extensions: "+offer)
	if p.answer == "" {
		t.Fatalf("%q was declined", offer)
	}
	size := x.fragment
	if size == 0 {
		size = 1 << 20
	}
	messages := 2
	if testkit.Race { // which takes ten times as long
		messages = max(1-x.size/10_000, 0)
	}
	for seed := range messages {
		op, data := content(seed, x.size)
		p.SendBytes(fragments(op|finCont|rsv1, p.deflated(data), size)...)
		if m := p.readMessage(); m.op != op || m.data != data {
			t.Fatalf("%q, %+v: got opcode %d and %d bytes, want %d and %d", offer, x, m.op, len(m.data), op, len(data))
		}
	}
	p.closes()
}
