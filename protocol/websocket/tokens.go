package websocket

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/gobwas/httphead"
)

// tokens calls f with each token of a header that is a list, over all its lines,
// until f returns false. It reports whether the header is well-formed. Any legal
// white space is (httphead takes tabs for part of a token).
func tokens(h http.Header, name string, f func(token []byte) bool) bool {
	for _, line := range h[name] {
		b := bytes.ReplaceAll([]byte(line), []byte{'\t'}, []byte{' '})
		if len(bytes.Trim(b, " ,")) == 0 {
			continue // an empty list
		}
		more := true
		if !httphead.ScanTokens(b, func(t []byte) bool { more = f(t); return more }) && more {
			return false
		}
		if !more {
			return true
		}
	}
	return true
}

// hasToken reports whether a header that is a list has token, in any case.
func hasToken(h http.Header, name, token string) bool {
	found := false
	tokens(h, name, func(t []byte) bool {
		found = strings.EqualFold(string(t), token)
		return !found
	})
	return found
}

// subprotocols returns what the peer offers, in its order (RFC 6455 section
// 11.3.4). ok is false if the header is malformed.
func subprotocols(h http.Header) (offered []string, ok bool) {
	ok = tokens(h, "Sec-Websocket-Protocol", func(t []byte) bool {
		offered = append(offered, string(t))
		return true
	})
	return offered, ok
}
