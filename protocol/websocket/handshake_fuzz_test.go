package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// The grammar of RFC 9110 sections 5.6.1, 5.6.2 and 7.8, and of section 4.1 of
// RFC 6455.
const (
	tokenChars = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	listRest   = `)?[ \t]*(?:,|$))*$`
)

var (
	oneToken     = regexp.MustCompile(tokenChars)
	tokenList    = regexp.MustCompile(`^(?:[ \t]*(?:` + tokenChars + listRest)
	protocolList = regexp.MustCompile(`^(?:[ \t]*(?:` + tokenChars + `(?:/` + tokenChars + `)?` + listRest)
	nonce        = regexp.MustCompile(`^[0-9A-Za-z+/]{22}==$`) // 16 bytes in base64
)

// hasElement reports whether a list has word, in any case. If the list is not as
// the grammar says, having it is no duty.
func hasElement(lines []string, grammar *regexp.Regexp, word string) sentence {
	found, sound := false, true
	for _, line := range lines {
		sound = sound && grammar.MatchString(line)
		for element := range strings.SplitSeq(line, ",") {
			found = found || strings.EqualFold(strings.Trim(element, " \t"), word)
		}
	}
	switch {
	case !found:
		return mustNot
	case sound:
		return must
	}
	return either
}

// requirement is one of RFC 6455 section 4.2.1, and how its lack is answered.
type requirement struct {
	status int
	met    sentence
}

func demand(status int, met bool) requirement {
	if met {
		return requirement{status, must}
	}
	return requirement{status, mustNot}
}

// requirements are what a handshake has to meet, the naive way.
func requirements(r *http.Request, maxBytes int) []requirement {
	size, count := len(r.RequestURI)+len(r.Host), 0
	for name, lines := range r.Header {
		size += len(name)*len(lines) + len(strings.Join(lines, ""))
		count += len(lines)
	}
	versions, keys := r.Header["Sec-Websocket-Version"], r.Header["Sec-Websocket-Key"]
	_, offers := split(r.Header["Sec-Websocket-Protocol"])
	return []requirement{
		demand(405, r.Method == http.MethodGet),
		demand(501, r.ProtoMajor == 1 && r.ProtoMinor >= 1),
		demand(431, size <= maxBytes && count <= 100),
		{426, hasElement(r.Header["Upgrade"], protocolList, "websocket")},
		{400, hasElement(r.Header["Connection"], tokenList, "upgrade")},
		demand(426, len(versions) == 1 && versions[0] == "13"),
		demand(400, len(keys) == 1 && nonce.MatchString(keys[0])),
		demand(400, offers),
		demand(400, r.ContentLength == 0 && len(r.TransferEncoding) == 0),
		{403, sentenceOn(r.Header["Origin"], r.Host, false, nil)},
	}
}

// chooser is an application that accepts with a subprotocol, which the peer may
// have offered or not.
type chooser struct {
	*speaker
	choice int
	chosen string
	ended  chan struct{}
}

func (c *chooser) Open(s *protocol.Scope) (protocol.Handler, error) {
	if n := len(s.Subprotocols); c.choice > 0 && n > 0 {
		c.chosen = s.Subprotocols[c.choice%n]
	}
	if c.choice == 255 {
		c.chosen = "nobody-offered-this"
	}
	return c, nil
}

func (c *chooser) Connect(_ context.Context, conn *protocol.Conn) error {
	return conn.Accept(&protocol.AcceptOptions{Subprotocol: c.chosen, Header: http.Header{"X-Choice": {strconv.Itoa(c.choice)}}})
}

func (c *chooser) Disconnect(context.Context, *protocol.Conn, protocol.CloseStatus) { close(c.ended) }

// FuzzHandshakeAnswer has net/http read arbitrary bytes and the server answer
// them: once, with 101 if RFC 6455 section 4.2.1 says so, and otherwise with a
// status that something in the request is a reason for.
func FuzzHandshakeAnswer(f *testing.F) {
	addHandshakes(f)
	f.Fuzz(func(t *testing.T, raw []byte, choice byte, closing bool) {
		br := bufio.NewReader(bytes.NewReader(raw))
		r, err := http.ReadRequest(br)
		if err != nil || r.Host == "" {
			t.Skip("net/http refuses it")
		}
		app := &chooser{speaker: &speaker{}, choice: int(choice), ended: make(chan struct{})}
		s := New(app, &Options{MaxHandshake: 1000, Logger: slog.New(slog.DiscardHandler)})
		if closing {
			finish(t, s)
		}
		a := &answering{wire: newWire()}
		a.early, _ = br.Peek(br.Buffered())
		a.wire.hangUp()
		s.ServeHTTP(a, r)
		reasons, decided := refusals(r, closing)
		switch accepted := a.hijacks > 0; {
		case a.hijacks > 1, a.late > 0, len(a.statuses)+a.hijacks != 1:
			t.Fatalf("taken over %d times, answered with %v, used afterwards %d times", a.hijacks, a.statuses, a.late)
		case accepted && decided && len(reasons) > 0, accepted && app.chosen == "nobody-offered-this":
			t.Fatalf("accepted %q, with reasons for %v", raw, reasons)
		case !accepted:
			if len(reasons) == 0 && app.chosen == "nobody-offered-this" {
				reasons = []int{500}
			}
			a.checkRefusal(t, r, raw, reasons)
			return
		}
		<-app.ended
		finish(t, s)
		judgeUpgrade(t, a, r, app)
	})
}

// refusals are the statuses that there is a reason for. decided says that one of
// them has to come.
func refusals(r *http.Request, closing bool) (reasons []int, decided bool) {
	if closing {
		reasons, decided = []int{503}, true
	}
	for _, q := range requirements(r, 1000) {
		if q.met != must {
			reasons = append(reasons, q.status)
		}
		decided = decided || q.met == mustNot
	}
	return reasons, decided
}

// checkRefusal looks at an answer that is no.
func (a *answering) checkRefusal(t *testing.T, r *http.Request, raw []byte, reasons []int) {
	t.Helper()
	status, h := a.statuses[0], a.header
	with := map[int]http.Header{
		405: {"Allow": {"GET"}},
		426: {"Upgrade": {"websocket"}, "Connection": {"close", "Upgrade"}, "Sec-Websocket-Version": {"13"}},
	}[status]
	out, _, _ := a.wire.written()
	switch {
	case slices.Contains(h["Connection"], "close") != (r.ProtoMajor <= 1):
		t.Fatalf("%q is refused with Connection %q", raw, h["Connection"])
	case !slices.Contains(reasons, status):
		t.Fatalf("%q is refused with %d, with reasons for %v", raw, status, reasons)
	case a.body.Len() < 2 || h.Get("Content-Length") != strconv.Itoa(a.body.Len()) || len(out) > 0:
		t.Fatalf("%q: %d with %q and %v; %q on the wire", raw, status, a.body.String(), h, out)
	}
	for name, lines := range with {
		if !slices.Equal(h[name], lines) {
			t.Fatalf("%q: %d with %v, want %v", raw, status, h, with)
		}
	}
}

// judgeUpgrade looks at an answer that is yes.
func judgeUpgrade(t *testing.T, a *answering, r *http.Request, app *chooser) {
	t.Helper()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if offered, _ := split(r.Header["Sec-Websocket-Protocol"]); len(offered) > 0 && app.choice > 0 {
		want += "Sec-WebSocket-Protocol: " + offered[app.choice%len(offered)] + "\r\n"
	}
	want += fmt.Sprintf("X-Choice: %d\r\n\r\n", app.choice)
	out, _, shut := a.wire.written()
	if !strings.HasPrefix(string(out), want) || !shut || a.wire.wrong != nil {
		t.Fatalf("accepted with %q, want %q; closed %v, %v", out, want, shut, a.wire.wrong)
	}
	if _, _, err := serverFrames(out); err != nil {
		t.Fatal(err)
	}
}

func addHandshakes(f *testing.F) {
	f.Helper()
	const good = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive,\tUpgrade\r\n" +
		"Sec-WebSocket-Key: " + goodKey + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n"
	for choice := range byte(3) {
		f.Add([]byte(good), choice, false)
	}
	f.Add([]byte(good), byte(255), false)
	f.Add([]byte(good), byte(0), true)
	f.Add([]byte(good+string(frametest.Frame(frametest.Fin|1, "early"))), byte(0), false)
	for _, spoil := range [][2]string{
		{"GET", "POST"}, {"HTTP/1.1", "HTTP/1.0"}, {"websocket\r", "web socket\r"}, {"websocket\r", "x websocket\r"}, {"keep-alive,", "keep-alive"},
		{"Upgrade\r\n", "Upgrade-Insecure\r\n"}, {"==\r\n", "=\r\n"}, {"==\r\n", "\r\n"}, {"ZQ==", "ZR=="}, {"13", "13, 8"}, {"Host", "Content-Length: 3\r\nHost"},
		{"Host", "Transfer-Encoding: chunked\r\nHost"}, {"Sec-WebSocket-Version", "Sec-WebSocket-Key: " + goodKey + "\r\nSec-WebSocket-Version"},
		{"Host:", "Host :"}, {"\r\n", "\n"}, {"chat", "\x00"}, {"websocket\r", "websocket, (x\r"}, {"websocket\r", "h2c/1.0, websocket\r"},
		{"websocket\r", "WebSocket/13\r"}, {"chat,", ","}, {"chat,", "a b,"}, {"chat,", "chat,\t,,"}, {"chat, superchat", ""}, {"GET /chat", "GET http://x/"},
		{"Host", "Origin: https://example.com\r\nHost"}, {"Host", "Origin: https://example.org\r\nHost"}, {"Host", "Origin: null\r\nHost"},
		{"Host", "Cookie: " + strings.Repeat("x", 1000) + "\r\nHost"}, {"Host", "Sec-WebSocket-Extensions: permessage-deflate\r\nHost"},
	} {
		f.Add([]byte(strings.ReplaceAll(good, spoil[0], spoil[1])), byte(1), false)
	}
}
