package protocol

import (
	"fmt"

	"github.com/wye-go/wye/internal/plumbing"
)

// RoutePath returns Path in the form that routers match: a slash separates segments, and
// U+001F stands for a slash that the peer wrote as %2F, which is part of a segment. A peer
// cannot send U+001F itself: a path with a control character is not canonical. Both forms
// have the same length, so that an offset in one is valid in the other.
//
// It returns an error that matches ErrNoRoute if the path is not canonical: a proxy or
// middleware in front of the router may then have taken it for another path. The text of
// the error says why, and has no text of the peer in it. A path is canonical if
//
//   - no segment is empty, except that the path may end with a slash;
//   - no segment is "." or "..", whether or not its slashes are escaped;
//   - no letter, digit, hyphen, period, underscore or tilde is escaped;
//   - it has no control characters (U+0000 to U+001F, U+007F) and is UTF-8, once it is
//     decoded;
//   - it is known which of its slashes were escaped: http.Request.RawPath belongs to
//     Path, and is valid.
//
// The first three must also be true for the path that the peer has sent
// (http.Request.RequestURI), even if middleware has changed the request's URL.
//
// A router calls it once, at the start of its Open or Find.
func (s *Scope) RoutePath() (string, error) {
	o := s.origin
	if !s.place.Routed {
		o.branches.Store(0)
	}
	if o.notCanonical != nil {
		return "", fmt.Errorf("%w: the path is not canonical: %w", ErrNoRoute, o.notCanonical)
	}
	if from := len(o.routePath) - len(s.place.Path); o.routePath != "" && from >= 0 && isFormOf(o.routePath[from:], s.place.Path) {
		return o.routePath[from:], nil
	}
	return s.place.Path, nil
}

// isFormOf reports whether form is path, apart from slashes that were escaped.
func isFormOf(form, path string) bool {
	for i := range len(form) {
		if form[i] != path[i] && (form[i] != plumbing.EncodedSlash || path[i] != '/') {
			return false
		}
	}
	return true
}
