package handshake

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// set returns a change of a header's lines.
func set(name string, lines ...string) func(*http.Request) {
	return func(r *http.Request) {
		if len(lines) == 0 {
			r.Header.Del(name)
			return
		}
		r.Header[http.CanonicalHeaderKey(name)] = lines
	}
}

func proto(major, minor int) func(*http.Request) {
	return func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = major, minor }
}

func method(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }

func body(length int64, coding ...string) func(*http.Request) {
	return func(r *http.Request) { r.ContentLength, r.TransferEncoding = length, coding }
}

func nothing(*http.Request) {}

type requestRow struct {
	at     testkit.Line
	name   string
	edit   func(*http.Request)
	status int // 0: it is accepted
}

func requestRows() []requestRow {
	return []requestRow{
		{testkit.Here(), "good", nothing, 0},
		{testkit.Here(), "HTTP/1.2", proto(1, 2), 0},
		{testkit.Here(), "Upgrade in capitals", set("Upgrade", "WebSocket"), 0},
		{testkit.Here(), "Upgrade among versions", set("Upgrade", "HTTP/2.0, websocket"), 0},
		{testkit.Here(), "Upgrade to a version", set("Upgrade", "websocket/13"), 426},
		{testkit.Here(), "Upgrade as a list", set("Upgrade", "h2c, websocket"), 0},
		{testkit.Here(), "Upgrade with a tab", set("Upgrade", "h2c,\twebsocket"), 0},
		{testkit.Here(), "Upgrade in two lines", set("Upgrade", "h2c", "websocket"), 0},
		{testkit.Here(), "Connection of Firefox", set("Connection", "keep-alive, Upgrade"), 0},
		{testkit.Here(), "Connection with a tab and odd case", set("Connection", "keep-alive,\tuPGRADE"), 0},
		{testkit.Here(), "Connection in two lines", set("Connection", "keep-alive", "upgrade"), 0},
		{testkit.Here(), "Connection with empty elements", set("Connection", ", ,upgrade,"), 0},
		{testkit.Here(), "HEAD", method(http.MethodHead), 405},
		{testkit.Here(), "POST", method(http.MethodPost), 405},
		{testkit.Here(), "CONNECT", method(http.MethodConnect), 405},
		{testkit.Here(), "get", method("get"), 405},
		{testkit.Here(), "HTTP/1.0", proto(1, 0), 501},
		{testkit.Here(), "HTTP/0.9", proto(0, 9), 501},
		{testkit.Here(), "HTTP/2", proto(2, 0), 501},
		{testkit.Here(), "too large", set("Cookie", strings.Repeat("x", 4096)), 431},
		{testkit.Here(), "too many", set("X-A", slices.Repeat([]string{""}, 2000)...), 431},
		{testkit.Here(), "no Upgrade", set("Upgrade"), 426},
		{testkit.Here(), "empty Upgrade", set("Upgrade", ""), 426},
		{testkit.Here(), "other Upgrade", set("Upgrade", "h2c"), 426},
		{testkit.Here(), "similar Upgrade", set("Upgrade", "websocket2"), 426},
		{testkit.Here(), "Upgrade with a version", set("Upgrade", "websocket/13"), 426},
		{testkit.Here(), "no Connection", set("Connection"), 400},
		{testkit.Here(), "other Connection", set("Connection", "keep-alive"), 400},
		{testkit.Here(), "no version", set("Sec-WebSocket-Version"), 426},
		{testkit.Here(), "old version", set("Sec-WebSocket-Version", "8"), 426},
		{testkit.Here(), "versions as a list", set("Sec-WebSocket-Version", "13, 8"), 426},
		{testkit.Here(), "version twice", set("Sec-WebSocket-Version", "13", "13"), 426},
		{testkit.Here(), "version with a zero", set("Sec-WebSocket-Version", "013"), 426},
		{testkit.Here(), "no key", set("Sec-WebSocket-Key"), 400},
		{testkit.Here(), "empty key", set("Sec-WebSocket-Key", ""), 400},
		{testkit.Here(), "key twice", set("Sec-WebSocket-Key", handshaketest.Key, handshaketest.Key), 400},
		{testkit.Here(), "key of 15 bytes", set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(make([]byte, 15))), 400},
		{testkit.Here(), "key of 17 bytes", set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(make([]byte, 17))), 400},
		{testkit.Here(), "key that is no base64", set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ!="), 400},
		{testkit.Here(), "key without padding", set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400},
		{testkit.Here(), "key in base64 for URLs", set("Sec-WebSocket-Key", "_-_-_-_-_-_-_-_-_-_-_Q=="), 400},
		{testkit.Here(), "malformed subprotocols", set("Sec-WebSocket-Protocol", "chat;q=1"), 400},
		{testkit.Here(), "body", body(1), 400},
		{testkit.Here(), "body of unknown length", body(-1, "chunked"), 400},
	}
}

// check makes all checks of a request.
func check(r *http.Request, maxBytes, maxLines int) *protocol.RejectError {
	if e := CheckRequest(r, maxBytes, maxLines); e != nil {
		return e
	}
	offer := ParseOffer(r.Header)
	return CheckUpgrade(r, &offer)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, row := range requestRows() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := handshaketest.Request()
			row.edit(r)
			e := check(r, 4096, 100)
			if row.status == 0 {
				if e != nil {
					t.Fatalf("%s: refused: %v", row.at, e)
				}
				return
			}
			if e == nil || e.Status != row.status || e.Body == "" {
				t.Fatalf("%s: got %v, want a refusal with %d", row.at, e, row.status)
			}
		})
	}
}

// TestCheckOrder mends one fault after the other: the first that is left decides.
func TestCheckOrder(t *testing.T) {
	t.Parallel()
	r := handshaketest.Request()
	for _, spoil := range []func(*http.Request){
		method(http.MethodPut), proto(1, 0), set("Cookie", strings.Repeat("x", 5000)), set("Upgrade", "h2c"), set("Connection", "close"),
		set("Sec-WebSocket-Version", "12"), set("Sec-WebSocket-Key", "short"), body(5),
	} {
		spoil(r)
	}
	upgrade := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}}
	rows := []struct {
		at     testkit.Line
		mend   func(*http.Request)
		status int
		header http.Header
	}{
		{testkit.Here(), nothing, 405, http.Header{"Allow": {"GET"}}},
		{testkit.Here(), method(http.MethodGet), 501, http.Header{}},
		{testkit.Here(), proto(1, 1), 431, http.Header{}},
		{testkit.Here(), set("Cookie"), 426, upgrade},
		{testkit.Here(), set("Upgrade", "websocket"), 400, http.Header{}},
		{testkit.Here(), set("Connection", "Upgrade"), 426, upgrade},
		{testkit.Here(), set("Sec-WebSocket-Version", "13"), 400, http.Header{}},
		{testkit.Here(), set("Sec-WebSocket-Key", handshaketest.Key), 400, http.Header{}},
	}
	for _, row := range rows {
		row.mend(r)
		e := check(r, 4096, 100)
		if e == nil || e.Status != row.status || !maps.EqualFunc(e.Header, row.header, slices.Equal) {
			t.Fatalf("%s: got %+v, want %d with %v", row.at, e, row.status, row.header)
		}
	}
	body(0)(r)
	if e := check(r, 4096, 100); e != nil {
		t.Fatalf("nothing is left to mend, and still: %v", e)
	}
}
