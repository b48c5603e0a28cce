package router

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// errSlash is in the refusal of a path that only lacks its final slash.
var errSlash = fmt.Errorf("%w: the final slash is missing; the same path with it leads to a route", protocol.ErrNoRoute)

// moreHelpful chooses between what two routers say: the first one's, unless only
// the second one knows what is wrong.
func moreHelpful(first, second error) error {
	if first == nil || errors.Is(second, errSlash) && !errors.Is(first, errSlash) {
		return second
	}
	return first
}

// noRoute is the refusal of a path that no route matches. Its text holds nothing but
// what the peer has sent.
func (u *URLRouter) noRoute(s *protocol.Scope, path routePath) error {
	if !strings.HasSuffix(path.form, "/") && u.leads(path.withSlash(), s) {
		return nothingAt(s, "; did you mean the same with a slash at the end?", errSlash)
	}
	return nothingAt(s, "", protocol.ErrNoRoute)
}

// refusal is the refusal of a path because of err, which is protocol.ErrNoRoute and
// says why.
func refusal(s *protocol.Scope, err error) error {
	_, why, _ := strings.Cut(err.Error(), protocol.ErrNoRoute.Error()+":")
	return nothingAt(s, ";"+why, err)
}

func nothingAt(s *protocol.Scope, why string, err error) error {
	return &protocol.RejectError{
		Status: http.StatusNotFound,
		Body:   fmt.Sprintf("nothing is served at %q%s", shortened(s.RootPath()+s.Path()), why),
		Err:    err,
	}
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

// leads reports whether a route matches path, as far as is known: what is mounted is
// asked if it is a router, until the branches of s are used up.
func (u *URLRouter) leads(path routePath, s *protocol.Scope) bool {
	path = path.trimmed()
	var b buffers
	for _, i := range u.candidates(path, b.may[:0]) {
		r := &u.routes[i]
		spans := r.match(path, b.spans[:0])
		if spans == nil {
			continue
		}
		if scopes.TryBranch(s) != nil {
			return false
		}
		inner, ok := routerOf(r.app)
		switch {
		case ok && inner.leads(path.from(spans[1]), s):
			return true
		case !r.mounted:
			return !ok // nothing goes on behind it
		}
	}
	return false
}
