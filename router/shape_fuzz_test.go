package router

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// expressions returns one expression of each kind that shape distinguishes.
func expressions() []string {
	return []string{
		``, `^`, `$`, `^$`, `$^`, `\A\z`, `^\z^`, `.`, `.*`, `^.*$`, `(?s)^.*$`, `.+`, `^.+`, `[^/]+`, `a$b`, `a^b`, `^a$b`, `^(a$)`, `^a$(?:/b)?`, `^*a`, `(^a)?b`,
		`^ws/`, `ws/`, `^ws/$`, `ws/$`, `^ws/\z`, `ws/\$`, `ws/\\$`, `^(ws)/(?P<a>\w+)/$`, `^ws/(?P<a>[^/]+)/(?P<b>\r+)/$`, `^ws/(\w+)/(\r+)/$`, `^ws/(\w+)/(?P<b>\r+)/$`,
		`^(?P<a>\w+)-(?P<b>\w+)$`, `^(?P<a>\w+)\w$`, `^(?P<a>\r+)(?P<b>\w+)$`, `^(?P<a>[a-z]+)1$`, `^(\w{3})(\w{2,4})/$`, `^\w{3,5}/`, `^\w{2,}/`, `^\r{0}a`, `^(?:ab){2}$`, `^(a){2}$`,
		`^ws/(?:(?P<a>\r+)/)?$`, `^(?:(?P<a>\r)|xy)(?P<c>\w+)$`, `^(?:a|ab)(c|bcd)(r*)$`, `^a|^b`, `^(?:a|/b)c`, `a|b$`, `^(?:^a|b)`, `\b^a`, `^\ba\b`, `^a\b/`, `^\Ba`, `(?m)^a$`, `(?m:^)a(?m:$)`,
		`^(?i)ws/(?P<a>k+)$`, `(?i)^ws/1/`, `(?i:^a/b)`, `^(?i:s)/$`, `^[kK]+/$`, `^(?U)\w+/`, `^(?U)\w+?/`, `^\w+?/`, `^(\w*?)$`, `^(\w??)\w*$`, `^a*?$`,
		"^\u00e9+/$", "^\u00e9/(\\w+)$", "^[\u00e9-\u00fc]+$", "^\ufffd$", "^[^\ufffd]+$", "^[\ufffd]/", `^\x{fffd}`, `^\x{d800}$`, `^a\x{d800}b$`, `^[\x{d800}-\x{dfff}]$`, `^\x{10ffff}`,
		`^[\x80-\x{10FFFF}]+/$`, `^[\x81-\x{10FFFF}]+/$`, `^[\x00-\x7f]+$`, `^[\x00-\x{10FFFF}]+$`, `^[^\x00-\x{10FFFF}]$`, `^[^\x00-\x{10FFFF}]*$`, `^\pL+/$`, `^[^a]{2}$`, `^[^a]{2,}$`, `^.{3}/$`, `^[^/]?/`, `^(?s:.){2}$`,
		`^a/(.*)/b/(.*)$`, `^a/(.+)$`, `^a//b$`, `^/?a`, `(/|^)a/`, `^(/a)`, `^[/a]+b/`, `^(?:a/)*b$`, `^(?:a/b){1,2}/$`, `^()a()$`, `^(())$`, `^a()+$`, `^(a|b)*$`, `^(\r+|[a-z]+)/$`, `^(.)(.)(.)(.)(.)(.)(.)(.)(.)$`,
		`^\Qa.b\E$`, `\Qa$`, `^a\n$`, `^[^\n]+\n`, `^\x00`, `^<a>$`, `^(?P<a><b>)$`, `^(?P<a>(?P<b>\w)\w)/$`, `^(?P<a>/?)b`, `^(?:\.\.)/(?P<a>.*)$`, `^(?P<a>.*)/(?P<b>.*)$`,
	}
}

// FuzzShape compares the match of an exact shape with that of package regexp, and checks
// that the index finds an expression for each path that it matches, and that the other
// properties of the shape are true of the path. It tests the expression alone and
// between literals.
func FuzzShape(f *testing.F) {
	for _, expr := range expressions() {
		r := newRandom([]byte(expr))
		path := sampleText(r, expr)
		paths := []string{path, mutate(r, path), mutate(r, path), "", "/", "a", "ws/x/", "\xff", "\ufffd", "\u00e9", "\u00e9/", "a\nb"}
		for _, p := range paths[:testkit.Count(len(paths), 4)] {
			f.Add(expr, p)
		}
	}
	f.Fuzz(func(t *testing.T, expr, path string) {
		if len(expr)+len(path) > 1000 {
			t.Skip("too long")
		}
		for _, around := range [][2]string{{"", ""}, {"^", ""}, {`\A(?:`, `)\z`}, {"^a/(?P<z>", ")/b$"}, {"^(?:", `)x\w+`}} {
			re, err := regexp.Compile(around[0] + expr + around[1])
			if err != nil {
				continue
			}
			r := newRandom([]byte(path))
			for _, p := range []string{path, "a/" + path + "/b", path + "xx", sampleText(r, re.String()), mutate(r, sampleText(r, re.String()))} {
				wantShape(t, re, p)
			}
		}
	})
}

func wantShape(t *testing.T, re *regexp.Regexp, path string) {
	t.Helper()
	s := shapeOf(re)
	want := re.FindStringSubmatchIndex(path)
	if got := s.match(path, nil); s.exact && !slices.Equal(got, want) {
		t.Fatalf("%q matches %q at %v, want %v", re, path, got, want)
	}
	x := &index{}
	for i, text := range []string{"a/", "ws/x/", path, re.String()} { // other routes in the tree
		x.insert(&shape{anchored: true, toEnd: i%2 == 0, pieces: []piece{{kind: literalPiece, text: text}}}, i)
	}
	x.insert(&s, 9)
	if found := x.find(path, nil); want != nil && !slices.Contains(found, 9) {
		t.Fatalf("the index does not find %q for %q", re, path)
	}
	if prefix := s.prefix(); want != nil && s.anchored && !strings.HasPrefix(path, prefix) {
		t.Fatalf("%q matches %q, which does not begin with %q", re, path, prefix)
	}
	wantHiding(t, re, &s, path, want != nil)
}

// wantHiding checks the properties of a shape by which findConflict decides that a route
// hides others.
func wantHiding(t *testing.T, re *regexp.Regexp, s *shape, path string, matches bool) {
	t.Helper()
	if strings.Contains(path, "\n") {
		return
	}
	prefix := s.prefix()
	all, notEmpty := s.matchesAllWithPrefix()
	if all && strings.HasPrefix(path, prefix) && !matches && (!notEmpty || path != prefix) {
		t.Fatalf("the shape of %q matches every path that begins with %q, but %q does not match", re, prefix, path)
	}
	if !s.isLiteral() || s.toEnd {
		return
	}
	if has := strings.Contains(path, prefix); !s.anchored && has != matches {
		t.Fatalf("the shape of %q matches the paths that contain %q, but %q contains it: %t", re, prefix, path, has)
	}
	if begins := strings.HasPrefix(path, prefix); s.anchored && begins != matches {
		t.Fatalf("the shape of %q matches the paths that begin with %q, but %q begins so: %t", re, prefix, path, begins)
	}
}
