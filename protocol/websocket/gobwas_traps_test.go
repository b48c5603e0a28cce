package websocket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// The traps of gobwas/ws and httphead have numbers, which docs/gobwas.md explains. These
// have no test here, because Wye cannot reach them:
//
//   - G3: nothing of the wsutil.ReadData family is called; TestAllocParse.
//   - G5: nothing of wsutil.GetWriter is called; TestAllocSend.
//   - G6: nothing of wsutil.Writer is called; a connection whose write fails is
//     cut (TestWriteTimeout).
//   - G15: of httphead only ScanTokens is called, which none of it is about;
//     FuzzTokens.
//   - G20: text is checked by utf8scan; its BenchmarkUTF8, and BenchmarkTrapG20.
//   - G21 to G24: nothing of wsflate is called; TestAllocDeflate, TestNegotiate,
//     TestParserInflateBounds, TestCompressionEcho.
//   - G25: there is no client.
//   - G26: TestPromise8_OriginSameHost, TestCloseTimeout and their neighbours.

// lyingHeader is a header that promises a lot, and a byte.
func lyingHeader(first byte, length uint64) []byte {
	b := []byte{first, 0xff}
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(length>>shift))
	}
	return append(b, 0, 0, 0, 0, 'a')
}

// TestTrapG1_LyingLength takes no memory on the word of a header.
func TestTrapG1_LyingLength(t *testing.T) {
	s := serve(t, fakes.Echo(), &websocket.Options{Limits: protocol.Limits{MaxMessage: 1 << 30}})
	var before, after runtime.MemStats
	peers := make([]*peer, 20)
	for i := range peers {
		peers[i] = s.open(t)
	}
	runtime.ReadMemStats(&before)
	for _, p := range peers {
		p.SendBytes(frame(finPing, "?"), lyingHeader(finBinary, 1<<30))
		p.Want(websockettest.Pong("?"))
	}
	for _, p := range peers {
		for length, code := range map[uint64]protocol.CloseCode{1<<63 - 1: 1009, 1 << 63: 1002, 1<<64 - 1: 1002} {
			q := s.open(t)
			q.SendBytes(lyingHeader(finText, length))
			q.WantClose(code)
		}
		p.Conn.Close()
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 100<<20 {
		t.Errorf("80 lies have taken %d bytes", n)
	}
}

// TestTrapG2_LimitOverFragments bounds the message and not the frame; pings
// within it are answered and not kept.
func TestTrapG2_LimitOverFragments(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), &websocket.Options{Limits: protocol.Limits{MaxMessage: 1 << 10}})
	p := s.open(t)
	part := frame(cont, strings.Repeat("a", 100))
	p.SendBytes(frame(text, ""), bytes.Repeat(part, 10), frame(finPing, "within"), part)
	p.Want(websockettest.Pong("within"))
	p.WantClose(1009)
	flood := serve(t, fakes.Echo(), &websocket.Options{Limits: protocol.Limits{MaxControlFrames: 100_000}}).open(t)
	go func() {
		flood.Conn.Write(frame(text, "he"))                          //nolint:errcheck // the answers show it
		flood.Conn.Write(bytes.Repeat(frame(finPing, "p"), 100_000)) //nolint:errcheck // the answers show it
		flood.Conn.Write(frame(finCont, "llo"))                      //nolint:errcheck // the answers show it
	}()
	pongs := 0
	got := flood.Next()
	for ; got.First == finPong && got.Payload == "p"; got = flood.Next() {
		pongs++
	}
	if got.Payload != "hello" || pongs != 100_000 {
		t.Errorf("got %#x %q after %d pongs, want the message after 100000", got.First, got.Payload, pongs)
	}
}

// counted is a connection that counts its writes.
type counted struct {
	net.Conn
	mu     *sync.Mutex
	writes *[]int
}

func (c counted) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.writes = append(*c.writes, len(b))
	return c.Conn.Write(b)
}

type countingListener struct {
	net.Listener
	mu     sync.Mutex
	writes []int
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return counted{nc, &l.mu, &l.writes}, err
}

func (l *countingListener) take() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.writes
	l.writes = nil
	return taken
}

// TestTrapG4_OneWrite makes sure that a frame is one write, and the answers to
// one read are one write as well.
func TestTrapG4_OneWrite(t *testing.T) {
	t.Parallel()
	s := newServer(fakes.Echo(), nil)
	ts := httptest.NewUnstartedServer(s.Server)
	l := &countingListener{Listener: ts.Listener}
	ts.Listener = l
	ts.Start()
	t.Cleanup(func() { s.wantEmpty(t); ts.Close() })
	nc, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, nc)
	p.Upgrade(websockettest.Request("/"))
	if got := l.take(); len(got) != 1 {
		t.Errorf("the answer took writes of %v", got)
	}
	for _, n := range []int{0, 125, 5000, 70000} {
		body := strings.Repeat("a", n)
		p.SendText(body)
		p.WantText(body)
		if got := l.take(); len(got) != 1 {
			t.Errorf("an echo of %d bytes took writes of %v", n, got)
		}
	}
	var writes []int
	for range 5 { // a busy machine may look like a callback that blocks
		p.SendBytes(bytes.Repeat(append(frame(finText, "many"), frame(finPing, "many")...), 16))
		for range 32 {
			if got := p.Next(); got.Payload != "many" {
				t.Fatalf("got %v", got)
			}
		}
		if writes = l.take(); len(writes) == 1 {
			return
		}
	}
	t.Errorf("the answers to 32 pipelined frames took writes of %v", writes)
}

// TestTrapG7_OneWriter has pongs, replies and sends of several goroutines on one
// connection: no frame lands within another.
func TestTrapG7_OneWriter(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 50
	app, opened := conns()
	p := serve(t, app, nil).open(t)
	c := <-opened
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for i := range each {
				if err := c.Send(context.Background(), protocol.Text(strings.Repeat("s", i*100))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		for i := range each {
			p.Conn.Write(append(frame(finPing, fmt.Sprint(i)), frame(finBinary, strings.Repeat("b", i*50))...)) //nolint:errcheck // the answers show it
		}
	}()
	got := map[byte]int{}
	for range (senders + 2) * each {
		f := p.Next()
		want := map[byte]string{finText: "s", finBinary: "b", finPong: ""}[f.First]
		if f.First == finPong && f.Payload != fmt.Sprint(got[finPong]) || f.First != finPong && strings.Trim(f.Payload, want) != "" {
			t.Fatalf("got %v", f)
		}
		got[f.First]++
	}
	if got[finText] != senders*each || got[finBinary] != each || got[finPong] != each {
		t.Errorf("got %v", got)
	}
	all.Wait()
}

// TestTrapG8_PartialFrames makes sure that a peer which stops within a frame
// holds up nobody, and still gets what is sent to it.
func TestTrapG8_PartialFrames(t *testing.T) {
	t.Parallel()
	app, opened := conns()
	s := serve(t, app, nil)
	whole := frame(finText, "hello")
	for cut := 1; cut < len(whole); cut++ {
		p := s.open(t)
		c := <-opened
		p.SendBytes(whole[:cut])
		if err := c.Send(t.Context(), protocol.Text("meanwhile")); err != nil {
			t.Fatal(err)
		}
		p.WantText("meanwhile")
		p.SendBytes(whole[cut:])
		p.WantText("hello")
	}
}

// TestTrapG9_G10_Handshake sends what ws.Upgrader lets through.
func TestTrapG9_G10_Handshake(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	rows := []struct {
		at       testkit.Line
		old, now string
		status   int
	}{
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nX-Long: " + strings.Repeat("x", 40<<10), 431},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\n" + strings.Repeat("X-Many: x\r\n", 5000) + "X-Last: x", 431},
		{testkit.Here(), "Host: example.com", "Host : example.com", 400},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nHost: example.org", 400},
		{testkit.Here(), "Host: example.com", "X-Host: example.com", 400},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nX-Nul: a\x00b", 400},
		{testkit.Here(), "Upgrade: websocket", "Upgrade : websocket", 400},
		{testkit.Here(), "HTTP/1.1", "HTTP/1.?", 400},
		{testkit.Here(), websockettest.SampleKey, "not base64 at all...", 400},
	}
	for _, row := range rows {
		if a := s.peer(t).Handshake(strings.Replace(websockettest.Request("/"), row.old, row.now, 1)); a.Status != row.status {
			t.Errorf("%s: status %d %q, want %d", row.at, a.Status, a.Body, row.status)
		}
	}
}

// TestTrapG11_MalformedRequestLine gets an answer. That early bytes are not lost
// is TestHandshakeEarlyBytes.
func TestTrapG11_MalformedRequestLine(t *testing.T) {
	t.Parallel()
	p := serve(t, fakes.Echo(), nil).peer(t)
	if a := p.Handshake("GET\r\n\r\n"); a.Status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", a.Status)
	}
}

// TestTrapG12_PlainGet is answered by HTTP and not taken over. That headers of
// middleware survive (G13) is TestAcceptKeepsHeaders.
func TestTrapG12_PlainGet(t *testing.T) {
	t.Parallel()
	p := serve(t, fakes.Echo(), nil).peer(t)
	if a := p.Handshake("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"); a.Status != http.StatusUpgradeRequired {
		t.Errorf("status %d, want 426", a.Status)
	}
	p.WantEnd()
}

// TestTrapG14_Tokens takes an empty list and a tab.
func TestTrapG14_Tokens(t *testing.T) {
	t.Parallel()
	p := serve(t, fakes.Echo(), nil).peer(t)
	p.Upgrade(strings.Replace(websockettest.Request("/", "Sec-WebSocket-Protocol:"), "Connection: Upgrade", "Connection: keep-alive,\tUpgrade", 1))
}

// TestTrapG16_CloseReasons never sends half a rune, and takes the codes of the
// registry; the table is TestCloseByPeer.
func TestTrapG16_CloseReasons(t *testing.T) {
	t.Parallel()
	for cut := range 4 {
		reason := strings.Repeat("a", 120+cut) + "世界"
		app := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
			return protocol.NewCloseError(4000, reason)
		}}
		p := serve(t, app, nil).open(t)
		p.SendText("close")
		p.Want(websockettest.Close(4000, []string{reason[:123], reason[:121], reason[:122], reason[:123]}[cut]))
	}
}

// TestTrapG17_ClosesAreSent for each kind of fault is
// TestDecision28_CloseReachesThePeer. TestTrapG18 is about what gobwas accepts.
func TestTrapG18_ReservedBitsAndLengths(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	for _, in := range [][]byte{
		frame(0x81|0x20, "a"), frame(0x81|0x10, "a"), frame(0x89|0x40, "a"), {finText, 0xfe, 0, 1, 0, 0, 0, 0, 'a'}, lyingHeader(finText, 1),
	} {
		p := s.open(t, "Sec-WebSocket-Extensions: permessage-deflate")
		p.SendBytes(in)
		p.WantClose(1002)
	}
}

// TestTrapG19_NoCompression declines every extension without Options.Compression, and refuses
// frames that use one all the same. TestCompressionViolations has text that is not UTF-8.
func TestTrapG19_NoCompression(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	for _, offer := range []string{"permessage-deflate", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame", "bogus; a=1", ";;"} {
		p := s.peer(t)
		a := p.Upgrade(websockettest.Request("/", "Sec-WebSocket-Extensions: "+offer))
		if got, has := a.Header["Sec-Websocket-Extensions"]; has {
			t.Errorf("%q: accepted %q", offer, got)
		}
		p.SendBytes(frame(0x81|0x40, "\xcaH\xcd\xc9\xc9\x07\x00")) // "Hello", deflated
		p.WantClose(1002)
		p.WantEnd()
	}
}

// TestTrapG27_TLS speaks TLS as any other connection.
func TestTrapG27_TLS(t *testing.T) {
	t.Parallel()
	s := newServer(fakes.Echo(), small())
	ts := httptest.NewTLSServer(s.Server)
	t.Cleanup(func() { s.wantEmpty(t); ts.Close() })
	dial := func() *peer {
		nc, err := tls.Dial("tcp", ts.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return newPeer(t, nc)
	}
	p := dial()
	p.Upgrade(websockettest.Request("/"))
	p.SendText("hello")
	p.WantText("hello")
	p.closes()
	p = dial()
	p.SendBytes([]byte(websockettest.Request("/")), frame(finText, "early"))
	p.ReadAnswer()
	p.WantText("early")
	p.SendBytes(frame(finCont, "breaks the rules"), bytes.Repeat([]byte("junk"), 1<<10))
	p.WantClose(1002)
	p.WantEnd()
}
