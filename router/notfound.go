package router

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// errMissingSlash is in the error for a path that lacks only its final slash.
var errMissingSlash = fmt.Errorf("%w: the final slash is missing; the same path with it leads to a route", protocol.ErrNoRoute)

// betterNotFound chooses between the answers of two routers that have no route for a
// path: the first answer, unless only the second one knows that a slash is missing.
func betterNotFound(first, second error) error {
	if first == nil || errors.Is(second, errMissingSlash) && !errors.Is(first, errMissingSlash) {
		return second
	}
	return first
}

// notFound returns the refusal of a path that no route matches.
func notFound(s *protocol.Scope, slashMissing bool) error {
	if slashMissing {
		return refuse404(s, "; did you mean the same with a slash at the end?", errMissingSlash)
	}
	return refuse404(s, "", protocol.ErrNoRoute)
}

// notFoundBecause returns the refusal of a path because of err, which wraps
// protocol.ErrNoRoute and gives the reason.
func notFoundBecause(s *protocol.Scope, err error) error {
	_, reason, _ := strings.Cut(err.Error(), protocol.ErrNoRoute.Error()+":")
	return refuse404(s, ";"+reason, err)
}

// refuse404 returns a refusal whose body has nothing but the path of s and the reason.
func refuse404(s *protocol.Scope, reason string, err error) error {
	return &protocol.RejectError{
		Status: http.StatusNotFound,
		Body:   fmt.Sprintf("nothing is served at %q%s", truncatePath(s.RootPath()+s.Path()), reason),
		Err:    err,
	}
}

// maxQuotedPath is how many bytes of a path a body may have. Quoting can make each byte
// four characters.
const maxQuotedPath = 200

func truncatePath(path string) string {
	if len(path) > maxQuotedPath {
		return path[:maxQuotedPath] + "..."
	}
	return path
}
