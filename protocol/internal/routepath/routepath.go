// Package routepath decides how a path is matched by routers, and whether something in
// front of the router may have taken it for another one.
package routepath

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/plumbing"
)

// EncodedSlash stands for a slash within a segment.
const EncodedSlash = plumbing.EncodedSlash

// The ways in which a path is not canonical.
var (
	errEmptySegment = errors.New("it has an empty segment")
	errDotSegment   = errors.New(`it has a segment "." or ".."`)
	errEscaped      = errors.New("it escapes a character that is never escaped (a letter, a digit, or one of - . _ ~)")
	errControl      = errors.New("it has a control character")
	errNotUTF8      = errors.New("it is not UTF-8")
	errAmbiguous    = errors.New("it has %2F, and it is not known which of its slashes that was")
)

// Of returns the path of r in the form that routers match; "" stands for r.URL.Path. It
// returns an error if the path is not canonical. Its text has no text of the peer in it.
func Of(r *http.Request) (form string, err error) {
	sent := sentPath(r.RequestURI)
	if err := checkEscaped(sent); err != nil {
		return "", err
	}
	u := r.URL
	if err := checkDecoded(u.Path); err != nil {
		return "", err
	}
	spelling := u.RawPath
	if decoded, err := url.PathUnescape(spelling); err != nil || decoded != u.Path {
		spelling = "" // of another path
	}
	switch {
	case spelling == "" && (hasEncodedSlash(sent) || hasEncodedSlash(u.RawPath)):
		return "", errAmbiguous
	case spelling == "":
		return "", checkSegments(u.Path)
	}
	if err := checkEscaped(spelling); err != nil || !hasEncodedSlash(spelling) {
		return "", err
	}
	if u.EscapedPath() != spelling { // net/http does not believe it, others do
		return "", errAmbiguous
	}
	return withEncodedSlashes(u.Path, spelling), nil
}

// sentPath is the path in the first line of a request, as it was sent; "" if there is
// none.
func sentPath(requestURI string) string {
	path, _, _ := strings.Cut(requestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	_, rest, _ := strings.Cut(path, "://")
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return ""
}

// checkDecoded looks at the characters of a path after decoding, and for dot segments
// whose slashes were escaped.
func checkDecoded(path string) error {
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7f {
			return errControl
		}
	}
	if !utf8.ValidString(path) {
		return errNotUTF8
	}
	return checkDots(path)
}

// checkEscaped looks at a path before decoding.
func checkEscaped(spelling string) error {
	for i := 0; i+2 < len(spelling); i++ {
		if spelling[i] == '%' && isUnreserved(hexDigit(spelling[i+1])<<4|hexDigit(spelling[i+2])) {
			return errEscaped
		}
	}
	return checkSegments(spelling)
}

// checkSegments looks for segments that others skip or resolve.
func checkSegments(path string) error {
	if strings.Contains(path, "//") {
		return errEmptySegment
	}
	return checkDots(path)
}

func checkDots(path string) error {
	for rest := path; rest != ""; {
		var segment string
		if segment, rest, _ = strings.Cut(rest, "/"); segment == "." || segment == ".." {
			return errDotSegment
		}
	}
	return nil
}

// isUnreserved reports whether c is one of the characters of RFC 3986 section 2.3,
// which mean the same whether or not they are escaped.
func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}

// hexDigit returns the value of a hexadecimal digit. c must be one: net/http refuses
// other escapes.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0
}

func hasEncodedSlash(spelling string) bool {
	return strings.Contains(spelling, "%2F") || strings.Contains(spelling, "%2f")
}

// withEncodedSlashes is path with an EncodedSlash for each slash that is escaped in
// its spelling.
func withEncodedSlashes(path, spelling string) string {
	form, at := []byte(path), 0
	for i := 0; i < len(spelling); i++ {
		if spelling[i] == '%' {
			if hasEncodedSlash(spelling[i : i+3]) {
				form[at] = EncodedSlash
			}
			i += 2
		}
		at++
	}
	return string(form)
}
