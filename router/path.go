package router

import (
	"strings"

	"github.com/wye-go/wye/protocol"
)

// routePath is a path without its leading slash, in the form that routes match (see
// protocol.Scope.RoutePath) and as it is after decoding. They have the same length:
// what a match finds in form is cut out of text.
type routePath struct{ form, text string }

// pathOf is what is left of the path of s. It has an error if the path is not
// canonical.
func pathOf(s *protocol.Scope) (routePath, error) {
	form, err := s.RoutePath()
	if err != nil {
		return routePath{}, err
	}
	return routePath{form, s.Path()}.trimmed(), nil
}

// plainPath is a path none of whose slashes is escaped.
func plainPath(path string) routePath { return routePath{path, path} }

// formPath is the path that form stands for.
func formPath(form string) routePath {
	return routePath{form, strings.ReplaceAll(form, encodedSlash, "/")}
}

const encodedSlash = string(protocol.EncodedSlash)

// trimmed is p without the leading slash.
func (p routePath) trimmed() routePath {
	if strings.HasPrefix(p.form, "/") {
		return p.from(1)
	}
	return p
}

// from is what is left of p behind its first n bytes.
func (p routePath) from(n int) routePath { return routePath{p.form[n:], p.text[n:]} }

// withSlash is p with a slash at the end.
func (p routePath) withSlash() routePath {
	if p.form == p.text {
		return plainPath(p.form + "/")
	}
	return routePath{p.form + "/", p.text + "/"}
}
