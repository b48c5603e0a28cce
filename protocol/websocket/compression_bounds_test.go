package websocket_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// TestCompressionViolations has peers break the rules of compression.
func TestCompressionViolations(t *testing.T) {
	t.Parallel()
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	zeros := new(deflatePeer)
	bomb := zeros.deflated(strings.Repeat("\x00", 100_000))
	rows := []struct {
		at   testkit.Line
		in   [][]byte
		code protocol.CloseCode
	}{
		{testkit.Here(), [][]byte{frame(text, "x"), frame(finCont|rsv1, "y")}, protocol.CloseProtocolError},
		{testkit.Here(), [][]byte{frame(text|rsv1, hello[:2]), frame(finCont|rsv1, hello[2:])}, protocol.CloseProtocolError},
		{testkit.Here(), [][]byte{frame(finPing|rsv1, "")}, protocol.CloseProtocolError},
		{testkit.Here(), [][]byte{frame(finClose|rsv1, "")}, protocol.CloseProtocolError},
		{testkit.Here(), [][]byte{frame(finText|rsv1|0x10, hello)}, protocol.CloseProtocolError},
		{testkit.Here(), [][]byte{frame(finText|rsv1, "not compressed")}, protocol.CloseInvalidPayload},
		{testkit.Here(), [][]byte{frame(finText|rsv1, hello[:4])}, protocol.CloseInvalidPayload},
		{testkit.Here(), [][]byte{frame(finText|rsv1, zeros.deflated("a\xff"))}, protocol.CloseInvalidPayload},
		{testkit.Here(), [][]byte{frame(binaryOp|rsv1, bomb)}, protocol.CloseMessageTooBig},
		{testkit.Here(), [][]byte{frame(finBinary|rsv1, strings.Repeat("\x00\x00\x00\xff\xff", 30_000))}, protocol.CloseMessageTooBig},
	}
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		o := &websocket.Options{Engine: e, Compression: &websocket.Compression{ClientTakeover: true}, Limits: protocol.Limits{MaxMessage: 99_999}}
		s := serve(t, fakes.Echo(), o)
		counted := map[protocol.CloseCode]int64{}
		for _, row := range rows {
			p := s.openDeflate(t, deflateOffer)
			p.SendBytes(frame(finText|rsv1, hello))
			p.want(text, "Hello", false)
			p.SendBytes(row.in...)
			p.WantClosed(row.code)
			counted[row.code]++
		}
		s.wantEmpty(t)
		st := s.Stats()
		if st.TooBig != counted[protocol.CloseMessageTooBig] || st.Violations != int64(len(rows))-st.TooBig {
			t.Errorf("counted %d too big and %d violations, want %v", st.TooBig, st.Violations, counted)
		}
		if c := st.Compression; c.Conns != 0 || c.WindowBytes != 0 {
			t.Errorf("%+v when all is over", c)
		}
	})
}

// TestCompressionRatio has the ratio bound a message, and only a large one.
func TestCompressionRatio(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at    testkit.Line
		ratio int
		size  int
		ok    bool
	}{
		{testkit.Here(), 0, 64 << 10, true},
		{testkit.Here(), 0, 300_000, false},
		{testkit.Here(), 2000, 300_000, true},
		{testkit.Here(), -1, 300_000, true},
	} {
		s := serve(t, fakes.Echo(), &websocket.Options{Compression: &websocket.Compression{MaxRatio: row.ratio}})
		p := s.openDeflate(t, deflateOffer)
		data := strings.Repeat("x", row.size)
		p.SendBytes(frame(finText|rsv1, p.deflated(data)))
		if !row.ok {
			p.WantClosed(protocol.CloseMessageTooBig)
			continue
		}
		p.want(text, data, true)
		p.closes()
	}
}

// TestCompressionBombsStallNobody has a peer send messages that get a thousand times larger,
// as many as it can: the other peers are served.
func TestCompressionBombsStallNobody(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		s := serve(t, &fakes.Handler{OnReceive: fakes.Echo().OnReceive}, &websocket.Options{Engine: e, Compression: &websocket.Compression{MaxRatio: -1}})
		good, bad := s.open(t), s.openDeflate(t, deflateOffer)
		bomb := frame(finBinary|rsv1, bad.deflated(strings.Repeat("\x00", 1<<20)))
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := bad.Conn.Write(bomb); err != nil {
					return
				}
			}
		}()
		for range 30 {
			good.SendText("still here")
			good.WantText("still here")
		}
		close(stop)
		bad.Conn.Close()
		<-stopped
		good.closes()
	})
}

// TestCompressionWindowsAreGivenBack has a connection with takeover become idle.
func TestCompressionWindowsAreGivenBack(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), &websocket.Options{Compression: &websocket.Compression{ServerTakeover: true, ClientTakeover: true}})
		p := s.openDeflate(t, deflateOffer)
		data := line(rand.New(rand.NewPCG(1, 1)), 1000)
		wire := func() int64 {
			before := s.Stats().Compression.WireBytesOut
			p.SendBytes(frame(finText|rsv1, p.deflated(data)))
			p.want(text, data, true)
			return s.Stats().Compression.WireBytesOut - before
		}
		windows := func() int64 { return s.Stats().Compression.WindowBytes }
		const client, server = 32 << 10, 4 << 10
		if n := windows(); n != client {
			t.Errorf("%d bytes of windows at first, want %d", n, client)
		}
		first, second := wire(), wire()
		if n := windows(); n != client+server || second*4 > first {
			t.Errorf("%d bytes of windows and %d and %d on the wire, want %d and a quarter", n, first, second, client+server)
		}
		<-time.After(15 * time.Second)
		synctest.Wait()
		if n := windows(); n != client {
			t.Errorf("%d bytes of windows after a while, want %d", n, client)
		}
		if again := wire(); again != first {
			t.Errorf("%d bytes on the wire after a while, want %d", again, first)
		}
		p.closes()
	})
}

// TestCompressionWindowsRunShort has peers take all that there is for windows: from half of it
// on, those that let the server choose get small windows, and in the end there are none.
func TestCompressionWindowsRunShort(t *testing.T) {
	t.Parallel()
	const kib = 1 << 10
	const chooses, fixed = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-WebSocket-Extensions: permessage-deflate"
	s := serve(t, fakes.Echo(), &websocket.Options{Compression: &websocket.Compression{ClientTakeover: true, WindowBytes: 138 * kib}})
	data := line(rand.New(rand.NewPCG(3, 3)), 1500)
	var peers []*deflatePeer
	open := func(at testkit.Line, offer string, bits int, windows int64) {
		t.Helper()
		p := s.openDeflate(t, offer)
		if p.clientBits != bits && bits != 0 || p.clientTakeover != (bits != 0) {
			t.Errorf("%s: answered with %q, want a window of %d bits", at, p.answer, bits)
		}
		if n := s.Stats().Compression.WindowBytes; n != windows*kib {
			t.Errorf("%s: windows take %d bytes, want %d KiB", at, n, windows)
		}
		for range 3 {
			p.SendBytes(frame(finText|rsv1, p.deflated(data)))
			p.want(text, data, true)
		}
		peers = append(peers, p)
	}
	open(testkit.Here(), chooses, 15, 32)
	open(testkit.Here(), fixed, 15, 64)
	open(testkit.Here(), chooses, 15, 96)
	open(testkit.Here(), chooses, 12, 100)
	open(testkit.Here(), chooses+"=10", 10, 101)
	open(testkit.Here(), fixed, 15, 133)
	open(testkit.Here(), chooses, 12, 137)
	open(testkit.Here(), fixed, 0, 137)
	open(testkit.Here(), chooses, 0, 137)
	for _, p := range peers[:3] {
		p.closes()
	}
	s.wantWindows(t, 41*kib)
	open(testkit.Here(), chooses, 15, 73)
	for _, p := range peers[3:] {
		p.closes()
	}
}

// wantWindows waits until windows take n bytes.
func (s *server) wantWindows(t *testing.T, n int64) {
	t.Helper()
	for begun := time.Now(); s.Stats().Compression.WindowBytes != n; <-time.After(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("windows take %d bytes, want %d", s.Stats().Compression.WindowBytes, n)
		}
	}
}

// TestCompressionCountsRefused makes sure that a message that is refused counts as inflated.
func TestCompressionCountsRefused(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		s := serve(t, fakes.Echo(), &websocket.Options{Engine: e, Compression: &websocket.Compression{}})
		p := s.openDeflate(t, deflateOffer)
		bad := new(deflatePeer).deflated("a\xff")
		p.SendBytes(frame(finText|rsv1, bad))
		p.WantClosed(protocol.CloseInvalidPayload)
		s.wantEmpty(t)
		if c := s.Stats().Compression; c.WireBytesIn != int64(len(bad)) || c.PlainBytesIn != 2 {
			t.Errorf("%+v, want %d bytes that became 2", c, len(bad))
		}
	})
}
