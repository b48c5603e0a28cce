package router

import (
	"fmt"
	"slices"
	"strings"
)

// reach finds the routes that can never be reached, because one before them
// matches whatever they match. A mount hides nothing: what is not found in it
// goes to the next route. Neither does a route whose converters are a program's
// own, which may say no.
type reach struct {
	routes   []Route
	index    *index
	same     map[string]int // the routes so far by what they match
	prefixes map[string]int // those that match all that begins with a literal
	wide     []int          // those that match all paths, or all that have some text in them
}

// checkReachable panics if one of routes can never be reached.
func checkReachable(routes []Route, x *index) {
	c := reach{routes: routes, index: x, same: map[string]int{}, prefixes: map[string]int{}}
	for i := range routes {
		if by, why := c.hidden(i); why != "" {
			advice := ""
			if _, nested := routerOf(routes[by].app); nested {
				advice = "; if what that router does not know should go to the next route, use Mount"
			}
			panic(fmt.Sprintf("wye: %v can never be reached: %s %v%s", routes[i], why, routes[by], advice))
		}
		c.note(i)
	}
}

// note remembers what the route i hides.
func (c *reach) note(i int) {
	r := &c.routes[i]
	if r.mounted || r.custom {
		return
	}
	c.same[r.what()] = i
	all, _ := r.shape.all()
	switch only := r.shape.only() && !r.shape.ended; {
	case all, only && !r.shape.anchored:
		c.wide = append(c.wide, i)
	case only:
		c.prefixes[r.shape.prefix()] = i
	}
}

// hidden returns a route that hides the route i, and how; or "".
func (c *reach) hidden(i int) (by int, why string) {
	r := &c.routes[i]
	if by, found := c.same[r.re.String()]; found {
		return by, "the same stands before it, in"
	}
	if by, found := c.same[r.what()]; found && !r.custom {
		return by, "the same stands before it, in"
	}
	for _, by := range c.wide {
		if text, hides := c.hides(by, r); hides && text == "" {
			return by, "every path goes to"
		} else if hides {
			return by, fmt.Sprintf("whatever has %q in it goes to", text)
		}
	}
	if !r.shape.anchored {
		return 0, ""
	}
	prefix := r.shape.prefix()
	for n := range len(prefix) + 1 {
		if by, found := c.prefixes[prefix[:n]]; found {
			return by, fmt.Sprintf("whatever begins with %q goes to", prefix[:n])
		}
	}
	if r.shape.exact && r.shape.ended && r.shape.only() {
		return c.taken(prefix, i)
	}
	return 0, ""
}

// hides reports whether the wide route hides r, because of text or, if that is
// "", always.
func (c *reach) hides(wide int, r *Route) (text string, hides bool) {
	s := &c.routes[wide].shape
	if all, butEmpty := s.all(); all {
		return "", !butEmpty || !r.re.MatchString("")
	}
	text = s.prefix()
	return text, slices.ContainsFunc(r.shape.solid(), func(p piece) bool {
		return p.kind == literal && strings.Contains(p.text, text)
	})
}

// taken returns a route before i that path goes to, which is all that i matches.
func (c *reach) taken(path string, i int) (by int, why string) {
	for _, by := range c.index.find(path, nil) {
		r := &c.routes[by]
		if by < i && !r.mounted && !r.custom && r.match(path, nil) != nil {
			return by, "this path goes to"
		}
	}
	return 0, ""
}
