package router

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// URLFor returns the path of the route with this name, with params as its parameters. The
// path is escaped, so that a page can use it as it is:
//
//	urls.URLFor("room", map[string]string{"group": "lobby"}) // "/ws/lobby/"
//
// A route of a mounted router has the name of the mount, a colon, and its own name:
// "shop:room"; if the mount has no name, it has only its own. In a parameter that matches
// within one segment, a slash is written as %2F. Optional parts of an expression are left
// out, and the first of alternatives is taken. Prefixes in front of this router, such as
// that of http.StripPrefix, are not included.
//
// A path that URLFor returns leads to the route. An error says which name or parameter is
// missing or unknown, or which parameter does not match.
func (u *URLRouter) URLFor(name string, params map[string]string) (string, error) {
	chain := u.chainTo(name)
	if chain == nil {
		return "", fmt.Errorf("wye: router.URLFor: no route has the name %q; known names: %s", name, u.knownNames())
	}
	path, err := u.buildPath(chain, params)
	if err != nil {
		return "", fmt.Errorf("wye: router.URLFor: %q: %w", name, err)
	}
	return path, nil
}

// buildPath returns the escaped path that leads through the routes of chain: one of u, and
// behind each one of its router.
func (u *URLRouter) buildPath(chain []*Route, params map[string]string) (string, error) {
	var form strings.Builder
	used := map[string]bool{}
	for _, r := range chain {
		if err := r.writePath(&form, params, used); err != nil {
			return "", err
		}
	}
	for param := range params {
		if !used[param] {
			return "", fmt.Errorf("the route has no parameter %q", param)
		}
	}
	path := formPath(form.String())
	escaped := escapePath("/" + path.form)
	request := protocol.NewScope("", &http.Request{
		URL:        &url.URL{Path: "/" + path.decoded, RawPath: escaped},
		RequestURI: escaped,
	})
	if err := u.checkLeadsThrough(chain, path, params, request); err != nil {
		return "", err
	}
	if strings.HasPrefix(escaped, "//") {
		return "", errors.New("the path would begin with two slashes, which browsers read as the name of another host")
	}
	if _, err := request.RoutePath(); err != nil {
		return "", fmt.Errorf("no route matches %q: %w", escaped, err)
	}
	return escaped, nil
}

// escapePath returns a path as it is written in a URL: escaped, and with %2F for a slash
// within a segment. form is the path as routes match it.
func escapePath(form string) string {
	parts := strings.Split(form, encodedSlash)
	for i, part := range parts {
		parts[i] = (&url.URL{Path: part}).EscapedPath()
	}
	return strings.Join(parts, "%2F")
}

// chainTo returns the routes that lead to the one with this name, which is the last of
// them, or nil.
func (u *URLRouter) chainTo(name string) []*Route {
	if _, known := u.names[name]; !known {
		return nil
	}
	for i := range u.routes {
		r := &u.routes[i]
		if r.name == name && name != "" {
			return []*Route{r}
		}
		inner, nested := routerOf(r.app)
		if !nested {
			continue
		}
		rest := name
		if r.name != "" {
			var under bool
			if rest, under = strings.CutPrefix(name, r.name+":"); !under {
				continue
			}
		}
		if chain := inner.chainTo(rest); chain != nil {
			return append([]*Route{r}, chain...)
		}
	}
	return nil
}

func (u *URLRouter) knownNames() string {
	names := slices.Sorted(maps.Keys(u.names))
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// checkLeadsThrough returns an error unless path leads through the routes of chain, no route
// before one of them matches it, and each parameter is captured with its value in params.
// request is the scope of a request for path.
func (u *URLRouter) checkLeadsThrough(chain []*Route, path routePath, params map[string]string, request *protocol.Scope) error {
	for segment := range strings.SplitSeq(path.decoded, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("the path would have a segment %q, which browsers and proxies read as another path", segment)
		}
	}
	captured := map[string]bool{}
	for i, r := range chain {
		if i > 0 {
			path = path.withoutLeadingSlash()
		}
		spans := r.match(path, nil)
		if spans == nil {
			return fmt.Errorf("%v does not match %q", r, path.decoded)
		}
		if earlier := u.earlierMatch(r, path, request); earlier != nil {
			return fmt.Errorf("%q leads to %v, which is before %v", path.decoded, earlier, r)
		}
		for _, got := range r.params(path.decoded, spans, 0) {
			if want, given := params[got.Name]; given && got.Value != want {
				return fmt.Errorf("%v would capture %q as %q and not as %q", r, got.Name, got.Value, want)
			}
			captured[got.Name] = true
		}
		path = path.from(spans[1])
		u, _ = routerOf(r.app)
	}
	for param := range params {
		if !captured[param] {
			return fmt.Errorf("no route would capture %q as %q", param, params[param])
		}
	}
	return nil
}

// earlierMatch returns the route before r that path leads to, or nil. Behind a mount it
// looks only into a URLRouter.
func (u *URLRouter) earlierMatch(r *Route, path routePath, request *protocol.Scope) *Route {
	for _, i := range u.candidates(path, nil) {
		other := &u.routes[i]
		if other == r {
			break
		}
		spans := other.match(path, nil)
		if spans == nil {
			continue
		}
		inner, nested := routerOf(other.app)
		if !other.mounted || nested && inner.hasRoute(path.from(spans[1]), request) {
			return other
		}
	}
	return nil
}
