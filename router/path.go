package router

import (
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// routePath is a path without its leading slash, in two versions: form is what routes match
// (see protocol.Scope.RoutePath), decoded is what parameters are cut out of. Both have the
// same length, so the span of a match in form is also its span in decoded.
type routePath struct{ form, decoded string }

// pathOf returns the part of the path of s that is left to route, or an error if the path
// is not canonical.
func pathOf(s *protocol.Scope) (routePath, error) {
	form, err := s.RoutePath()
	if err != nil {
		return routePath{}, err
	}
	return routePath{form, s.Path()}.withoutLeadingSlash(), nil
}

// plainPath returns a path in which no slash is escaped.
func plainPath(path string) routePath { return routePath{path, path} }

// formPath returns the path that has this form.
func formPath(form string) routePath {
	return routePath{form, strings.ReplaceAll(form, encodedSlash, "/")}
}

const encodedSlash = string(plumbing.EncodedSlash)

func (p routePath) withoutLeadingSlash() routePath {
	if strings.HasPrefix(p.form, "/") {
		return p.from(1)
	}
	return p
}

// from returns p without its first n bytes.
func (p routePath) from(n int) routePath { return routePath{p.form[n:], p.decoded[n:]} }

func (p routePath) withFinalSlash() routePath {
	if p.form == p.decoded {
		return plainPath(p.form + "/")
	}
	return routePath{p.form + "/", p.decoded + "/"}
}
