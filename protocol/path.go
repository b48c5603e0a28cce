package protocol

import (
	"fmt"

	"github.com/wye-go/wye/internal/plumbing"
)

// RoutePath returns Path as routers match it: each slash in it separates segments,
// and each U+001F in it is a slash that the peer wrote as %2F, which is part of a segment.
// No peer can send U+001F: a path with a control character is not canonical. Both have
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
		return "", fmt.Errorf("%w: the path is not canonical: %w", ErrNoRoute, o.notCanonical)
	}
	if from := len(o.routePath) - len(s.path); o.routePath != "" && from >= 0 && isFormOf(o.routePath[from:], s.path) {
		return o.routePath[from:], nil
	}
	return s.path, nil
}

// isFormOf reports whether form is path but for the slashes that were escaped.
func isFormOf(form, path string) bool {
	for i := range len(form) {
		if form[i] != path[i] && (form[i] != plumbing.EncodedSlash || path[i] != '/') {
			return false
		}
	}
	return true
}
