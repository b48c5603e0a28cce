package handshake

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 4.2.2 asks for it; nothing is kept secret by it
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
)

// Answer is the response that accepts a handshake.
type Answer struct {
	Key         *Key        // of the request
	Subprotocol string      // "" if none was chosen
	Extensions  string      // that were agreed on, or ""
	Middleware  http.Header // set on the ResponseWriter; the protocol's own are left out
	Application http.Header // as CheckHeader accepts them
}

// Append appends the response: status line, headers and the empty line behind them. It
// runs deep in the stack of net/http's goroutine, and uses little of it.
func (a *Answer) Append(b []byte) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(b, a.Key[:]...)
	b = append(b, "\r\n"...)
	if a.Subprotocol != "" {
		b = append(b, "Sec-WebSocket-Protocol: "...)
		b = append(b, a.Subprotocol...)
		b = append(b, "\r\n"...)
	}
	if a.Extensions != "" {
		b = append(b, "Sec-WebSocket-Extensions: "...)
		b = append(b, a.Extensions...)
		b = append(b, "\r\n"...)
	}
	if len(a.Middleware) > 0 || len(a.Application) > 0 {
		b = append(b, mergeHeaders(a.Middleware, a.Application)...)
	}
	return append(b, "\r\n"...)
}

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Key is a value of Sec-WebSocket-Accept.
type Key [(sha1.Size + 2) / 3 * 4]byte

// AcceptKey returns the value of Sec-WebSocket-Accept (RFC 6455 section 4.2.2) for the
// header of a request that CheckUpgrade has accepted.
func AcceptKey(request http.Header) (k Key) {
	var seed [encodedKeySize + len(acceptGUID)]byte
	n := copy(seed[:], request["Sec-Websocket-Key"][0])
	sum := sha1.Sum(append(seed[:n], acceptGUID...)) //nolint:gosec // see the import
	base64.StdEncoding.Encode(k[:], sum[:])
	return k
}

// reservedHeaders are the headers of the answer that only this package sets.
//
//nolint:gochecknoglobals // a table
var reservedHeaders = []string{
	"Connection", "Upgrade", "Content-Length", "Transfer-Encoding",
	"Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol", "Sec-Websocket-Version",
}

// CheckHeader returns an error if an application's header has one that only this
// package may set.
func CheckHeader(header http.Header) error {
	for name := range header {
		if slices.Contains(reservedHeaders, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("wye: AcceptOptions.Header must not have %s: the protocol sets it", name)
		}
	}
	return nil
}

// mergeHeaders returns the lines of all headers, without the reserved ones.
func mergeHeaders(headers ...http.Header) []byte {
	all := http.Header{}
	for _, from := range headers {
		for name, values := range from {
			name = http.CanonicalHeaderKey(name)
			all[name] = append(all[name], values...)
		}
	}
	for _, name := range reservedHeaders {
		all.Del(name)
	}
	var b bytes.Buffer
	_ = all.Write(&b) //nolint:errcheck // a buffer takes everything
	return b.Bytes()
}
