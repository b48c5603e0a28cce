package websocket_test

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// FuzzCompressedConversation has messages echoed that the input makes up: what is said, in
// which frames, compressed or not, after which offer, to a server with which options.
func FuzzCompressedConversation(f *testing.F) {
	f.Add([]byte("\x00\x00abcabcabcabcabcabc"), uint8(0), uint8(3))
	f.Add([]byte("\x81\x10{\"a\":1}\x42\x03{\"a\":2}\xc3\x30{\"a\":3}"), uint8(1), uint8(7))
	f.Add([]byte("\xff\xff\x20\x01\x40\x05\x60\x09"), uint8(4), uint8(15))
	f.Fuzz(func(t *testing.T, script []byte, offer, options uint8) {
		if len(script) > 1<<10 {
			t.Skip("too long")
		}
		s := newServer(fakes.Echo(), &websocket.Options{Engine: websocket.EngineGoroutine, Compression: &websocket.Compression{
			Threshold: 1, ServerTakeover: options&1 != 0, ClientTakeover: options&2 != 0,
			ServerWindowBits: 8 + int(options>>2&7), ClientWindowBits: 15 - int(options>>5), MaxRatio: -1,
		}})
		l := websockettest.Serve(t, s.httpServer(s.Server))
		p := &deflatePeer{peer: newPeer(t, l.Dial())}
		offers := deflateOffers()
		p.Upgrade(websockettest.Request("/", "Sec-WebSocket-Extensions: "+offers[int(offer)%len(offers)]))
		p.readParameters()
		for len(script) > 1 {
			how, n := script[0], int(script[1])
			n = min(n%32, len(script)-2)
			data := strings.Repeat(string(script[2:2+n]), 1+int(how>>4)*int(how>>4))
			script = script[2+n:]
			first, payload := byte(finBinary), data
			if how&1 == 0 {
				first, payload = first|rsv1, p.deflated(data)
			}
			go p.Conn.Write(joinFrames(fragments(first, payload, 1+int(how>>1&7)*13))) //nolint:errcheck // the echo shows it
			if m := p.readMessage(); m.op != binaryOp || m.data != data {
				t.Fatalf("got opcode %d and %q, want %q", m.op, m.data, data)
			}
		}
		go p.Conn.Write(closing(protocol.CloseNormal, "")) //nolint:errcheck // the answer shows it
		p.WantClose(protocol.CloseNormal)
		p.WantEnd()
	})
}

func joinFrames(frames [][]byte) (all []byte) {
	for _, f := range frames {
		all = append(all, f...)
	}
	return all
}
