package websocket

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 4.2.2 asks for it; nothing is kept secret by it
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

const (
	version = "13"
	guid    = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	keySize = 16

	encodedKeySize = 24
)

// appendAcceptKey appends the answer to a Sec-WebSocket-Key (RFC 6455 section
// 4.2.2).
func appendAcceptKey(b []byte, key string) []byte {
	var seed [encodedKeySize + len(guid)]byte
	n := copy(seed[:], key)
	sum := sha1.Sum(append(seed[:n], guid...)) //nolint:gosec // see the import
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

// checkRequest decides whether r may be a handshake at all, before anybody looks
// for a route. nil means that it may.
func checkRequest(r *http.Request, o *Options) *protocol.RejectError {
	bytes, lines := headSize(r)
	switch {
	case r.Method != http.MethodGet && !isExtendedConnect(r):
		return refusal(http.StatusMethodNotAllowed, "a WebSocket handshake is a GET request", "Allow", http.MethodGet)
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return refusal(http.StatusNotImplemented, notServed(r))
	case bytes > o.MaxHandshake || lines > o.MaxHeaderLines:
		return refusal(http.StatusRequestHeaderFieldsTooLarge, "the handshake's headers are too large")
	}
	return nil
}

// checkUpgrade decides whether r is a good opening handshake (RFC 6455 section
// 4.2.1), in a fixed order: Upgrade, Connection, version, key, subprotocols,
// body. nil means that it is.
func checkUpgrade(r *http.Request, goodSubprotocols bool) *protocol.RejectError {
	switch h := r.Header; {
	case !hasToken(h, "Upgrade", "websocket"):
		return mustUpgrade(noUpgrade(h))
	case !hasToken(h, "Connection", "Upgrade"):
		return refusal(http.StatusBadRequest, `the header "Connection: Upgrade" is missing; a proxy may have taken it`)
	case !single(h, "Sec-Websocket-Version", version):
		return mustUpgrade("WebSocket version 13 is spoken here")
	case !validKey(h):
		return refusal(http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64, once")
	case !goodSubprotocols:
		return refusal(http.StatusBadRequest, "Sec-WebSocket-Protocol is malformed")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return refusal(http.StatusBadRequest, "a WebSocket handshake has no body")
	}
	return nil
}

// isExtendedConnect reports whether r opens a WebSocket by the means of HTTP/2
// and 3 (RFC 8441 section 4); net/http hands the pseudo header on as it is.
func isExtendedConnect(r *http.Request) bool {
	protocol := r.Header[":protocol"]
	return r.Method == http.MethodConnect && r.ProtoMajor > 1 && len(protocol) == 1 && strings.EqualFold(protocol[0], "websocket")
}

// notServed tells what to do about a version of HTTP. Old ones come from proxies.
func notServed(r *http.Request) string {
	text := "WebSocket over " + r.Proto + " is not served here; use HTTP/1.1"
	if r.ProtoMajor <= 1 {
		text += "; a proxy in front must speak it, too"
	}
	return text
}

// noUpgrade tells a browser's address line from a handshake that lost its header.
func noUpgrade(h http.Header) string {
	text := "this address speaks WebSocket"
	if h.Get("Sec-Websocket-Key") != "" {
		text += `; the header "Upgrade: websocket" is missing, a proxy in front may have taken it`
	}
	return text
}

func mustUpgrade(body string) *protocol.RejectError {
	return refusal(http.StatusUpgradeRequired, body,
		"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", version)
}

// refusal makes a RejectError; header holds names and values in turn.
func refusal(status int, body string, header ...string) *protocol.RejectError {
	e := &protocol.RejectError{Status: status, Body: body, Header: http.Header{}}
	for pair := range slices.Chunk(header, 2) {
		e.Header.Set(pair[0], pair[1])
	}
	return e
}

// refuse answers a handshake with e, and closes the connection: what a peer has
// sent behind a request that is not a good handshake may be meant as frames.
func refuse(w http.ResponseWriter, r *http.Request, e *protocol.RejectError) {
	w.Header().Set("Connection", "close")
	e.ServeHTTP(w, r)
}

// headSize is that of the request line and the headers.
func headSize(r *http.Request) (bytes, lines int) {
	bytes = len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			bytes += len(name) + len(v)
		}
		lines += len(values)
	}
	return bytes, lines
}

// single reports whether the header is there once, with this value.
func single(h http.Header, name, value string) bool {
	return len(h[name]) == 1 && h[name][0] == value
}

func validKey(h http.Header) bool {
	keys := h["Sec-Websocket-Key"]
	if len(keys) != 1 || len(keys[0]) != encodedKeySize {
		return false
	}
	var key [encodedKeySize / 4 * 3]byte
	n, err := base64.StdEncoding.Decode(key[:], []byte(keys[0]))
	return err == nil && n == keySize
}

// handshake is a request that is to be answered.
type handshake struct {
	w           http.ResponseWriter
	r           *http.Request
	subprotocol string // by Options, for an application that names none
}

// ours are the headers of the answer that nobody else may set.
//
//nolint:gochecknoglobals // a table
var ours = []string{
	"Connection", "Upgrade", "Content-Length", "Transfer-Encoding",
	"Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol", "Sec-Websocket-Version",
}

// answer is the response that accepts. It is made before the connection is taken
// over, which makes the headers of middleware unreadable. It and what is called
// beside it lie deep in the stack of net/http's goroutine: they need little of it,
// so that it need not grow for each handshake.
func (h *handshake) answer(o *protocol.AcceptOptions) *bytespool.Buffer {
	c := bytespool.Get()
	c.B = append(c.B, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	c.B = appendAcceptKey(c.B, h.r.Header["Sec-Websocket-Key"][0])
	c.B = append(c.B, "\r\n"...)
	if o.Subprotocol != "" {
		c.B = append(c.B, "Sec-WebSocket-Protocol: "...)
		c.B = append(c.B, o.Subprotocol...)
		c.B = append(c.B, "\r\n"...)
	}
	if middleware := h.w.Header(); len(middleware) > 0 || len(o.Header) > 0 {
		c.B = append(c.B, merged(middleware, o.Header)...)
	}
	c.B = append(c.B, "\r\n"...)
	return c
}

// hijack takes the connection over from net/http. early is what the peer has sent
// behind its request.
func (h *handshake) hijack() (nc net.Conn, early []byte, err error) {
	nc, rw, err := hijackSafely(h.w)
	if err != nil {
		return nil, nil, hijackFailed(err)
	}
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = io.ReadFull(rw.Reader, early) //nolint:errcheck // it is in memory
	}
	_ = nc.SetDeadline(time.Time{}) //nolint:errcheck // a broken socket shows when it is read
	return nc, early, nil
}

// hijackSafely returns as an error what some middleware panics with when the
// writer behind its own cannot be taken over.
func hijackSafely(w http.ResponseWriter) (nc net.Conn, rw *bufio.ReadWriter, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return http.NewResponseController(w).Hijack() //nolint:wrapcheck // its caller does
}

func hijackFailed(err error) error {
	return fmt.Errorf("wye: the connection cannot be taken over from net/http; "+
		"a middleware in front wraps the ResponseWriter without an Unwrap method, or this is not HTTP/1.1: %w", err)
}

// checkOwn refuses headers that the protocol sets itself.
func checkOwn(header http.Header) error {
	for name := range header {
		if slices.Contains(ours, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("wye: AcceptOptions.Header must not have %s: the protocol sets it", name)
		}
	}
	return nil
}

// merged writes headers down, without those that are ours to set. Those that
// middleware has set are kept.
func merged(headers ...http.Header) []byte {
	all := http.Header{}
	for _, from := range headers {
		for name, values := range from {
			name = http.CanonicalHeaderKey(name)
			all[name] = append(all[name], values...)
		}
	}
	for _, name := range ours {
		all.Del(name)
	}
	var b bytes.Buffer
	_ = all.Write(&b) //nolint:errcheck // a buffer takes everything
	return b.Bytes()
}
