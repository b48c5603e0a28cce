package router

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// FuzzRouter compares a router that text describes with a plain one, for path
// and for paths that are made up from the routes. See sketch.
func FuzzRouter(f *testing.F) {
	for _, s := range shapesOfRouters() {
		for _, path := range append(s.paths, "/", "/nothing/here") {
			f.Add(strings.Join(s.lines, "\n"), path, []byte(path))
		}
	}
	f.Fuzz(func(t *testing.T, text, path string, seed []byte) {
		if len(path) > 1000 {
			t.Skip("too long")
		}
		d := newDice(seed)
		x := newTrial(t, parseSketches(text), d)
		x.at(path)
		for range 6 {
			x.at(x.spell(bent(d, pathTo(d, x.routes))))
		}
		x.reverse()
	})
}

// FuzzInvented does the same with routers that are made up.
func FuzzInvented(f *testing.F) {
	for i := range testkit.Count(80, 20) {
		f.Add([]byte(fmt.Sprint(i)))
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		v := &invention{dice: newDice(seed)}
		x := newTrial(t, v.routes(0), v.dice)
		for range 25 {
			path := pathTo(v.dice, x.routes)
			x.at(x.spell(path))
			x.at(x.spell(bent(v.dice, path)))
		}
		x.reverse()
		x.reverse()
	})
}

// FuzzExpressions has two routes by any expressions.
func FuzzExpressions(f *testing.F) {
	for i, one := range expressions() {
		two := expressions()[(i+1)%len(expressions())]
		f.Add(one, two, sample(newDice([]byte(one)), one))
		f.Add(one, two, sample(newDice([]byte(two)), two))
	}
	f.Fuzz(func(t *testing.T, one, two, path string) {
		if len(one)+len(two)+len(path) > 1000 {
			t.Skip("too long")
		}
		d := newDice([]byte(path))
		x := newTrial(t, []*sketch{{kind: "re", pattern: one, name: "one", line: 1}, {kind: "re", pattern: two, name: "two", line: 2}}, d)
		x.at(path)
		for range 4 {
			x.at(x.spell(bent(d, pathTo(d, x.routes))))
		}
		x.reverse()
	})
}
