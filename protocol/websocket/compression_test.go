package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// line returns a message of about n bytes, which is smaller when it is compressed.
func line(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, `{"id":%d,"user":"user%d","text":"天地 number %d"}`, r.IntN(1e6), r.IntN(50), r.IntN(1000))
	}
	return b.String()
}

// TestCompressionEcho has messages of all sizes go both ways, with pings between their
// fragments.
func TestCompressionEcho(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		c     websocket.Compression
		offer string
		want  string // in the answer
	}{
		{testkit.Here(), websocket.Compression{}, "permessage-deflate", "server_no_context_takeover; client_no_context_takeover"},
		{testkit.Here(), websocket.Compression{Level: 6}, "permessage-deflate; server_max_window_bits=9", "server_max_window_bits=9"},
		{testkit.Here(), websocket.Compression{}, "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9", "server_max_window_bits=8"},
		{testkit.Here(), websocket.Compression{ServerTakeover: true}, "permessage-deflate; client_max_window_bits", "client_no_context_takeover"},
		{testkit.Here(), websocket.Compression{ServerTakeover: true, ServerWindowBits: 15}, "permessage-deflate; server_max_window_bits=10", "server_max_window_bits=10"},
		{testkit.Here(), websocket.Compression{ClientTakeover: true}, "permessage-deflate", "server_no_context_takeover"},
		{testkit.Here(), websocket.Compression{ServerTakeover: true, ClientTakeover: true, ClientWindowBits: 10}, "permessage-deflate; client_max_window_bits",
			"client_max_window_bits=10"},
		{testkit.Here(), websocket.Compression{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 15}, "permessage-deflate", ""},
	}
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		for i, row := range rows {
			s := serve(t, fakes.Echo(), &websocket.Options{Engine: e, Compression: &row.c})
			p := s.openDeflate(t, "Sec-WebSocket-Extensions: "+row.offer)
			if !strings.HasPrefix(p.answer, "permessage-deflate") || !strings.Contains(p.answer, row.want) {
				t.Fatalf("%s: answered with %q, want %q", row.at, p.answer, row.want)
			}
			r := rand.New(rand.NewPCG(uint64(i), 1))
			messages := 40
			if testkit.Race { // which takes ten times as long
				messages = 20
			}
			for n := range messages {
				size := r.IntN(2000)
				if n%10 == 9 {
					size = 5000 + r.IntN(200_000)
				}
				data, op := line(r, size), byte(text+n%2)
				for k, f := range fragments(op|finCont|rsv1, p.deflated(data), 1+r.IntN(size+10)) {
					if k > 0 && k < 5 {
						p.SendBytes(frame(finPing, "between"))
					}
					p.SendBytes(f)
				}
				p.want(op, data, len(data) >= 256)
				if n%7 == 3 { // one that is not compressed is in no window
					p.SendBytes(frame(finText, "plain"))
					p.want(text, "plain", false)
				}
			}
			st := s.Stats().Compression
			if st.Conns != 1 || st.MessagesOut < int64(messages)*2/3 || st.WireBytesOut*2 > st.PlainBytesOut || st.WireBytesIn*2 > st.PlainBytesIn {
				t.Errorf("%s: %+v", row.at, st)
			}
			p.closes()
		}
	})
}

// TestCompressionOff has offers declined: without the option, by middleware, and when they are
// not valid.
func TestCompressionOff(t *testing.T) {
	t.Parallel()
	all := &websocket.Compression{ServerTakeover: true, ClientTakeover: true}
	with := func(x protocol.Compression) protocol.Application {
		return router.Use(fakes.Echo(), router.Compression(x))
	}
	rows := []struct {
		at     testkit.Line
		app    protocol.Application
		o      websocket.Options
		offer  string
		answer string
	}{
		{testkit.Here(), fakes.Echo(), websocket.Options{}, deflateOffer, ""},
		{testkit.Here(), fakes.Echo(), websocket.Options{}, "Sec-WebSocket-Extensions: ;;;", ""},
		{testkit.Here(), fakes.Echo(), websocket.Options{Compression: all}, "X-Other: permessage-deflate", ""},
		{testkit.Here(), fakes.Echo(), websocket.Options{Compression: all}, deflateOffer + "=7", ""},
		{testkit.Here(), fakes.Echo(), websocket.Options{Compression: all}, deflateOffer, "permessage-deflate"},
		{testkit.Here(), with(protocol.CompressionDefault), websocket.Options{Compression: all}, deflateOffer, "permessage-deflate"},
		{testkit.Here(), with(protocol.CompressionOff), websocket.Options{Compression: all}, deflateOffer, ""},
		{testkit.Here(), with(protocol.CompressionNoTakeover), websocket.Options{Compression: all}, deflateOffer,
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{testkit.Here(), fakes.Echo(), websocket.Options{Compression: all, Limits: protocol.Limits{Overflow: protocol.OverflowDropOldest}}, deflateOffer,
			"permessage-deflate; server_no_context_takeover"},
		{testkit.Here(), fakes.Echo(), websocket.Options{Compression: &websocket.Compression{ClientTakeover: true, WindowBytes: 1000}}, deflateOffer,
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
	}
	for _, row := range rows {
		s := serve(t, row.app, &row.o)
		p := s.openDeflate(t, row.offer)
		if p.answer != row.answer {
			t.Errorf("%s: answered with %q, want %q", row.at, p.answer, row.answer)
		}
		data := strings.Repeat("x", 1000)
		p.SendBytes(frame(finText, data))
		p.want(text, data, row.answer != "")
		p.closes()
		if row.answer == "" {
			p = s.openDeflate(t, row.offer)
			p.SendBytes(frame(finText|rsv1, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
			p.WantClosed(protocol.CloseProtocolError)
		}
	}
	s := serve(t, fakes.Echo(), &websocket.Options{Compression: all})
	p := s.peer(t)
	p.SendBytes([]byte("GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate;\r\n\r\n"))
	if a := p.ReadAnswer(); a.Status != 400 {
		t.Errorf("malformed extensions were answered with %d, want 400", a.Status)
	}
}

// TestCompressionOffLoop has a callback send messages that take long to compress: the loop is
// handed over, and all messages come in order.
func TestCompressionOffLoop(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		large := line(rand.New(rand.NewPCG(2, 2)), 400_000)
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			return errors.Join(c.Send(ctx, protocol.Text(m.Text()+large)), c.Send(ctx, m))
		}}
		s := serve(t, app, &websocket.Options{Engine: e, Compression: &websocket.Compression{ServerTakeover: true}})
		p := s.openDeflate(t, deflateOffer)
		const messages = 10
		go func() {
			for i := range messages {
				p.Conn.Write(frame(finText, fmt.Sprint(i))) //nolint:errcheck // the answer shows it
			}
		}()
		for i := range messages {
			p.want(text, fmt.Sprint(i)+large, true)
			p.want(text, fmt.Sprint(i), false)
		}
		if st := s.Stats(); st.OnLoops > 0 && st.LeftBehind == 0 {
			t.Error("no loop was handed over")
		}
		p.closes()
	})
}
