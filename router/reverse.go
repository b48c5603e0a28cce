package router

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// URLFor returns the path of a named route, with its parameters filled in and
// what must be escaped escaped, as a page needs it. A slash in a parameter that can
// match none becomes %2F:
//
//	urls.URLFor("room", map[string]string{"group": "lobby"}) // "/ws/lobby/"
//
// The names of routes in a mounted router are those of the mount and of the
// route with a colon between, "shop:room", or the route's alone if the mount has
// none. An optional part of an expression is left out, and of alternatives the
// first is taken. What stands in front of this router, such as an
// http.StripPrefix, is for the caller to add.
//
// An error says which name or parameter is missing, unknown, or not what the
// route matches: a path that is returned leads to the route.
func (u *URLRouter) URLFor(name string, params map[string]string) (string, error) {
	legs := u.way(name)
	if legs == nil {
		return "", fmt.Errorf("wye: no route has the name %q; there are %s", name, u.known())
	}
	var form strings.Builder
	used := map[string]bool{}
	for _, r := range legs {
		if err := r.fill(&form, params, used); err != nil {
			return "", fmt.Errorf("wye: the path of %q: %w", name, err)
		}
	}
	for param := range params {
		if !used[param] {
			return "", fmt.Errorf("wye: the path of %q has no parameter %q", name, param)
		}
	}
	escaped, err := u.asked(legs, formPath(form.String()), params)
	if err != nil {
		return "", fmt.Errorf("wye: the path of %q: %w", name, err)
	}
	return escaped, nil
}

// asked returns path as it is asked for, if that leads through legs.
func (u *URLRouter) asked(legs []*Route, path routePath, params map[string]string) (string, error) {
	escaped := escape("/" + path.form)
	asked := protocol.NewScope("", &http.Request{
		URL:        &url.URL{Path: "/" + path.text, RawPath: escaped},
		RequestURI: escaped,
	})
	if err := u.leadsAlong(legs, path, params, asked); err != nil {
		return "", err
	}
	if strings.HasPrefix(escaped, "//") {
		return "", errors.New("it would begin with two slashes, which means another host to browsers")
	}
	if _, err := asked.RoutePath(); err != nil {
		return "", fmt.Errorf("%q cannot be asked for: %w", escaped, err)
	}
	return escaped, nil
}

// escape is a path as it is asked for. What stands for an escaped slash becomes one.
func escape(form string) string {
	parts := strings.Split(form, encodedSlash)
	for i, part := range parts {
		parts[i] = (&url.URL{Path: part}).EscapedPath()
	}
	return strings.Join(parts, "%2F")
}

// way returns the routes to the one of this name, or nil.
func (u *URLRouter) way(name string) []*Route {
	if _, known := u.names[name]; !known {
		return nil
	}
	for i := range u.routes {
		r := &u.routes[i]
		if r.name == name && name != "" {
			return []*Route{r}
		}
		inner, ok := routerOf(r.app)
		if !ok {
			continue
		}
		rest := name
		if r.name != "" {
			var under bool
			if rest, under = strings.CutPrefix(name, r.name+":"); !under {
				continue
			}
		}
		if way := inner.way(rest); way != nil {
			return append([]*Route{r}, way...)
		}
	}
	return nil
}

// known lists the names there are.
func (u *URLRouter) known() string {
	names := slices.Sorted(maps.Keys(u.names))
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// allNames are the names of routes as URLFor takes them. Two routes of one name
// panic.
func (u *URLRouter) allNames() map[string]Route {
	all := map[string]Route{}
	add := func(name string, r Route) {
		if first, twice := all[name]; twice {
			panic(fmt.Sprintf("wye: two routes have the name %q: %v and %v; mounts can have names, too", name, first, r))
		}
		all[name] = r
	}
	for i := range u.routes {
		r := &u.routes[i]
		if r.name != "" {
			add(r.name, *r)
		}
		inner, ok := routerOf(r.app)
		if !ok {
			continue
		}
		for name, leads := range inner.names {
			if r.name != "" {
				name = r.name + ":" + name
			}
			add(name, leads)
		}
	}
	return all
}

// blank is a piece of a path that is to be filled in: a literal, or a parameter.
type blank struct {
	text, param string
	slashes     bool // the parameter can match a slash
}

// fill writes the route's part of a path, in the form that is matched.
func (r Route) fill(form *strings.Builder, params map[string]string, used map[string]bool) error {
	blanks, err := r.template()
	if err != nil {
		return err
	}
	for _, b := range blanks {
		value, given := params[b.param]
		switch {
		case b.param == "":
			form.WriteString(b.text)
		case !given:
			return fmt.Errorf("the parameter %q is missing", b.param)
		case strings.Contains(value, encodedSlash):
			return fmt.Errorf("the parameter %q has a control character: %q", b.param, value)
		default:
			if !b.slashes {
				value = strings.ReplaceAll(value, "/", encodedSlash)
			}
			form.WriteString(value)
			used[b.param] = true
		}
	}
	return nil
}

// leadsAlong checks that path goes through legs and to none of the routes before
// them, and that each captures what it was given. asked is the connection that asks for
// path.
func (u *URLRouter) leadsAlong(legs []*Route, path routePath, params map[string]string, asked *protocol.Scope) error {
	for segment := range strings.SplitSeq(path.text, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("a segment %q means another path to browsers and proxies", segment)
		}
	}
	captured := map[string]bool{}
	for i, r := range legs {
		if i > 0 {
			path = path.trimmed()
		}
		spans := r.match(path, nil)
		if spans == nil {
			return fmt.Errorf("%v does not match %q", r, path.text)
		}
		if before := u.before(r, path, asked); before != nil {
			return fmt.Errorf("%q goes to %v, which stands before %v", path.text, before, r)
		}
		for _, got := range r.params(path.text, spans, 0) {
			if want, given := params[got.Name]; given && got.Value != want {
				return fmt.Errorf("%v would capture %q as %q and not %q", r, got.Name, got.Value, want)
			}
			captured[got.Name] = true
		}
		path = path.from(spans[1])
		u, _ = routerOf(r.app)
	}
	for param := range params {
		if !captured[param] {
			return fmt.Errorf("nothing captures %q as %q", param, params[param])
		}
	}
	return nil
}

// before returns the route that path goes to and not r, if there is one, as far as
// is known: what is mounted is asked if it is a router.
func (u *URLRouter) before(r *Route, path routePath, asked *protocol.Scope) *Route {
	for _, i := range u.candidates(path, nil) {
		other := &u.routes[i]
		if other == r {
			break
		}
		spans := other.match(path, nil)
		if spans == nil {
			continue
		}
		inner, ok := routerOf(other.app)
		if !other.mounted || ok && inner.leads(path.from(spans[1]), asked) {
			return other
		}
	}
	return nil
}

// template is what paths of this expression look like.
func (e *expression) template() ([]blank, error) {
	tree, err := syntax.Parse(e.re.String(), syntax.Perl)
	if err != nil {
		return nil, err
	}
	return blanksOf(tree)
}

var errOpen = errors.New("an expression must leave nothing open but named groups")

func blanksOf(re *syntax.Regexp) (blanks []blank, err error) {
	switch re.Op {
	case syntax.OpLiteral:
		return []blank{{text: string(re.Rune)}}, nil
	case syntax.OpCapture:
		if re.Name == "" {
			return nil, fmt.Errorf("%w: %v has no name", errOpen, re)
		}
		return []blank{{param: re.Name, slashes: mayHoldSlash(re)}}, nil
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			more, err := blanksOf(sub)
			if err != nil {
				return nil, err
			}
			blanks = append(blanks, more...)
		}
		return blanks, nil
	case syntax.OpAlternate:
		return blanksOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == 0 {
			return nil, nil
		}
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpPlus, syntax.OpNoMatch:
	case syntax.OpQuest, syntax.OpStar, syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %v", errOpen, re)
}
