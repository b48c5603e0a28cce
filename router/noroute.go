package router

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// errSlash is in the refusal of a path that only lacks its final slash.
var errSlash = fmt.Errorf("%w: the final slash is missing", protocol.ErrNoRoute)

// moreHelpful chooses between what two routers say: the first one's, unless only
// the second one knows what is wrong.
func moreHelpful(first, second error) error {
	if first == nil || errors.Is(second, errSlash) && !errors.Is(first, errSlash) {
		return second
	}
	return first
}

// noRoute is the refusal of a path. Its text holds nothing but what the peer
// has sent.
func (u *URLRouter) noRoute(s *protocol.Scope, path string) error {
	e := &protocol.RejectError{
		Status: http.StatusNotFound,
		Body:   fmt.Sprintf("nothing is served at %q", shortened(s.RootPath+s.Path)),
		Err:    protocol.ErrNoRoute,
	}
	if !strings.HasSuffix(path, "/") && u.leads(path+"/") {
		e.Body += "; did you mean the same with a slash at the end?"
		e.Err = errSlash
	}
	return e
}

// maxPath is how much of a path is repeated in an answer, in bytes: each may
// become four.
const maxPath = 200

// shortened is the beginning of path, if it is too long to be repeated.
func shortened(path string) string {
	if len(path) > maxPath {
		return path[:maxPath] + "..."
	}
	return path
}

// leads reports whether a route matches path, as far as is known: what is
// mounted is asked if it is a router.
func (u *URLRouter) leads(path string) bool {
	path = strings.TrimLeft(path, "/")
	var b buffers
	for _, i := range u.candidates(path, b.may[:0]) {
		r := &u.routes[i]
		spans := r.match(path, b.spans[:0])
		if spans == nil {
			continue
		}
		inner, ok := routerOf(r.app)
		switch {
		case ok && inner.leads(path[spans[1]:]):
			return true
		case !r.mounted:
			return !ok // nothing goes on behind it
		}
	}
	return false
}
