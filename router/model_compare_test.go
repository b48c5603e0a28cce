package router

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// comparison compares a URLRouter with the reference implementation, both built from the
// same specs.
type comparison struct {
	*testing.T
	*random

	text   string // of the specs
	urls   *URLRouter
	routes []*routeSpec // the specs that are routes of urls
	rec    *recorder
}

func newComparison(t *testing.T, specs []*routeSpec, r *random) *comparison {
	t.Helper()
	x := &comparison{T: t, random: r, text: specText(specs), rec: &recorder{}}
	x.urls, x.routes = buildRouter(t, specs, x.rec, r)
	x.rec.addNames(x.routes)
	return x
}

// scopeOf returns the scope of a request for an escaped path.
func scopeOf(escaped string) *protocol.Scope {
	decoded, _ := url.PathUnescape(escaped) //nolint:errcheck // the caller has checked it
	return protocol.NewScope("websocket", &http.Request{Method: http.MethodGet, URL: &url.URL{Path: decoded, RawPath: escaped}, RequestURI: escaped})
}

// escape returns an escaped path with this form. It sometimes escapes more than it must,
// so that the path is not canonical.
func (x *comparison) escape(form string) string {
	var b strings.Builder
	more := x.intN(4) == 0
	for i := range len(form) {
		c := form[i]
		usual := (&url.URL{Path: "/" + form[i:i+1]}).EscapedPath()[1:]
		switch {
		case c == '\x1f':
			b.WriteString(pick(x.random, "%2F", "%2f"))
		case more && c == '/' && x.intN(8) == 0, x.intN(60) == 0:
			fmt.Fprintf(&b, pick(x.random, "%%%02x", "%%%02X"), c)
		case more && !strings.ContainsRune("/-._~", rune(c)) && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z'):
			fmt.Fprintf(&b, pick(x.random, "%%%02x", "%%%02X"), c)
		default:
			b.WriteString(usual)
		}
	}
	return b.String()
}

// comparePath compares what both routers do with a request for an escaped path.
func (x *comparison) comparePath(escaped string) {
	x.Helper()
	if _, err := url.PathUnescape(escaped); err != nil || strings.ContainsRune(escaped, '?') {
		return // net/http refuses the request
	}
	form, canonical := refForm(escaped)
	valid := (&url.URL{Path: decodeForm(form), RawPath: escaped}).EscapedPath() == escaped
	if !canonical || !valid && strings.Contains(form, "\x1f") {
		x.wantNotFound(escaped)
		return
	}
	x.compareForm(escaped, form)
}

// wantNotFound checks that no application is opened for a path that is not canonical.
func (x *comparison) wantNotFound(escaped string) {
	x.Helper()
	_, openErr := x.urls.Open(scopeOf(escaped))
	findErr := x.urls.Find(scopeOf(escaped))
	if calls := x.rec.drain(); !errors.Is(openErr, protocol.ErrNoRoute) || !errors.Is(findErr, protocol.ErrNoRoute) || calls != nil {
		x.Errorf("%q is not canonical: Open returned %v, Find %v, and %v were opened", escaped, openErr, findErr, calls)
	}
}

// compareForm compares what both routers do with a request for an escaped path, which is
// canonical and has this form.
func (x *comparison) compareForm(escaped, form string) {
	x.Helper()
	s := scopeOf(escaped)
	_, err := x.urls.Open(s)
	got, gotCalls := resultOf(s, err), x.rec.drain()
	want := refOpen(x.routes, refScope{path: form}, x.rec)
	wantCalls := x.rec.drain()
	if got != want {
		x.Errorf("Open(%q): got %+v, want %+v", escaped, got, want)
	}
	if !slices.Equal(gotCalls, wantCalls) {
		x.Errorf("Open(%q) opened\n%v, want\n%v", escaped, gotCalls, wantCalls)
	}
	s = scopeOf(escaped)
	got, want = resultOf(s, x.urls.Find(s)), refFind(x.routes, refScope{path: form})
	if calls := x.rec.drain(); got != want || calls != nil {
		x.Errorf("Find(%q): got %+v and opened %v, want %+v and nothing opened", escaped, got, calls, want)
	}
	x.compareRoutes(x.urls, x.routes, form)
	if x.Failed() {
		x.Fatalf("the router is\n%s", x.text)
	}
}

// compareRoutes compares the matches of each single route, also of those behind a route
// that matches, and checks that the index finds the routes that match.
func (x *comparison) compareRoutes(urls *URLRouter, routes []*routeSpec, path string) {
	x.Helper()
	path = strings.TrimPrefix(path, "/")
	candidates := urls.index.find(path, nil)
	for i, s := range routes {
		got, want := urls.routes[i].match(formPath(path), make([]int, 3)), s.ref.match(path)
		if !slices.Equal(got, want) {
			x.Errorf("%v matches %q at %v, want %v", s.route, path, got, want)
		}
		if want != nil && !slices.Contains(candidates, i) {
			x.Errorf("the index does not find %v for %q", s.route, path)
		}
		if want != nil && s.nested {
			x.compareRoutes(s.urls, s.inner, path[want[1]:])
		}
	}
	slices.Sort(candidates)
	if len(slices.Compact(slices.Clone(candidates))) != len(candidates) {
		x.Errorf("the index finds %v for %q, one twice", candidates, path)
	}
}

// checkHidden checks a panic of NewURLRouter, which says that the last of specs can never
// be reached: it looks for a path that only this route matches.
func checkHidden(t *testing.T, text string, specs []*routeSpec, r *random) {
	t.Helper()
	last := len(specs) - 1
	hidden := specs[last]
	if !strings.HasPrefix(text, "wye: router.NewURLRouter: "+hidden.route.String()+" can never be reached: ") {
		t.Fatalf("%v is the first route that cannot be added, and the panic says %s", hidden.route, text)
	}
	for range 40 {
		path := sampleTree(r, pick(r, hidden, hidden, pick(r, specs...)).ref.tree)
		path = strings.TrimPrefix(pick(r, path, mutate(r, path)), "/")
		if strings.Contains(path, "\n") || hidden.ref.match(path) == nil {
			continue // a path with a newline is not canonical
		}
		if !slices.ContainsFunc(specs[:last], func(s *routeSpec) bool { return s.kind != "mount" && s.ref.match(path) != nil }) {
			t.Fatalf("%q leads to the route that can never be reached in\n%s: %s", path, specText(specs), text)
		}
	}
}
