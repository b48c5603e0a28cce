package websocket

import (
	"net/http"
	"strings"

	"github.com/gobwas/httphead"
)

// tokens calls f with each token of a header that is a list, over all its lines,
// until f returns false. It reports whether what it has seen is well-formed:
// tokens between commas, with any legal white space around them, and empty
// elements, which say nothing (RFC 9110 section 5.6.1). httphead, which knows
// what a token is, would also take spaces for commas.
func tokens(h http.Header, name string, f func(token []byte) bool) bool {
	for _, line := range h[name] {
		for element := range strings.SplitSeq(line, ",") {
			element = strings.Trim(element, " \t")
			product, version, _ := strings.Cut(element, "/")
			switch {
			case element == "":
			case name == "Upgrade" && isToken(product) && isToken(version): // RFC 9110 section 7.8
			case !isToken(element):
				return false
			case !f([]byte(element)):
				return true
			}
		}
	}
	return true
}

func isToken(s string) bool {
	whole := false
	httphead.ScanTokens([]byte(s), func(t []byte) bool {
		whole = len(t) == len(s)
		return false
	})
	return whole
}

// hasToken reports whether a header that is a list has token, in any case.
func hasToken(h http.Header, name, token string) bool {
	if lines := h[name]; len(lines) == 1 && strings.EqualFold(lines[0], token) {
		return true
	}
	found := false
	ok := tokens(h, name, func(t []byte) bool {
		found = strings.EqualFold(string(t), token)
		return !found
	})
	return ok && found
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
