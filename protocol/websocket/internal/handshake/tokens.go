package handshake

import (
	"net/http"
	"strings"

	"github.com/gobwas/httphead"
)

// scanTokens calls f with each token of a header that is a list, over all its lines,
// until f returns false. It reports whether what it has scanned is well-formed: tokens
// between commas, with any legal white space around them, and empty elements, which
// have no meaning (RFC 9110 section 5.6.1). httphead, which knows what a token is,
// would also take spaces for commas.
func scanTokens(h http.Header, name string, f func(token []byte) bool) bool {
	for _, line := range h[name] {
		for element := range strings.SplitSeq(line, ",") {
			element = strings.Trim(element, " \t")
			product, version, _ := strings.Cut(element, "/")
			switch {
			case element == "":
			case name == "Upgrade" && IsToken(product) && IsToken(version): // RFC 9110 section 7.8
			case !IsToken(element):
				return false
			case !f([]byte(element)):
				return true
			}
		}
	}
	return true
}

// IsToken reports whether s is a token of HTTP (RFC 9110 section 5.6.2).
func IsToken(s string) bool {
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
	wellFormed := scanTokens(h, name, func(t []byte) bool {
		found = strings.EqualFold(string(t), token)
		return !found
	})
	return wellFormed && found
}
