package websocket_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// trap is a trap of gobwas/ws or httphead. Its name starts with its number in docs/gobwas.md.
type trap struct {
	at    testkit.Line
	name  string
	there bool        // in the versions of go.mod
	guard string      // what of ours stands in front of it, in words of our sources
	test  string      // fails without the guard
	probe func() bool // whether the trap is there
}

// TestGobwasTraps checks which traps the versions in go.mod have, and that each has a row in
// docs/gobwas.md.
func TestGobwasTraps(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/gobwas.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, tests := sourceOf(t, false), sourceOf(t, true)
	for _, row := range slices.Concat(framingTraps(), handshakeTraps(), textTraps()) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if number, _, _ := strings.Cut(row.name, " "); !bytes.Contains(doc, []byte("| "+number+" |")) {
				t.Errorf("%s: docs/gobwas.md has no row for %s", row.at, number)
			}
			if there := row.probe(); there != row.there {
				t.Errorf("%s: the library has changed: look whether the guard %s is still needed (there: %v, was %v); its test is %s",
					row.at, row.guard, there, row.there, row.test)
			}
			for word := range strings.SplitSeq(row.guard, ", ") {
				if !strings.Contains(sources, word) {
					t.Errorf("%s: the guard %s is not in the sources any more", row.at, word)
				}
			}
			for name := range strings.SplitSeq(row.test, ", ") {
				if !strings.Contains(tests, "func "+name+"(") {
					t.Errorf("%s: there is no test %s any more", row.at, name)
				}
			}
		})
	}
}

// sourceOf returns the source of protocol and all packages below it, or that of their
// tests.
func sourceOf(t *testing.T, ofTests bool) string {
	t.Helper()
	var all strings.Builder
	for _, name := range goFiles(t, "..") {
		if strings.HasSuffix(name, "_test.go") != ofTests {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// goFiles returns the Go files in dir and below it.
func goFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".go") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func framingTraps() []trap {
	return []trap{
		{testkit.Here(), "G1 ReadFrame and ReadClientMessage believe a length", false, "maxReserve", "TestTrapG1_LyingLength, TestParserTakesLittleOnTrust", believesLengths},
		{testkit.Here(), "G2 MaxFrameSize does not bound a message", true, "rules.maxNextFrame(p.PayloadLen())", "TestTrapG2_LimitOverFragments, TestParser", frameLimitOnly},
		{testkit.Here(), "G2 nothing bounds the number of fragments", true, "ErrFragments", "TestParserBounds", manyFragments},
		{testkit.Here(), "G2 ReadMessage keeps the pings within a message", true, "c.sendPong(it.Data)", "TestTrapG2_LimitOverFragments", keepsPings},
		{testkit.Here(), "G3 ReadData reads several times for a frame", true, "it.Data = part", "TestAllocParse", readsOften},
		{testkit.Here(), "G3 ReadData has no limit by default", true, "ErrTooBig", "TestParser", noLimit},
		{testkit.Here(), "G4 WriteServerMessage writes twice, Writer in frames", true, "frame.Append", "TestTrapG4_OneWrite", writesTwice},
		{testkit.Here(), "G5 PutWriter drops what it is given", true, "pool.Put(b)", "TestAllocSend", neverReuses},
		{testkit.Here(), "G6 Writer.Reset keeps the error", true, "c.out.abort()", "TestBrokenKeepsNothing", staysPoisoned},
		{testkit.Here(), "G7 a pong is written between header and payload", true, "o.mu.owned", "TestOutgoingOwner, TestTrapG7_OneWriter", interleaves},
		{testkit.Here(), "G8 half a header is lost", true, "s.headerLen", "TestTrapG8_PartialFrames, TestParser", losesHalves},
		{testkit.Here(), "G17 Reader's errors send no close", true, "session.Fail(err)", "TestDecision28_CloseReachesThePeer", closesSilently},
		{testkit.Here(), "G18 RSV2 and RSV3 pass once there is an extension", true, "ws.CheckHeader(ws.Header{, state := ws.StateServerSide", "TestTrapG18_ReservedBitsAndLengths", reservedBits},
		{testkit.Here(), "G18 a length need not be in its shortest form", true, "errNotMinimal", "TestTrapG18_ReservedBitsAndLengths", longLengths},
	}
}

func handshakeTraps() []trap {
	const refused = "TestTrapG9_G10_Handshake"
	return []trap{
		{testkit.Here(), "G9 a header line is unbounded", true, "bytes > maxBytes", refused, upgrades("X-Long: " + strings.Repeat("x", 1<<20))},
		{testkit.Here(), "G9 header lines are not counted", true, "bytes > maxBytes", refused, upgrades(strings.Repeat("X-Many: x\r\n", 20_000) + "X-Last: x")},
		{testkit.Here(), "G10 a space before the colon", true, "net/http", refused, upgradesWith("Host: example.com", "Host : example.com")},
		{testkit.Here(), "G10 Host twice", true, "net/http", refused, upgrades("Host: example.org")},
		{testkit.Here(), "G10 the key twice", true, "hasValidKey(h)", refused, upgrades("Sec-WebSocket-Key: " + websockettest.SampleKey)},
		{testkit.Here(), "G10 a key that is no base64", true, "hasValidKey(h)", refused, upgradesWith(websockettest.SampleKey, strings.Repeat("!", 24))},
		{testkit.Here(), "G10 lines that end in LF alone", true, "net/http", refused, upgradesWith("\r\n", "\n")},
		{testkit.Here(), "G10 NUL in a value", true, "net/http", refused, upgrades("X-Nul: a\x00b")},
		{testkit.Here(), "G10 HTTP/1.?", true, "net/http", refused, upgradesWith("HTTP/1.1", "HTTP/1.?")},
		{testkit.Here(), "G10 a body", true, "r.ContentLength != 0", "TestHandshakeBody, TestCheck", upgrades("Content-Length: 3")},
		{testkit.Here(), "G11 Upgrader drops what follows the request", true, "rw.Reader.Buffered()", "TestHandshakeEarlyBytes", dropsEarlyBytes},
		{testkit.Here(), "G11 a malformed request line is not answered", true, "net/http", "TestTrapG11_MalformedRequestLine", answersNothing},
		{testkit.Here(), "G12 HTTPUpgrader takes over before it looks", true, "handshake.CheckRequest(r", "TestTrapG12_PlainGet", takesOverFirst},
		{testkit.Here(), "G13 HTTPUpgrader ignores the headers of middleware", true, "Middleware: h.w.Header()", "TestAcceptKeepsHeaders", losesHeaders},
		{testkit.Here(), "G14 an empty list of subprotocols is refused", true, `case element == "":`, "TestTrapG14_Tokens, TestTokens", refuses("Host:", "Sec-WebSocket-Protocol:\r\nHost:")},
		{testkit.Here(), "G14 a tab is no space", true, `strings.Trim(element, " \t")`, "TestTrapG14_Tokens, TestTokens", refuses(": Upgrade", ": keep-alive,\tUpgrade")},
		{testkit.Here(), "G15 IntFromASCII takes ? and overflows", true, "httphead.ScanTokens", "TestGobwasSurface", oddNumbers},
		{testkit.Here(), "G15 RemoveByte drops the last byte", true, "httphead.ScanTokens", "TestGobwasSurface", func() bool { return string(httphead.RemoveByte([]byte(`ab\c`), '\\')) == "ab" }},
		{testkit.Here(), "G15 ScanCookie loses a cookie behind two spaces", true, "httphead.ScanTokens", "TestGobwasSurface", losesCookies},
	}
}

func textTraps() []trap {
	return []trap{
		{testkit.Here(), "G16 a reason is cut within a rune", true, "trimReason", "TestTrapG16_CloseReasons, FuzzClosePayload", cutsRunes},
		{testkit.Here(), "G16 1012, 1013 and 1014 are refused", true, "code.Receivable()", "TestCloseByPeer, FuzzClosePayload", refusesCodes},
		{testkit.Here(), "G16 5000 and more are taken", true, "code.Receivable()", "TestCloseByPeerBroken, FuzzClosePayload", takesCodes},
		{testkit.Here(), "G19 UTF-8 is looked for in compressed bytes", true, "ws.CheckHeader(ws.Header{, state := ws.StateServerSide", "TestTrapG19_NoCompression", checksDeflated},
	}
}

// TestGobwasSurface makes sure that nothing else of the libraries is used, in which
// the other traps are: G3, G5, G6, G12, G15 and G20 to G24 cannot be reached.
func TestGobwasSurface(t *testing.T) {
	t.Parallel()
	safe := []string{
		"httphead.ScanTokens", "ws.CheckHeader", "ws.Cipher", "ws.ErrProtocolNonZeroRsv", "ws.Header", "ws.MaxControlFramePayloadSize", "ws.MaxHeaderSize", "ws.MinHeaderSize",
		"ws.OpBinary", "ws.OpClose", "ws.OpCode", "ws.OpContinuation", "ws.OpPing", "ws.OpPong", "ws.OpText", "ws.State", "ws.StateFragmented", "ws.StateServerSide",
	}
	used := 0
	for _, name := range goFiles(t, ".") {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "frametest") || strings.Contains(name, "handshaketest") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := s.X.(*ast.Ident); ok && slices.Contains([]string{"ws", "httphead", "wsutil", "wsflate"}, of.Name) {
				used++
				if what := of.Name + "." + s.Sel.Name; !slices.Contains(safe, what) {
					t.Errorf("%s uses %s: look for traps in it, and add it here", name, what)
				}
			}
			return true
		})
	}
	if used < len(safe)/2 {
		t.Errorf("the sources use %d names of gobwas: this test looks in the wrong place", used)
	}
}

// tape is a connection in memory: reads take in, writes are kept one by one.
type tape struct {
	in     io.Reader
	writes [][]byte
	reads  int
	fail   error  // of writes
	during func() // is called within a write, once
}

func (m *tape) Read(b []byte) (int, error) {
	m.reads++
	return m.in.Read(b)
}

func (m *tape) Write(b []byte) (int, error) {
	m.writes = append(m.writes, slices.Clone(b))
	if during := m.during; during != nil {
		m.during = nil
		during()
	}
	return len(b), m.fail
}

func (m *tape) written() string { return string(bytes.Join(m.writes, nil)) }

func heard(frames ...[]byte) *tape {
	return &tape{in: bytes.NewReader(bytes.Join(frames, nil))}
}

// allocated is how many bytes f allocates; what runs beside it counts as well.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func believesLengths() (believes bool) {
	defer func() { believes = believes || recover() != nil }()
	for _, length := range []uint64{1 << 31, 1<<63 - 1} {
		lie := lyingHeader(finBinary, length)
		n := allocated(func() {
			_, _ = ws.ReadFrame(bytes.NewReader(lie)) //nolint:staticcheck // deprecated: it is what the trap is about
			_, _ = wsutil.ReadClientMessage(bytes.NewReader(lie), nil)
		})
		believes = believes || n > 1<<30
	}
	return believes
}

// readWith reads a message with a limit of 1 KiB for each frame.
func readWith(frames ...[]byte) (int, error) {
	r := wsutil.NewReader(heard(frames...), ws.StateServerSide)
	r.MaxFrameSize = 1 << 10
	if _, err := r.NextFrame(); err != nil {
		return 0, err
	}
	b, err := io.ReadAll(r)
	return len(b), err
}

func frameLimitOnly() bool {
	part := strings.Repeat("a", 1<<10)
	n, err := readWith(frame(binaryOp, part), bytes.Repeat(frame(cont, part), 1<<10), frame(finCont, ""))
	return err == nil && n > 1<<20
}

func manyFragments() bool {
	n, err := readWith(frame(binaryOp, ""), bytes.Repeat(frame(cont, ""), 100_000), frame(finCont, "a"))
	return err == nil && n == 1
}

func keepsPings() bool {
	got, err := wsutil.ReadClientMessage(heard(frame(text, "a"), bytes.Repeat(frame(finPing, "p"), 10_000), frame(finCont, "b")), nil)
	return err == nil && len(got) == 10_001
}

func readsOften() bool {
	small, large := heard(frame(finBinary, strings.Repeat("a", 100))), heard(frame(finBinary, strings.Repeat("a", 1000)))
	_, _, err := wsutil.ReadClientData(small)
	_, _, err2 := wsutil.ReadClientData(large)
	return errors.Join(err, err2) == nil && small.reads > 2 && large.reads > 2
}

func noLimit() bool {
	b, _, err := wsutil.ReadClientData(heard(frame(finBinary, strings.Repeat("a", 8<<20))))
	return err == nil && len(b) == 8<<20
}

func writesTwice() bool {
	var one, many tape
	err := wsutil.WriteServerMessage(&one, ws.OpText, []byte("hello"))
	w := wsutil.NewWriterSize(&many, ws.StateServerSide, ws.OpText, 4096)
	_, err2 := w.Write(make([]byte, 5000))
	err3 := w.Flush()
	return errors.Join(err, err2, err3) == nil && len(one.writes) == 2 && len(many.writes) == 3
}

func neverReuses() bool {
	for range 100 {
		w := wsutil.GetWriter(io.Discard, ws.StateServerSide, ws.OpText, 4096)
		wsutil.PutWriter(w)
		if wsutil.GetWriter(io.Discard, ws.StateServerSide, ws.OpText, 4096) == w {
			return false
		}
	}
	return true
}

func staysPoisoned() bool {
	w := wsutil.NewWriter(&tape{fail: io.ErrShortWrite}, ws.StateServerSide, ws.OpText)
	_, _ = w.Write([]byte("a"))
	_ = w.Flush()
	w.Reset(io.Discard, ws.StateServerSide, ws.OpText)
	_, err := w.Write([]byte("a"))
	return err != nil
}

// interleaves has a ping answered while a message is written: nothing keeps the
// one from the other.
func interleaves() bool {
	var m tape
	m.during = func() {
		_ = wsutil.ControlFrameHandler(&m, ws.StateServerSide)(ws.Header{Fin: true, OpCode: ws.OpPing, Length: 1}, strings.NewReader("p"))
	}
	err := wsutil.WriteServerMessage(&m, ws.OpText, []byte("hello"))
	return err == nil && m.written() == "\x81\x05"+"\x8a\x01p"+"hello"
}

// again is a reader that would block after its first byte, once.
type again struct{ rest []byte }

func (a *again) Read(b []byte) (int, error) {
	n := copy(b[:min(1, len(b))], a.rest)
	if a.rest = a.rest[n:]; n == 0 {
		return 0, io.ErrNoProgress
	}
	return n, nil
}

func losesHalves() bool {
	whole := frame(finText, "hello")
	r := &again{rest: whole[:3]}
	if _, err := ws.ReadHeader(r); err == nil {
		return false
	}
	r.rest = whole[3:] // which has come since
	h, err := ws.ReadHeader(r)
	return err != nil || h.OpCode != ws.OpText || h.Length != 5
}

func closesSilently() bool {
	for _, bad := range [][]byte{frame(0xc1, "a"), frame(finText, "\xff"), frame(finText, strings.Repeat("a", 2<<10))} {
		m := heard(bad)
		r := &wsutil.Reader{Source: m, State: ws.StateServerSide, CheckUTF8: true, MaxFrameSize: 1 << 10, MaxMessageSize: 1 << 10}
		_, err := r.NextFrame()
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil || len(m.writes) > 0 {
			return false
		}
	}
	return true
}

func reservedBits() bool {
	h := ws.Header{Fin: true, Rsv: 0x3, OpCode: ws.OpText, Masked: true}
	return ws.CheckHeader(h, ws.StateServerSide|ws.StateExtended) == nil
}

func longLengths() bool {
	for _, long := range []string{"\x81\xfe\x00\x01\x00\x00\x00\x00", string(lyingHeader(finText, 1))} {
		h, err := ws.ReadHeader(strings.NewReader(long))
		if err != nil || h.Length != 1 || ws.CheckHeader(h, ws.StateServerSide) != nil {
			return false
		}
	}
	return true
}

// upgradesWith makes a probe whether ws.Upgrader accepts a good request in which
// something is replaced, in all places.
func upgradesWith(old, now string) func() bool {
	return func() bool {
		m := &tape{in: strings.NewReader(strings.ReplaceAll(websockettest.Request("/"), old, now))}
		u := ws.Upgrader{Protocol: func([]byte) bool { return false }}
		_, err := u.Upgrade(m)
		return err == nil && strings.HasPrefix(m.written(), "HTTP/1.1 101 ")
	}
}

// upgrades is upgradesWith for more header lines.
func upgrades(lines string) func() bool { return upgradesWith("\r\n\r\n", "\r\n"+lines+"\r\n\r\n") }

// refuses makes a probe whether ws.Upgrader answers a request with 400 in which
// something legal is replaced.
func refuses(old, now string) func() bool {
	return func() bool {
		m := &tape{in: strings.NewReader(strings.ReplaceAll(websockettest.Request("/"), old, now))}
		_, err := ws.Upgrader{Protocol: func([]byte) bool { return false }}.Upgrade(m)
		return upgradesWith("", "")() && err != nil && strings.HasPrefix(m.written(), "HTTP/1.1 400 ")
	}
}

func dropsEarlyBytes() bool {
	m := &tape{in: strings.NewReader(websockettest.Request("/") + "early")}
	_, err := ws.Upgrade(m)
	left := new(strings.Builder)
	_, err2 := io.Copy(left, m.in)
	return errors.Join(err, err2) == nil && left.String() != "early"
}

func answersNothing() bool {
	m := &tape{in: strings.NewReader("GET\r\n\r\n")}
	_, err := ws.Upgrade(m)
	return err != nil && len(m.writes) == 0
}

// taken is a ResponseWriter that can be taken over.
type taken struct {
	*httptest.ResponseRecorder
	tape
	over bool
}

func (w *taken) Write(b []byte) (int, error) { return w.ResponseRecorder.Write(b) }

func (w *taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.over = true
	ours, _ := net.Pipe()
	return ours, bufio.NewReadWriter(bufio.NewReader(strings.NewReader("")), bufio.NewWriter(&w.tape)), nil
}

// viaHTTP has HTTPUpgrader answer a request.
func viaHTTP(raw string) (*taken, net.Conn, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		panic(err)
	}
	w := &taken{ResponseRecorder: httptest.NewRecorder()}
	w.Header().Set("Set-Cookie", "a=b")
	nc, _, _, err := ws.UpgradeHTTP(r, w)
	return w, nc, err
}

func takesOverFirst() bool {
	w, nc, err := viaHTTP("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	return err != nil && nc != nil && w.over
}

func losesHeaders() bool {
	w, _, err := viaHTTP(websockettest.Request("/"))
	return err == nil && strings.Contains(w.written(), " 101 ") && !strings.Contains(w.written(), "Set-Cookie")
}

func oddNumbers() bool {
	n, ok := httphead.IntFromASCII([]byte("?"))
	big, bigOK := httphead.IntFromASCII([]byte(strings.Repeat("9", 30)))
	return ok && n == 15 && bigOK && fmt.Sprint(big) != strings.Repeat("9", 30)
}

func losesCookies() bool {
	found := ""
	httphead.ScanCookie([]byte("a=b;  c=d"), func(name, value []byte) bool {
		found += string(name) + string(value)
		return true
	})
	return found != "abcd"
}

func cutsRunes() bool {
	return !utf8.Valid(ws.NewCloseFrameBody(4000, strings.Repeat("a", 122)+"世")[2:])
}

func refusesCodes() bool {
	for _, code := range []ws.StatusCode{1012, 1013, 1014} {
		if ws.CheckCloseFrameData(code, "") == nil {
			return false
		}
	}
	return true
}

func takesCodes() bool {
	return ws.CheckCloseFrameData(5000, "") == nil && ws.CheckCloseFrameData(65535, "") == nil
}

func checksDeflated() bool {
	var state wsflate.MessageState
	r := &wsutil.Reader{
		Source: heard(frame(0xc1, "\xcaH\xcd\xc9\xc9\x07\x00")), // "Hello", deflated
		State:  ws.StateServerSide | ws.StateExtended, CheckUTF8: true, Extensions: []wsutil.RecvExtension{&state},
	}
	if _, err := r.NextFrame(); err != nil {
		return false
	}
	_, err := io.ReadAll(r)
	return state.IsCompressed() && errors.Is(err, wsutil.ErrInvalidUTF8)
}

// BenchmarkTrapG20 is the library's way to check text, beside BenchmarkUTF8.
func BenchmarkTrapG20(b *testing.B) {
	ascii, buf := bytes.Repeat([]byte("a"), 16<<10), make([]byte, 16<<10)
	b.SetBytes(int64(len(ascii)))
	for b.Loop() {
		if _, err := io.ReadFull(wsutil.NewUTF8Reader(bytes.NewReader(ascii)), buf); err != nil {
			b.Fatal(err)
		}
	}
}
