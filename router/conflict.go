package router

import (
	"fmt"
	"slices"
)

// reach finds the routes that can never be reached, because one before them
// matches whatever they match. A mount hides nothing: what is not found in it
// goes to the next route. Neither does a route whose converters are a program's
// own, which may say no.
type reach struct {
	routes   []Route
	index    *index
	same     map[string]int  // the routes so far by what they match
	prefixes map[string]tail // those that match all that begins with a literal
	all      []int           // those that match all paths, perhaps but the empty one
	texts    map[string]int  // those that match all that has some text in it
	lengths  []int           // of these texts
}

// tail is a route that matches whatever begins with a literal.
type tail struct {
	route int
	some  bool // and goes on: not the literal alone
}

// checkReachable panics if one of routes can never be reached.
func checkReachable(routes []Route, x *index) {
	c := reach{routes: routes, index: x, same: map[string]int{}, prefixes: map[string]tail{}, texts: map[string]int{}}
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
	follows, some := r.shape.behind()
	switch only := r.shape.only() && !r.shape.ended; {
	case all:
		c.all = append(c.all, i)
	case follows:
		c.prefixes[r.shape.prefix()] = tail{i, some}
	case only:
		text := r.shape.prefix()
		c.texts[text] = i
		if !slices.Contains(c.lengths, len(text)) {
			c.lengths = append(c.lengths, len(text))
		}
	}
}

// hidden returns a route that hides the route i, and how; or "".
func (c *reach) hidden(i int) (by int, why string) {
	r := &c.routes[i]
	if by, found := c.same[r.bare()]; found {
		return by, "the same stands before it, in"
	}
	if by, found := c.same[r.what()]; found && !r.custom {
		return by, "the same stands before it, in"
	}
	if by := c.everything(r); by >= 0 {
		return by, "every path goes to"
	}
	if by, text := c.within(&r.shape); text != "" {
		return by, fmt.Sprintf("whatever has %q in it goes to", text)
	}
	if !r.shape.anchored {
		return 0, ""
	}
	prefix := r.shape.prefix()
	for n := range len(prefix) + 1 {
		if by, found := c.prefixes[prefix[:n]]; found && (!by.some || !r.re.MatchString(prefix[:n])) {
			return by.route, fmt.Sprintf("whatever begins with %q goes to", prefix[:n])
		}
	}
	if r.shape.exact && r.shape.ended && r.shape.only() {
		return c.taken(prefix, i)
	}
	return 0, ""
}

// everything returns a route that matches all that r does, because it matches all
// paths; or -1.
func (c *reach) everything(r *Route) int {
	for _, by := range c.all {
		if _, butEmpty := c.routes[by].shape.all(); !butEmpty || !r.re.MatchString("") {
			return by
		}
	}
	return -1
}

// within returns a route that matches all that has some text in it, and a text of
// the kind that is in a literal of s; or "". There may be many such routes, so
// that each text is not looked for.
func (c *reach) within(s *shape) (by int, text string) {
	for _, p := range s.pieces {
		if p.kind != literal {
			continue
		}
		for _, n := range c.lengths {
			for at := range len(p.text) - n + 1 {
				if by, found := c.texts[p.text[at:at+n]]; found {
					return by, p.text[at : at+n]
				}
			}
		}
	}
	return 0, ""
}

// maxTaken is how many routes are tried for one path: a program with so many that
// no index tells apart has to start all the same.
const maxTaken = 100

// taken returns a route before i that path goes to, which is all that i matches.
func (c *reach) taken(path string, i int) (by int, why string) {
	may := c.index.find(path, nil)
	for _, by := range may[:min(len(may), maxTaken)] {
		r := &c.routes[by]
		if by < i && !r.mounted && !r.custom && r.match(plainPath(path), nil) != nil {
			return by, "this path goes to"
		}
	}
	return 0, ""
}
