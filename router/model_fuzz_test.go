package router

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// FuzzRouter compares a router that text describes with the reference implementation, for
// path and for random paths. See routeSpec.
func FuzzRouter(f *testing.F) {
	for _, s := range seedRouters() {
		for _, path := range append(s.paths, "/", "/nothing/here") {
			f.Add(strings.Join(s.lines, "\n"), path, []byte(path))
		}
	}
	f.Fuzz(func(t *testing.T, text, path string, seed []byte) {
		if len(path) > 1000 {
			t.Skip("too long")
		}
		r := newRandom(seed)
		x := newComparison(t, parseSpecs(text), r)
		x.comparePath(path)
		for range 6 {
			x.comparePath(x.escape(mutate(r, randomPathTo(r, x.routes))))
		}
		x.compareURLFor()
	})
}

// FuzzGeneratedRouter is FuzzRouter with random routers.
func FuzzGeneratedRouter(f *testing.F) {
	for i := range testkit.Count(80, 20) {
		f.Add([]byte(fmt.Sprint(i)))
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		g := &generator{random: newRandom(seed)}
		x := newComparison(t, g.routes(0), g.random)
		for range 25 {
			path := randomPathTo(g.random, x.routes)
			x.comparePath(x.escape(path))
			x.comparePath(x.escape(mutate(g.random, path)))
		}
		x.compareURLFor()
		x.compareURLFor()
	})
}

// FuzzTwoExpressions is FuzzRouter with a router of two regular expressions.
func FuzzTwoExpressions(f *testing.F) {
	for i, one := range expressions() {
		two := expressions()[(i+1)%len(expressions())]
		f.Add(one, two, sampleText(newRandom([]byte(one)), one))
		f.Add(one, two, sampleText(newRandom([]byte(two)), two))
	}
	f.Fuzz(func(t *testing.T, one, two, path string) {
		if len(one)+len(two)+len(path) > 1000 {
			t.Skip("too long")
		}
		r := newRandom([]byte(path))
		x := newComparison(t, []*routeSpec{{kind: "re", pattern: one, name: "one", line: 1}, {kind: "re", pattern: two, name: "two", line: 2}}, r)
		x.comparePath(path)
		for range 4 {
			x.comparePath(x.escape(mutate(r, randomPathTo(r, x.routes))))
		}
		x.compareURLFor()
	})
}
