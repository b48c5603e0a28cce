package router

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp/syntax"
	"slices"
	"strings"
)

// URLFor returns the path of a named route, with its parameters filled in and
// what must be escaped escaped, as a page needs it:
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
	var path strings.Builder
	used := map[string]bool{}
	for _, r := range legs {
		if err := r.fill(&path, params, used); err != nil {
			return "", fmt.Errorf("wye: the path of %q: %w", name, err)
		}
	}
	for param := range params {
		if !used[param] {
			return "", fmt.Errorf("wye: the path of %q has no parameter %q", name, param)
		}
	}
	if err := u.leadsAlong(legs, path.String(), params); err != nil {
		return "", fmt.Errorf("wye: the path of %q: %w", name, err)
	}
	return (&url.URL{Path: "/" + path.String()}).EscapedPath(), nil
}

// way returns the routes to the one of this name, or nil.
func (u *URLRouter) way(name string) []*Route {
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
	names := slices.Sorted(maps.Keys(u.allNames()))
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
		for name, leads := range inner.allNames() {
			if r.name != "" {
				name = r.name + ":" + name
			}
			add(name, leads)
		}
	}
	return all
}

// blank is a piece of a path that is to be filled in: a literal, or a parameter.
type blank struct{ text, param string }

// fill writes the route's part of a path.
func (r Route) fill(path *strings.Builder, params map[string]string, used map[string]bool) error {
	blanks, err := r.template()
	if err != nil {
		return err
	}
	for _, b := range blanks {
		value, given := params[b.param]
		switch {
		case b.param == "":
			path.WriteString(b.text)
		case !given:
			return fmt.Errorf("the parameter %q is missing", b.param)
		default:
			path.WriteString(value)
			used[b.param] = true
		}
	}
	return nil
}

// leadsAlong checks that path goes through legs and to none of the routes before
// them, and that each captures what it was given.
func (u *URLRouter) leadsAlong(legs []*Route, path string, params map[string]string) error {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("a segment %q means another path to browsers and proxies", segment)
		}
	}
	captured, host := map[string]bool{}, strings.HasPrefix(path, "/")
	for _, r := range legs {
		path = strings.TrimLeft(path, "/")
		spans := r.match(path, nil)
		if spans == nil {
			return fmt.Errorf("%v does not match %q", r, path)
		}
		if before := u.before(r, path); before != nil {
			return fmt.Errorf("%q goes to %v, which stands before %v", path, before, r)
		}
		for _, got := range r.params(path, spans, 0) {
			if want, given := params[got.Name]; given && got.Value != want {
				return fmt.Errorf("%v would capture %q as %q and not %q", r, got.Name, got.Value, want)
			}
			captured[got.Name] = true
		}
		path = path[spans[1]:]
		u, _ = routerOf(r.app)
	}
	for param := range params {
		if !captured[param] {
			return fmt.Errorf("nothing captures %q as %q", param, params[param])
		}
	}
	if host {
		return errors.New("it would begin with two slashes, which means another host to browsers")
	}
	return nil
}

// before returns the route that path goes to and not r, if there is one, as far as
// is known: what is mounted is asked if it is a router.
func (u *URLRouter) before(r *Route, path string) *Route {
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
		if !other.mounted || ok && inner.leads(path[spans[1]:]) {
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
		return []blank{{param: re.Name}}, nil
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
