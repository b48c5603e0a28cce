package routing

import (
	"testing"
)

// The benchmarks mean nothing if a router goes somewhere else.

func TestAllRoutersFindTheSame(t *testing.T) {
	t.Parallel()
	const n = 101
	for _, set := range sets() {
		patterns := set.patterns(n)
		for _, s := range servers() {
			t.Run(set.name+" by "+s.name, func(t *testing.T) {
				t.Parallel()
				a := &asked{}
				a.serve = s.make(patterns, &a.seen)
				a.checkAll(t, patterns)
			})
		}
	}
}

func TestAllFormsFindTheSame(t *testing.T) {
	t.Parallel()
	const n = 110
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			a := &asked{}
			a.serve = openWye(f.urls(n, &a.seen))
			a.checkAll(t, f.patterns(n))
		})
	}
}

// checkAll asks for every route, and for what lacks its final slash.
func (a *asked) checkAll(t *testing.T, patterns []string) {
	t.Helper()
	all := places(patterns)
	for i, p := range patterns {
		path := pathOf(p)
		all = append(all, place{path: path, route: i}, place{path: path[:len(path)-1], route: -1})
	}
	for _, p := range all {
		a.seen = seen{route: -1}
		a.serve(request(t, p.path))
		if want := p.want(patterns); a.seen != want {
			t.Errorf("%s: seen %v, want %v", p.path, a.seen, want)
		}
	}
}
