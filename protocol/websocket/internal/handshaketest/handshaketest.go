// Package handshaketest has what tests of the opening handshake share: requests, and the
// requirements of RFC 6455 and RFC 9110, checked the naive way. It does not import
// package handshake.
package handshaketest

import (
	"bufio"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// Key is the Sec-WebSocket-Key of RFC 6455 section 1.3.
const Key = "dGhlIHNhbXBsZSBub25jZQ=="

// Request returns a handshake as browsers send it.
func Request() *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: " + Key + "\r\nSec-WebSocket-Version: 13\r\n\r\n")))
	if err != nil {
		panic(err)
	}
	return r
}

// RawRequests returns the bytes of handshakes: the first two are valid, and the second
// has a frame behind it. The others are changed in one place each; that does not make
// all of them invalid.
func RawRequests() (raw [][]byte) {
	const good = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive,\tUpgrade\r\n" +
		"Sec-WebSocket-Key: " + Key + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n"
	raw = append(raw, []byte(good), slices.Concat([]byte(good), frametest.Frame(frametest.Fin|1, "early")))
	for _, change := range [][2]string{
		{"GET", "POST"}, {"HTTP/1.1", "HTTP/1.0"}, {"websocket\r", "web socket\r"}, {"websocket\r", "x websocket\r"}, {"keep-alive,", "keep-alive"},
		{"Upgrade\r\n", "Upgrade-Insecure\r\n"}, {"==\r\n", "=\r\n"}, {"==\r\n", "\r\n"}, {"ZQ==", "ZR=="}, {"13", "13, 8"}, {"Host", "Content-Length: 3\r\nHost"},
		{"Host", "Transfer-Encoding: chunked\r\nHost"}, {"Sec-WebSocket-Version", "Sec-WebSocket-Key: " + Key + "\r\nSec-WebSocket-Version"},
		{"Host:", "Host :"}, {"\r\n", "\n"}, {"chat", "\x00"}, {"websocket\r", "websocket, (x\r"}, {"websocket\r", "h2c/1.0, websocket\r"},
		{"websocket\r", "WebSocket/13\r"}, {"chat,", ","}, {"chat,", "a b,"}, {"chat,", "chat,\t,,"}, {"chat, superchat", ""}, {"GET /chat", "GET http://x/"},
		{"Host", "Origin: https://example.com\r\nHost"}, {"Host", "Origin: https://example.org\r\nHost"}, {"Host", "Origin: null\r\nHost"},
		{"Host", "Cookie: " + strings.Repeat("x", 1000) + "\r\nHost"}, {"Host", "Sec-WebSocket-Extensions: permessage-deflate\r\nHost"},
	} {
		raw = append(raw, []byte(strings.ReplaceAll(good, change[0], change[1])))
	}
	return raw
}

// The grammar of RFC 9110 sections 5.6.1, 5.6.2 and 7.8, and of RFC 6455 section 4.1.
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

// SplitTokens reads the lines of a list of tokens by its grammar. ok reports whether
// they are one.
func SplitTokens(lines []string) (tokens []string, ok bool) {
	for _, line := range lines {
		if !tokenList.MatchString(line) {
			return nil, false
		}
		tokens = append(tokens, oneToken.FindAllString(line, -1)...)
	}
	return tokens, true
}

// Met says whether a requirement is met.
type Met uint8

// Whether a requirement is met. The answer to a request that leaves one open may be
// either.
const (
	No Met = iota
	Open
	Yes
)

// Requirement is one that a handshake has to meet, and the status that refuses those
// that do not.
type Requirement struct {
	Status int
	Met    Met
}

// Of returns a requirement that is met or not.
func Of(status int, met bool) Requirement {
	if met {
		return Requirement{status, Yes}
	}
	return Requirement{status, No}
}

// Requirements returns those of RFC 6455 section 4.2.1 and of the server's limits, in
// the order in which they are checked.
func Requirements(r *http.Request, maxBytes, maxLines int) []Requirement {
	size, count := len(r.RequestURI)+len(r.Host), 0
	for name, lines := range r.Header {
		size += len(name)*len(lines) + len(strings.Join(lines, ""))
		count += len(lines)
	}
	versions, keys := r.Header["Sec-Websocket-Version"], r.Header["Sec-Websocket-Key"]
	_, offers := SplitTokens(r.Header["Sec-Websocket-Protocol"])
	return []Requirement{
		Of(405, r.Method == http.MethodGet),
		Of(501, r.ProtoMajor == 1 && r.ProtoMinor >= 1),
		Of(431, size <= maxBytes && count <= maxLines),
		{426, hasElement(r.Header["Upgrade"], protocolList, "websocket")},
		{400, hasElement(r.Header["Connection"], tokenList, "upgrade")},
		Of(426, len(versions) == 1 && versions[0] == "13"),
		Of(400, len(keys) == 1 && nonce.MatchString(keys[0])),
		Of(400, offers),
		Of(400, r.ContentLength == 0 && len(r.TransferEncoding) == 0),
	}
}

// hasElement reports whether a list has word, in any case. If the list is not as the
// grammar says, that is open.
func hasElement(lines []string, grammar *regexp.Regexp, word string) Met {
	found, sound := false, true
	for _, line := range lines {
		sound = sound && grammar.MatchString(line)
		for element := range strings.SplitSeq(line, ",") {
			found = found || strings.EqualFold(strings.Trim(element, " \t"), word)
		}
	}
	switch {
	case !found:
		return No
	case sound:
		return Yes
	}
	return Open
}
