package router

import (
	"fmt"
	"slices"
)

// conflict is a route that can never be reached.
type conflict struct {
	hidden int // the route
	by     int // a route before it that matches every path that it matches
	reason string
}

// findConflict returns the first route that can never be reached, if there is one.
func findConflict(routes []Route, x *index) (c conflict, found bool) {
	f := conflictFinder{routes: routes, index: x, keys: map[string]int{}, prefixes: map[string]prefixRoute{}, texts: map[string]int{}}
	for i := range routes {
		if by, reason := f.hiding(i); reason != "" {
			return conflict{hidden: i, by: by, reason: reason}, true
		}
		f.add(i)
	}
	return conflict{}, false
}

// conflictFinder remembers what the routes so far match, as far as that is certain. It
// does not find every conflict, and reports none that is not there.
type conflictFinder struct {
	routes   []Route
	index    *index
	keys     map[string]int         // routes by matchKey
	prefixes map[string]prefixRoute // routes that match all paths with a prefix, by the prefix
	texts    map[string]int         // routes that match all paths with a text somewhere, by the text
	textLens []int                  // the lengths of these texts
}

// prefixRoute is a route that matches every path that begins with a prefix, or, if
// notEmpty, every such path that is longer than the prefix.
type prefixRoute struct {
	route    int
	notEmpty bool
}

// add remembers the route i if it can hide others. A mount cannot, because the next route
// is tried if the mounted application returns ErrNoRoute. A route with converters of the
// program cannot, because their Check may refuse.
func (f *conflictFinder) add(i int) {
	r := &f.routes[i]
	if r.mounted || r.custom {
		return
	}
	f.keys[r.matchKey()] = i
	text := r.shape.prefix()
	if all, notEmpty := r.shape.matchesAllWithPrefix(); all {
		f.prefixes[text] = prefixRoute{i, notEmpty}
	} else if r.shape.isLiteral() && !r.shape.toEnd {
		f.texts[text] = i
		if !slices.Contains(f.textLens, len(text)) {
			f.textLens = append(f.textLens, len(text))
		}
	}
}

// hiding returns a route that hides the route i, and the beginning of a sentence that
// says why, or "" if there is none.
func (f *conflictFinder) hiding(i int) (by int, reason string) {
	r := &f.routes[i]
	if by, found := f.keys[r.withoutGroupNames()]; found {
		return by, "the same paths go to"
	}
	if by, found := f.keys[r.matchKey()]; found && !r.custom {
		return by, "the same paths go to"
	}
	if by, found := f.hidingPrefix(r, ""); found {
		return by, "every path goes to"
	}
	if by, text := f.hidingText(&r.shape); text != "" {
		return by, fmt.Sprintf("every path that contains %q goes to", text)
	}
	if !r.shape.anchored {
		return 0, ""
	}
	prefix := r.shape.prefix()
	for n := range len(prefix) {
		if by, found := f.hidingPrefix(r, prefix[:n+1]); found {
			return by, fmt.Sprintf("every path that begins with %q goes to", prefix[:n+1])
		}
	}
	if r.shape.exact && r.shape.toEnd && r.shape.isLiteral() {
		return f.hidingPath(prefix, i)
	}
	return 0, ""
}

// hidingPrefix returns a route that matches all paths with a prefix, if there is one that
// matches everything that r, whose matches have the prefix, does.
func (f *conflictFinder) hidingPrefix(r *Route, prefix string) (by int, found bool) {
	p, found := f.prefixes[prefix]
	return p.route, found && (!p.notEmpty || !r.re.MatchString(prefix))
}

// hidingText returns a route that matches all paths with a text somewhere, and the text,
// which is part of a literal of s; or "". It looks up each substring of a literal, because
// there may be many such routes.
func (f *conflictFinder) hidingText(s *shape) (by int, text string) {
	for _, p := range s.pieces {
		if p.kind != literalPiece {
			continue
		}
		for _, n := range f.textLens {
			for at := range len(p.text) - n + 1 {
				if by, found := f.texts[p.text[at:at+n]]; found {
					return by, p.text[at : at+n]
				}
			}
		}
	}
	return 0, ""
}

// maxConflictMatches is how many routes are matched with the path of a literal route. It
// bounds the time that a program with thousands of routes needs to start.
const maxConflictMatches = 100

// hidingPath returns a route before i that matches path, the only path that i matches.
func (f *conflictFinder) hidingPath(path string, i int) (by int, reason string) {
	candidates := f.index.find(path, nil)
	for _, by := range candidates[:min(len(candidates), maxConflictMatches)] {
		r := &f.routes[by]
		if by < i && !r.mounted && !r.custom && r.match(plainPath(path), nil) != nil {
			return by, "this path goes to"
		}
	}
	return 0, ""
}
