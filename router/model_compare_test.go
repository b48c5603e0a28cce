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

// trial is a router that was built twice, and what both are compared with.
type trial struct {
	*testing.T
	*dice

	text   string
	urls   *URLRouter
	routes []*sketch
	log    *journal
}

func newTrial(t *testing.T, sketches []*sketch, d *dice) *trial {
	t.Helper()
	x := &trial{T: t, dice: d, text: textOf(sketches), log: &journal{}}
	x.urls, x.routes = buildAll(t, sketches, x.log, d)
	x.log.know(x.routes)
	return x
}

// scopeAt is that of a connection for a path that is spelt so.
func scopeAt(spelt string) *protocol.Scope {
	decoded, _ := url.PathUnescape(spelt) //nolint:errcheck // it has been looked at
	return protocol.NewScope("websocket", &http.Request{Method: http.MethodGet, URL: &url.URL{Path: decoded, RawPath: spelt}, RequestURI: spelt})
}

// spell is how somebody may write a path in which \x1f is a slash that is escaped.
func (x *trial) spell(form string) string {
	var b strings.Builder
	every := x.n(4) == 0
	for i := range len(form) {
		c := form[i]
		plain := (&url.URL{Path: "/" + form[i:i+1]}).EscapedPath()[1:]
		switch {
		case c == '\x1f':
			b.WriteString(oneOf(x.dice, "%2F", "%2f"))
		case every && c == '/' && x.n(8) == 0, x.n(60) == 0:
			fmt.Fprintf(&b, oneOf(x.dice, "%%%02x", "%%%02X"), c)
		case every && !strings.ContainsRune("/-._~", rune(c)) && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z'):
			fmt.Fprintf(&b, oneOf(x.dice, "%%%02x", "%%%02X"), c)
		default:
			b.WriteString(plain)
		}
	}
	return b.String()
}

// at compares what both routers do with a path that is spelt so.
func (x *trial) at(spelt string) {
	x.Helper()
	if _, err := url.PathUnescape(spelt); err != nil || strings.ContainsRune(spelt, '?') {
		return // net/http refuses it
	}
	form, canonical := formOf(spelt)
	valid := (&url.URL{Path: meant(form), RawPath: spelt}).EscapedPath() == spelt
	if !canonical || !valid && strings.Contains(form, "\x1f") {
		x.refused(spelt)
		return
	}
	x.atForm(spelt, form)
}

// refused checks that a path that is not canonical leads nowhere.
func (x *trial) refused(spelt string) {
	x.Helper()
	_, err := x.urls.Open(scopeAt(spelt))
	found := x.urls.Find(scopeAt(spelt))
	if seen := x.log.take(); !errors.Is(err, protocol.ErrNoRoute) || !errors.Is(found, protocol.ErrNoRoute) || seen != nil {
		x.Errorf("%q is not canonical, and Open says %v, Find %v, and asked are %v", spelt, err, found, seen)
	}
}

func (x *trial) atForm(spelt, path string) {
	x.Helper()
	s := scopeAt(spelt)
	_, err := x.urls.Open(s)
	got, gotSeen := verdictOf(s, err), x.log.take()
	want := openPlainly(x.routes, place{path: path}, x.log)
	wantSeen := x.log.take()
	if got != want {
		x.Errorf("Open(%q) says %+v, want %+v", spelt, got, want)
	}
	if !slices.Equal(gotSeen, wantSeen) {
		x.Errorf("Open(%q) asks\n%v, want\n%v", path, gotSeen, wantSeen)
	}
	s = scopeAt(spelt)
	got, want = verdictOf(s, x.urls.Find(s)), foundPlainly(x.routes, place{path: path})
	if seen := x.log.take(); got != want || seen != nil {
		x.Errorf("Find(%q) says %+v and opens %v, want %+v and nothing", path, got, seen, want)
	}
	x.each(x.urls, x.routes, path)
	if x.Failed() {
		x.Fatalf("the router is\n%s", x.text)
	}
}

// each compares the routes one by one, also those that are not come to: what
// they match, and that the index knows them.
func (x *trial) each(urls *URLRouter, routes []*sketch, path string) {
	x.Helper()
	path = strings.TrimPrefix(path, "/")
	may := urls.index.find(path, nil)
	for i, s := range routes {
		got, want := urls.routes[i].match(formPath(path), make([]int, 3)), s.plain.match(path)
		if !slices.Equal(got, want) {
			x.Errorf("%v matches %q at %v, want %v", s.route, path, got, want)
		}
		if want != nil && !slices.Contains(may, i) {
			x.Errorf("the index does not find %v for %q", s.route, path)
		}
		if want != nil && s.nested {
			x.each(s.urls, s.inner, path[want[1]:])
		}
	}
	slices.Sort(may)
	if len(slices.Compact(slices.Clone(may))) != len(may) {
		x.Errorf("the index finds %v for %q, one twice", may, path)
	}
}

// wantHidden looks for a path that leads to the last of sketches, which URLs says
// can never be reached.
func wantHidden(t *testing.T, said string, sketches []*sketch, d *dice) {
	t.Helper()
	last := len(sketches) - 1
	hidden := sketches[last]
	if !strings.HasPrefix(said, "wye: "+hidden.route.String()+" can never be reached: ") {
		t.Fatalf("%v is the first that is refused, and the panic says %s", hidden.route, said)
	}
	for range 40 {
		path := sampleOf(d, oneOf(d, hidden, hidden, oneOf(d, sketches...)).plain.tree)
		path = strings.TrimPrefix(oneOf(d, path, bent(d, path)), "/")
		if strings.Contains(path, "\n") || hidden.plain.match(path) == nil {
			continue // nobody asks for a newline
		}
		if !slices.ContainsFunc(sketches[:last], func(s *sketch) bool { return s.kind != "mount" && s.plain.match(path) != nil }) {
			t.Fatalf("%q leads to what can never be reached in\n%s: %s", path, textOf(sketches), said)
		}
	}
}

// way is how a named route is come to: by level, the routes there and the one
// that is taken.
type way []struct {
	routes []*sketch
	leg    *sketch
}

// reverse has paths made for all names.
func (x *trial) reverse() {
	x.Helper()
	ways := map[string][]way{}
	waysOf(x.routes, nil, "", ways)
	for name, found := range ways {
		if len(found) == 1 { // otherwise it is any of them
			x.urlFor(name, found[0])
		}
	}
	if x.Failed() {
		x.Fatalf("the router is\n%s", x.text)
	}
}

func waysOf(routes []*sketch, so way, prefix string, ways map[string][]way) {
	for _, s := range routes {
		to := append(slices.Clip(so), struct {
			routes []*sketch
			leg    *sketch
		}{routes, s})
		under := prefix
		if s.name != "" {
			ways[prefix+s.name] = append(ways[prefix+s.name], to)
			under += s.name + ":"
		}
		if s.isRouter() {
			waysOf(s.inner, to, under, ways)
		}
	}
}

// urlFor checks that a path that is made for a name leads there, with what it
// was made of, if nothing is in front that it leads to as well.
func (x *trial) urlFor(name string, w way) {
	x.Helper()
	params := x.params(w)
	got, err := x.urls.URLFor(name, params)
	if err != nil {
		path, plain := w.fill(params)
		if _, canonical := formOf(escape(path)); plain && canonical && w.leads(path, params) && !w.inFront(path) {
			x.Errorf("URLFor(%q, %q) says %v, and %q leads there", name, params, err, path)
		}
		return
	}
	if err := asWritten(got); err != nil {
		x.Errorf("URLFor(%q, %q) returns %q: %v", name, params, got, err)
		return
	}
	form, canonical := formOf(got)
	switch {
	case !canonical:
		x.Errorf("URLFor(%q, %q) returns %q, which is not canonical", name, params, got)
	case !w.leads(form, params):
		x.Errorf("URLFor(%q, %q) returns %q, which does not lead there with these parameters", name, params, got)
	case !w.last().nested && !w.inFront(form):
		_, _ = x.urls.Open(scopeAt(got))
		if seen := x.log.take(); len(seen) == 0 || seen[0].sketch != w.last() {
			x.Errorf("URLFor(%q, %q) returns %q, which leads to %v", name, params, got, seen)
		}
	}
	x.at(got)
}

// asWritten has an error if net/http reads something else from path, or browsers do.
func asWritten(path string) error {
	r, err := http.NewRequest(http.MethodGet, "http://example.com"+path, nil)
	if err != nil || r.URL.RequestURI() != path || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return fmt.Errorf("it is read as %+v, %w", r, err)
	}
	return nil
}

// params are values for all that the way asks for.
func (x *trial) params(w way) map[string]string {
	x.Helper()
	params := map[string]string{}
	for _, level := range w {
		blanks, err := level.leg.route.template()
		if err != nil && level.leg.name != "" {
			x.Errorf("%v has a name and no template: %v", level.leg.route, err)
		}
		for _, b := range blanks {
			if b.param != "" {
				params[b.param] = valueOf(x.dice, level.leg.plain.tree, b.param)
			}
		}
	}
	return params
}

func (w way) last() *sketch { return w[len(w)-1].leg }

// leads reports whether path leads along the way and each leg captures what is in
// params, all of which are captured.
func (w way) leads(path string, params map[string]string) bool {
	captured := map[string]bool{}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	for _, level := range w {
		trimmed := strings.TrimPrefix(path, "/")
		at := level.leg.plain.match(trimmed)
		if at == nil {
			return false
		}
		found, _ := level.leg.plain.captures(trimmed, at)
		for _, p := range found {
			if want, given := params[p.Name]; given && want != p.Value {
				return false
			}
			captured[p.Name] = true
		}
		path = trimmed[at[1]:]
	}
	for name := range params {
		if !captured[name] {
			return false
		}
	}
	return true
}

// inFront reports whether path also leads to something before the way.
func (w way) inFront(path string) bool {
	p := place{path: path}
	for _, level := range w {
		for _, s := range level.routes[:slices.Index(level.routes, level.leg)] {
			if _, ok := s.behind(p); ok {
				return true
			}
		}
		p, _ = level.leg.behind(p)
	}
	return false
}

// fill puts params into the patterns, if these are plain: no expressions.
func (w way) fill(params map[string]string) (path string, plain bool) {
	path = "/"
	for _, level := range w {
		if level.leg.kind == "re" {
			return "", false
		}
		path += parameter.ReplaceAllStringFunc(level.leg.pattern, func(param string) string {
			return params[parameter.FindStringSubmatch(param)[2]]
		})
	}
	return path, true
}
