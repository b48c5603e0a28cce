// Package handshake has the rules of the opening handshake (RFC 6455 section 4.2): it
// checks requests and writes the answer that accepts. It has no I/O, goroutine, clock
// or lock, and does not know the server.
//
// The order is CheckRequest, ParseOffer, CheckUpgrade, Answer.Append.
package handshake

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol"
)

const version = "13"

// IsUpgrade reports whether r asks for WebSocket, also by the means of HTTP/2, which
// CheckRequest refuses.
func IsUpgrade(r *http.Request) bool { return upgrades(r.Header) || isExtendedConnect(r) }

func upgrades(h http.Header) bool { return hasToken(h, "Upgrade", "websocket") }

// CheckRequest makes the checks that come before routing: method (405), version of HTTP
// (501), size of the request line and the headers in bytes, and number of header lines
// (431). It returns nil, or the refusal.
func CheckRequest(r *http.Request, maxBytes, maxLines int) *protocol.RejectError {
	bytes, lines := headSize(r)
	switch {
	case r.Method != http.MethodGet && !isExtendedConnect(r):
		return refusal(http.StatusMethodNotAllowed, "a WebSocket handshake is a GET request", "Allow", http.MethodGet)
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return refusal(http.StatusNotImplemented, versionRefused(r))
	case bytes > maxBytes || lines > maxLines:
		return refusal(http.StatusRequestHeaderFieldsTooLarge, "the handshake's headers are too large")
	}
	return nil
}

// CheckUpgrade checks the headers of the opening handshake (RFC 6455 section 4.2.1), in
// this order: Upgrade (426), Connection (400), version (426), key, offer, body (400).
// It returns nil, or the refusal. offer is that of r.
func CheckUpgrade(r *http.Request, offer *Offer) *protocol.RejectError {
	switch h := r.Header; {
	case !upgrades(h):
		return upgradeRequired(upgradeMissing(h))
	case !hasToken(h, "Connection", "Upgrade"):
		return refusal(http.StatusBadRequest, `the header "Connection: Upgrade" is missing; a proxy may have taken it`)
	case !isSingle(h, "Sec-Websocket-Version", version):
		return upgradeRequired("WebSocket version 13 is spoken here")
	case !hasValidKey(h):
		return refusal(http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64, once")
	case offer.malformed:
		return refusal(http.StatusBadRequest, "Sec-WebSocket-Protocol is malformed")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return refusal(http.StatusBadRequest, "a WebSocket handshake has no body")
	}
	return nil
}

// isExtendedConnect reports whether r opens a WebSocket by the means of HTTP/2 and 3
// (RFC 8441 section 4). net/http passes the pseudo header on as it is.
func isExtendedConnect(r *http.Request) bool {
	protocol := r.Header[":protocol"]
	return r.Method == http.MethodConnect && r.ProtoMajor > 1 && len(protocol) == 1 && strings.EqualFold(protocol[0], "websocket")
}

// versionRefused says what to do about r's version of HTTP. Proxies send old ones.
func versionRefused(r *http.Request) string {
	text := "WebSocket over " + r.Proto + " is not served here; use HTTP/1.1"
	if r.ProtoMajor <= 1 {
		text += "; a proxy in front must speak it, too"
	}
	return text
}

// upgradeMissing tells a page that was opened in a browser from a handshake that has
// lost its header.
func upgradeMissing(h http.Header) string {
	text := "this address speaks WebSocket"
	if h.Get("Sec-Websocket-Key") != "" {
		text += `; the header "Upgrade: websocket" is missing, a proxy in front may have taken it`
	}
	return text
}

func upgradeRequired(body string) *protocol.RejectError {
	return refusal(http.StatusUpgradeRequired, body,
		"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", version)
}

// refusal returns the answer that refuses a handshake. header has names and values in
// turn.
func refusal(status int, body string, header ...string) *protocol.RejectError {
	e := &protocol.RejectError{Status: status, Body: body, Header: http.Header{}}
	for pair := range slices.Chunk(header, 2) {
		e.Header.Set(pair[0], pair[1])
	}
	return e
}

// headSize returns the size of the request line and the headers.
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

// isSingle reports whether h has the header once, with this value.
func isSingle(h http.Header, name, value string) bool {
	return len(h[name]) == 1 && h[name][0] == value
}

const (
	keySize        = 16
	encodedKeySize = 24
)

func hasValidKey(h http.Header) bool {
	keys := h["Sec-Websocket-Key"]
	if len(keys) != 1 || len(keys[0]) != encodedKeySize {
		return false
	}
	var key [encodedKeySize / 4 * 3]byte
	n, err := base64.StdEncoding.Decode(key[:], []byte(keys[0]))
	return err == nil && n == keySize
}
