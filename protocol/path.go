package protocol

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// EncodedSlash stands in [Scope.RoutePath] for a slash that the peer wrote as %2F,
// which is part of a segment and separates nothing. No peer can send it: a path with
// a control character is not canonical.
const EncodedSlash = '\x1f'

// The ways in which a path is not canonical. Each is ErrNoRoute, and its text has
// nothing that a peer has sent.
var (
	errEmptySegment = notCanonical("it has an empty segment")
	errDotSegment   = notCanonical(`it has a segment "." or ".."`)
	errEscaped      = notCanonical("it escapes a character that is never escaped (a letter, a digit, or one of - . _ ~)")
	errControl      = notCanonical("it has a control character")
	errNotUTF8      = notCanonical("it is not UTF-8")
	errAmbiguous    = notCanonical("it has %2F, and it is not known which of its slashes that was")
)

func notCanonical(why string) error {
	return fmt.Errorf("%w: the path is not canonical: %s", ErrNoRoute, why)
}

// RoutePath returns Path as routers match it: each slash in it separates segments,
// and each EncodedSlash in it is a slash in Path that the peer wrote as %2F. Both have
// the same length, so that what matches one can be cut out of the other.
//
// It returns an error that is ErrNoRoute if the path is not canonical, so that
// something in front of the router may have taken it for another path. The text of the
// error says why, and holds nothing that the peer has sent. A path is canonical if
//
//   - no segment is empty, except that the path may end with a slash;
//   - no segment is "." or "..", whether or not its slashes are escaped;
//   - no letter, digit, hyphen, period, underscore or tilde is escaped;
//   - it has no control characters (U+0000 to U+001F, U+007F) and is UTF-8, once it is
//     decoded;
//   - it is known which of its slashes were escaped: http.Request.RawPath belongs to
//     Path, and is valid.
//
// The first three also hold for the path that the peer has sent
// (http.Request.RequestURI), whatever middleware in front has made of it.
//
// A router calls it once, at the start of its Open or Find.
func (s *Scope) RoutePath() (string, error) {
	o := s.origin
	if !s.routed {
		o.branches.Store(0)
	}
	if o.notCanonical != nil {
		return "", o.notCanonical
	}
	if from := len(o.routePath) - len(s.path); o.routePath != "" && from >= 0 && isFormOf(o.routePath[from:], s.path) {
		return o.routePath[from:], nil
	}
	return s.path, nil
}

// isFormOf reports whether form is path but for the slashes that were escaped.
func isFormOf(form, path string) bool {
	for i := range len(form) {
		if form[i] != path[i] && (form[i] != EncodedSlash || path[i] != '/') {
			return false
		}
	}
	return true
}

// routePath is what RoutePath returns for r: "" stands for r.URL.Path.
func routePath(r *http.Request) (form string, err error) {
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

// hexDigit is the value of a hexadecimal digit. What is no digit has none: net/http
// refuses such an escape.
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
