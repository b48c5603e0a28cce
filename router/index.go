package router

import "strings"

// index finds the routes that may match a path, so that those which cannot need
// not be tried. It is a radix tree of the literals that expressions consist of:
//
//	ws/ ── <any> ── /        1 ends here: ^ws/(\w+)/$
//	 │       └───── /edit/   2 ends here: ^ws/(\w+)/edit/$
//	 └──── news/             0 ends here, or 3 goes on: ^ws/news/$, ^ws/news/
//
// A step <any> skips to the next slash: what an expression has within a segment
// behind its first group does not count. An expression that is not anchored, or
// has something that may hold a slash, goes on from there.
//
// What the index says is a superset: the expressions decide.
type index struct {
	text  string   // on the way to here
	next  []*index // by the first byte of text
	heads string   // those bytes
	any   *index   // behind whatever has no slash
	ends  []int    // routes that end here, in order
	goes  []int    // routes that go on with anything, in order
}

// insert adds the route i, which has the shape s.
func (x *index) insert(s *shape, i int) {
	ended := s.ended
	pieces := s.pieces
	if !s.anchored {
		pieces, ended = nil, false
	}
	skipping := false
walk:
	for _, p := range pieces {
		switch {
		case p.kind == mark:
		case p.kind == literal:
			text := p.text
			if skipping {
				slash := strings.IndexByte(text, '/')
				if slash < 0 {
					continue
				}
				text = text[slash:]
			}
			x, skipping = x.literal(text), false
		case p.kind == rest || p.kind == run && p.class.has('/'):
			ended = false
			break walk
		case !skipping:
			x, skipping = x.skip(), true
		}
	}
	if ended {
		x.ends = append(x.ends, i)
	} else {
		x.goes = append(x.goes, i)
	}
}

// skip is the node behind <any>.
func (x *index) skip() *index {
	if x.any == nil {
		x.any = &index{}
	}
	return x.any
}

// literal is the node behind text.
func (x *index) literal(text string) *index {
	if text == "" {
		return x
	}
	at := strings.IndexByte(x.heads, text[0])
	if at < 0 {
		child := &index{text: text}
		x.heads += text[:1]
		x.next = append(x.next, child)
		return child
	}
	child := x.next[at]
	n := common(child.text, text)
	if n < len(child.text) { // a node between
		between := &index{text: child.text[:n], heads: child.text[n : n+1], next: []*index{child}}
		child.text = child.text[n:]
		x.next[at], child = between, between
	}
	return child.literal(text[n:])
}

// common is how much of a and b is the same.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// find adds to found the routes that may match path, in no order.
func (x *index) find(path string, found []int) []int {
	for {
		found = append(found, x.goes...)
		if path == "" {
			found = append(found, x.ends...)
		}
		if x.any != nil {
			found = x.any.find(path[segment(path):], found)
		}
		if path == "" {
			return found
		}
		at := strings.IndexByte(x.heads, path[0])
		if at < 0 || !strings.HasPrefix(path, x.next[at].text) {
			return found
		}
		x = x.next[at]
		path = path[len(x.text):]
	}
}

// segment is the length of what is before the next slash.
func segment(path string) int {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return i
	}
	return len(path)
}
