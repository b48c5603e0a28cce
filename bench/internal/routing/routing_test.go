package routing

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/wye-go/wye/bench/internal/cputime"
	"github.com/wye-go/wye/protocol"
)

var sizes = []int{10, 100, 1000}

// BenchmarkRoutes is Wye beside others. Where the first of few routes and the last
// of many take the same time, there is an index.
func BenchmarkRoutes(b *testing.B) {
	for _, set := range sets() {
		for _, n := range sizes {
			patterns := set.patterns(n)
			made := lazily(patterns)
			for _, p := range places(patterns) {
				for _, s := range servers() {
					b.Run(fmt.Sprintf("set=%s/n=%d/at=%s/server=%s", set.name, n, p.name, s.name), func(b *testing.B) {
						made[s.name]().ask(b, p, patterns)
					})
				}
			}
		}
	}
}

// lazily makes those servers that are asked, once.
func lazily(patterns []string) map[string]func() *asked {
	all := map[string]func() *asked{}
	for _, s := range servers() {
		all[s.name] = sync.OnceValue(func() *asked {
			a := &asked{}
			a.serve = s.make(patterns, &a.seen)
			return a
		})
	}
	return all
}

// BenchmarkScope is describing a request to an application, without a router: the
// part of Wye's figures that has nothing to do with routes.
func BenchmarkScope(b *testing.B) {
	r := request(b, pathOf(pathPattern(1)))
	var s seen
	a := app(1, "", &s)
	b.ReportAllocs()
	used := cputime.Start(b)
	for b.Loop() {
		_, _ = a.Open(protocol.NewScope("websocket", r))
	}
	used.Report()
	if s.route != 1 {
		b.Fatal("the application was not called")
	}
}

// BenchmarkForms is what the forms of routes cost. The path is the same in all but
// the nested one, where two segments stand in front.
func BenchmarkForms(b *testing.B) {
	for _, f := range forms() {
		for _, n := range sizes {
			patterns := f.patterns(n)
			made := sync.OnceValue(func() *asked {
				a := &asked{}
				a.serve = openWye(f.urls(n, &a.seen))
				return a
			})
			for _, p := range places(patterns) {
				b.Run(fmt.Sprintf("form=%s/n=%d/at=%s", f.name, n, p.name), func(b *testing.B) {
					made().ask(b, p, patterns)
				})
			}
		}
	}
}

// asked is a server and what its applications have seen.
type asked struct {
	seen

	serve func(*http.Request)
}

func (a *asked) ask(b *testing.B, p place, patterns []string) {
	b.Helper()
	r := request(b, p.path)
	a.seen = seen{route: -1}
	b.ReportAllocs()
	used := cputime.Start(b)
	for b.Loop() {
		a.serve(r)
	}
	used.Report()
	if want := p.want(patterns); a.seen != want {
		b.Fatalf("%s: seen %v, want %v", p.path, a.seen, want)
	}
}
