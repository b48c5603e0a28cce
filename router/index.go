package router

import "strings"

// index finds the routes that may match a path, so that the router need not try those
// that cannot. It is a radix tree of the literals of the expressions:
//
//	ws/ ── <any> ── /        1 ends here: ^ws/(\w+)/$
//	 │       └───── /edit/   2 ends here: ^ws/(\w+)/edit/$
//	 └──── news/             0 ends here, and 3 continues: ^ws/news/$, ^ws/news/
//
// An <any> node stands for the rest of a segment, up to the next slash. It replaces
// everything in a segment from the first part on that is not a literal, so routes that
// differ only there are in the same node. If a part may match a slash, the route is in the
// node before that part, as one that continues; if the expression is not anchored, it is
// in the root.
//
// So find returns a superset of the routes that match. The router runs their expressions.
type index struct {
	text       string   // the literal that leads to this node from its parent
	children   []*index // nodes behind this one, which begin with different bytes
	firstBytes string   // the first byte of the text of each child
	any        *index   // the <any> node behind this one, or nil
	ending     []int    // routes that match only if the path ends here, in order
	continuing []int    // routes that match whatever follows, in order
}

// insert adds the route i, whose expression has the shape s.
func (x *index) insert(s *shape, i int) {
	toEnd := s.toEnd
	pieces := s.pieces
	if !s.anchored {
		pieces, toEnd = nil, false
	}
	inAny := false // x is an <any> node, and the rest of its segment is skipped
walk:
	for _, p := range pieces {
		switch {
		case p.kind == groupPiece:
		case p.kind == literalPiece:
			text := p.text
			if inAny {
				slash := strings.IndexByte(text, '/')
				if slash < 0 {
					continue
				}
				text = text[slash:]
			}
			x, inAny = x.literalNode(text), false
		case p.kind == anyPiece || p.kind == runPiece && p.class.has('/'):
			toEnd = false
			break walk
		case !inAny:
			x, inAny = x.anyNode(), true
		}
	}
	if toEnd {
		x.ending = append(x.ending, i)
	} else {
		x.continuing = append(x.continuing, i)
	}
}

// anyNode returns the <any> node behind x, and makes it if there is none.
func (x *index) anyNode() *index {
	if x.any == nil {
		x.any = &index{}
	}
	return x.any
}

// literalNode returns the node behind x that text leads to. It makes nodes, and splits
// one, where there is none.
func (x *index) literalNode(text string) *index {
	if text == "" {
		return x
	}
	at := strings.IndexByte(x.firstBytes, text[0])
	if at < 0 {
		child := &index{text: text}
		x.firstBytes += text[:1]
		x.children = append(x.children, child)
		return child
	}
	child := x.children[at]
	n := commonPrefix(child.text, text)
	if n < len(child.text) {
		upper := &index{text: child.text[:n], firstBytes: child.text[n : n+1], children: []*index{child}}
		child.text = child.text[n:]
		x.children[at], child = upper, upper
	}
	return child.literalNode(text[n:])
}

// commonPrefix returns the length of the longest common prefix of a and b.
func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// find appends to found the routes that may match path, each once and in no order.
func (x *index) find(path string, found []int) []int {
	for {
		found = append(found, x.continuing...)
		if path == "" {
			found = append(found, x.ending...)
		}
		if x.any != nil {
			found = x.any.find(path[segmentLen(path):], found)
		}
		if path == "" {
			return found
		}
		at := strings.IndexByte(x.firstBytes, path[0])
		if at < 0 || !strings.HasPrefix(path, x.children[at].text) {
			return found
		}
		x = x.children[at]
		path = path[len(x.text):]
	}
}

// segmentLen returns the number of bytes before the next slash.
func segmentLen(path string) int {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return i
	}
	return len(path)
}
