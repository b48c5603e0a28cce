package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// captured returns an application that answers with its name, the arguments, and the
// parameters of these names.
func captured(name string, params ...string) protocol.Application {
	return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		text := fmt.Sprintf("%s %q", name, s.Args())
		for _, p := range params {
			text += fmt.Sprintf(" %s=%s", p, s.Param(p))
		}
		return nil, protocol.NewRejectError(http.StatusTeapot, text)
	})
}

// TestRoutingOfDjangoChannels has the cases of Django Channels' own tests, with the intended
// differences: 404 in place of an exception, and Mount for a nested router.
func TestRoutingOfDjangoChannels(t *testing.T) {
	t.Parallel()
	flat := router.NewURLRouter(
		router.Path("", captured("root")),
		router.Path("foo/", captured("foo")),
		router.RePath(`bar`, captured("bar")),
		router.RePath(`^posargs/(\d+)/$`, captured("posargs")),
		router.Path("kwargs/<str:name>/", captured("kwargs", "name")),
		router.Path("default/<str:name>/", captured("default", "name", "kind")).With("kind", "extra"),
		router.Path("over/<str:name>/", captured("over", "name")).With("name", "fixed"),
	)
	nested := router.NewURLRouter(
		router.RePath(`^universe/(?P<book>\w+)/`, router.NewURLRouter(
			router.RePath(`test/(\w+)/$`, captured("positional", "book")),
			router.RePath(`^test/$`, captured("outer only", "book")),
			router.RePath(`^(?P<test>\w+)/(?P<book>\d+)/$`, captured("both", "book", "test")),
		)),
		router.RePath(`^positional/(\w+)/`, router.NewURLRouter(router.RePath(`^test/(\d+)/$`, captured("args")))),
	)
	paths := router.NewURLRouter(
		router.Mount("number/<int:number>/", router.Use(router.NewURLRouter(
			router.Path("", captured("number", "number")),
			router.Path("page/<int:page>/", captured("page", "number", "page")),
		), opaque)),
	)
	remaining := router.NewURLRouter(
		router.Mount("prefix/", router.NewURLRouter(router.Path("no-match", captured("no")))),
		router.Path("prefix/stuff", captured("stuff")),
	)
	rows := []struct {
		at         testkit.Line
		urls       protocol.Application
		path, want string
	}{
		{testkit.Here(), flat, "/", `root []`},
		{testkit.Here(), flat, "/foo/", `foo []`},
		{testkit.Here(), flat, "/bar", `bar []`},
		{testkit.Here(), flat, "/prefix/bar/and/deeper/", `bar []`},
		{testkit.Here(), flat, "/posargs/42/", `posargs ["42"]`},
		{testkit.Here(), flat, "/kwargs/moin/", `kwargs [] name=moin`},
		{testkit.Here(), flat, "/default/moin/", `default [] name=moin kind=extra`},
		{testkit.Here(), flat, "/over/moin/", `over [] name=fixed`},
		{testkit.Here(), flat, "/nonexistent/", notFound("/nonexistent/")},

		{testkit.Here(), nested, "/universe/42/test/3/", `positional ["3"] book=42`},
		{testkit.Here(), nested, "/universe/42/test/", `outer only [] book=42`},
		{testkit.Here(), nested, "/universe/42/x/7/", `both [] book=7 test=x`},
		{testkit.Here(), nested, "/positional/foo/test/3/", `args ["foo" "3"]`},

		{testkit.Here(), paths, "/number/42/", `number [] number=42`},
		{testkit.Here(), paths, "/number/42/page/3/", `page [] number=42 page=3`},
		{testkit.Here(), paths, "/number/42/page/3/more/", notFound("/number/42/page/3/more/")},
		{testkit.Here(), paths, "/number/42/page/", notFound("/number/42/page/")},
		{testkit.Here(), paths, "/number/blub/", notFound("/number/blub/")},

		{testkit.Here(), remaining, "/prefix/stuff", `stuff []`},
		{testkit.Here(), remaining, "/prefix/no-match", `no []`},
	}
	for _, row := range rows {
		if got := open(row.urls, row.path); got != row.want {
			t.Errorf("%s: %s: %s, want %s", row.at, row.path, got, row.want)
		}
	}
}

// TestRootPath checks that no router sees the prefix that http.StripPrefix has removed.
func TestRootPath(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(router.Mount("a/", router.NewURLRouter(router.Path("b/", here("b")))))
	var got string
	h := http.StripPrefix("/root", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := urls.Open(protocol.NewScope("websocket", r))
		got = fmt.Sprint(err)
	}))
	for path, want := range map[string]string{
		"/root/a/b/":      `b "/a/b/" ""`,
		"/root/root/a/b/": `nothing is served at "/root/a/b/"`,
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	const id = "075194d3-6885-417e-a8a8-6c931e272f00"
	rows := []struct {
		at            testkit.Line
		pattern, path string
		want          string // the parameter "group"; "" if not found
	}{
		{testkit.Here(), "ws/<group>/", "/ws/a b:c/", "a b:c"},
		{testkit.Here(), "ws/<str:group>/", "/ws/\u00e9/", "\u00e9"},
		{testkit.Here(), "ws/<group>/", "/ws//", ""},
		{testkit.Here(), "ws/<group>/", "/ws/a/b/", ""},
		{testkit.Here(), "ws/<group>/", "/ws/a", ""},
		{testkit.Here(), "ws/<group>", "/ws/a/", ""},
		{testkit.Here(), "<group>", "/a", "a"},
		{testkit.Here(), "<group>", "/", ""},
		{testkit.Here(), "ws/<int:group>/", "/ws/0042/", "0042"},
		{testkit.Here(), "ws/<int:group>/", "/ws/-1/", ""},
		{testkit.Here(), "ws/<int:group>/", "/ws/\u0661/", ""}, // an Arabic digit
		{testkit.Here(), "ws/<int:group>/", "/ws/9223372036854775807/", "9223372036854775807"},
		{testkit.Here(), "ws/<int:group>/", "/ws/9223372036854775808/", ""},
		{testkit.Here(), "ws/<slug:group>/", "/ws/a-B_9/", "a-B_9"},
		{testkit.Here(), "ws/<slug:group>/", "/ws/a.b/", ""},
		{testkit.Here(), "ws/<slug:group>/", "/ws/a\n/", ""},
		{testkit.Here(), "ws/<uuid:group>/", "/ws/" + id + "/", id},
		{testkit.Here(), "ws/<uuid:group>/", "/ws/" + strings.ToUpper(id) + "/", ""},
		{testkit.Here(), "ws/<uuid:group>/", "/ws/" + id[1:] + "/", ""},
		{testkit.Here(), "ws/<group:group>/", "/ws/a.b-C_9/", "a.b-C_9"},
		{testkit.Here(), "ws/<group:group>/", "/ws/" + strings.Repeat("x", layers.MaxName) + "/", strings.Repeat("x", layers.MaxName)},
		{testkit.Here(), "ws/<group:group>/", "/ws/" + strings.Repeat("x", layers.MaxName+1) + "/", ""},
		{testkit.Here(), "ws/<group:group>/", "/ws/caf\u00e9/", ""},
		{testkit.Here(), "ws/<group:group>/", "/ws/a b/", ""},
		{testkit.Here(), "ws/<group:group>/", "/ws/a!b/", ""},
		{testkit.Here(), "ws/<path:group>", "/ws/a/b/c", "a/b/c"},
		{testkit.Here(), "ws/<path:group>/edit/", "/ws/a/edit/b/edit/", "a/edit/b"},
		{testkit.Here(), "ws/<path:group>", "/ws/", ""},
		{testkit.Here(), "<a>-<group>", "/1-2-3", "3"},
		{testkit.Here(), "<a>.<group>", "/1.2", "2"},
		{testkit.Here(), "a.b+<group>", "/a.b+c", "c"},
		{testkit.Here(), "a.b+<group>", "/axb+c", ""},
		{testkit.Here(), "<int:a><slug:group>", "/12ab", "ab"},
		{testkit.Here(), "ws/<group>/", "ws/\xff\xfe/", ""},
	}
	for _, row := range rows {
		want := notFound(row.path)
		if row.want != "" {
			want = "app [] group=" + row.want
		}
		if got := open(router.NewURLRouter(router.Path(row.pattern, captured("app", "group"))), row.path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q at %q: %s, want %s", row.at, row.pattern, row.path, got, want)
		}
	}
}

// TestSurrogateInExpression checks that a surrogate matches nothing. Go encodes it as
// U+FFFD, which the expression must not match.
func TestSurrogateInExpression(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(router.RePath(`^a\x{d800}b$`, captured("surrogate")), router.RePath("^a\ufffdb$", captured("odd")))
	for path, want := range map[string]string{"/a\ufffdb": "odd []", "/a\xffb": notCanonical("/a\xffb", notUTF8)} {
		if got := open(urls, path); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}

// TestConverters uses types of a program, one of them with a Check.
func TestConverters(t *testing.T) {
	t.Parallel()
	types := router.Converters{
		"year": {Expr: `[0-9]{4}`},
		"even": {Expr: `[0-9]+`, Check: func(text string) error {
			if (text[len(text)-1]-'0')%2 != 0 {
				return errors.New("odd")
			}
			return nil
		}},
		"slug": {Expr: `[a-z]+`}, // replaces the built-in type
	}
	urls := router.NewURLRouter(
		types.Path("y/<year:y>/", captured("year", "y")),
		types.Path("n/<even:n>/", captured("even", "n")),
		router.Path("n/<int:n>/", captured("odd", "n")),
		types.Path("s/<slug:s>/", captured("slug", "s")),
		types.Mount("m/<year:y>/", router.NewURLRouter(router.Path("<slug:s>/", captured("mounted", "y", "s")))),
	)
	for path, want := range map[string]string{
		"/y/2026/":      "year [] y=2026",
		"/y/26/":        notFound("/y/26/"),
		"/n/4/":         "even [] n=4",
		"/n/5/":         "odd [] n=5",
		"/s/a-b/":       notFound("/s/a-b/"),
		"/s/ab/":        "slug [] s=ab",
		"/m/2026/a-b/":  "mounted [] y=2026 s=a-b",
		"/m/26/a-b/":    notFound("/m/26/a-b/"),
		"/m/2026/a.b/":  notFound("/m/2026/a.b/"),
		"//m/2026//ab/": notCanonical("//m/2026//ab/", emptySegment),
	} {
		if got := open(urls, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestPathMistakesPanic(t *testing.T) {
	t.Parallel()
	app := here("app")
	quotes := router.Converters{"x": {Expr: `\Qx`}, "y": {Expr: `\Qy\E`, Check: func(string) error { return nil }}}
	rows := []struct {
		at    testkit.Line
		route func()
		line  string
		wants []string
	}{
		{testkit.Here(), func() { router.Path("/ws/", app) }, lineHere(), []string{`"/ws/"`, "without the leading slash", `"ws/"`}},
		{testkit.Here(), func() { router.Path("^ws/", app) }, lineHere(), []string{"looks like a regular expression", "RePath"}},
		{testkit.Here(), func() { router.Path("ws/$", app) }, lineHere(), []string{"looks like a regular expression"}},
		{testkit.Here(), func() { router.Path(`ws/(?P<group>x)/`, app) }, lineHere(), []string{"looks like a regular expression"}},
		{testkit.Here(), func() { router.Path(`ws/\d/`, app) }, lineHere(), []string{"looks like a regular expression"}},
		{testkit.Here(), func() { router.Path("ws/<group/", app) }, lineHere(), []string{"a < has no >"}},
		{testkit.Here(), func() { router.Path("ws/group>/", app) }, lineHere(), []string{"a > has no <"}},
		{testkit.Here(), func() { router.Path("ws/<>/", app) }, lineHere(), []string{"<>", "a name consists of"}},
		{testkit.Here(), func() { router.Path("ws/<int: n>/", app) }, lineHere(), []string{"<int: n>", "a name consists of"}},
		{testkit.Here(), func() { router.Path("ws/<1>/", app) }, lineHere(), []string{"does not begin with a digit"}},
		{testkit.Here(), func() { router.Path("ws/<Int:n>/", app) }, lineHere(), []string{`no type "Int"`, "group, int, path, slug, str, uuid"}},
		{testkit.Here(), func() { router.Path("<n>/<int:n>/", app) }, lineHere(), []string{"two parameters have this name"}},
		{testkit.Here(), func() { router.Path("ws/", nil) }, lineHere(), []string{"the application is nil"}},
		{testkit.Here(), func() { router.Converters{"x": {Expr: "("}}.Path("<x:n>", app) }, lineHere(), []string{"the converter", "missing closing )"}},
		{testkit.Here(), func() { quotes.Path("<x:n><y:m>", app) }, lineHere(), []string{"the converter", "missing closing )"}},
		{testkit.Here(), func() { router.RePath(`\Qa$`, app) }, lineHere(), []string{`route "\\Qa$"`, "missing closing )"}},
		{testkit.Here(), func() { router.Converters{"x": {Expr: "(a)"}}.Mount("<x:n>", app) }, lineHere(), []string{"has a capturing group", "(?:...)"}},
		{testkit.Here(), func() { router.Converters{"x": {}}.Path("<y:n>", app) }, lineHere(), []string{"group, int, path, slug, str, uuid, x"}},
		{testkit.Here(), func() { router.Mount("ws/<group", app) }, lineHere(), []string{`mount "ws/<group"`, "a < has no >"}},
		{testkit.Here(), func() { router.RePath(`^a+/$`, app).Name("x") }, lineHere(), []string{"no path can be built from it", "a+"}},
		{testkit.Here(), func() { router.RePath(`^(\d+)/$`, app).Name("x") }, lineHere(), []string{"no path can be built from it", "has no name"}},
		{testkit.Here(), func() { router.Path("a", app).Name("") }, lineHere(), []string{"is empty"}},
		{testkit.Here(), func() { router.Path("a", app).Name("a:b") }, lineHere(), []string{"colon"}},
	}
	for _, row := range rows {
		wantAll(t, row.at, panicOf(row.route), append(row.wants, "wye: ", "("+row.line+")")...)
	}
	wantAll(t, testkit.Here(), panicOf(func() { router.Route{}.Name("x") }), "wye: ", "route is empty")
}

// TestUnreachableRoutesPanic checks that NewURLRouter panics for a route that can never be
// reached, and not for one that can.
func TestUnreachableRoutesPanic(t *testing.T) {
	t.Parallel()
	app := here("app")
	re := func(expr string) router.Route { return router.RePath(expr, app) }
	path := func(pattern string) router.Route { return router.Path(pattern, app) }
	own := router.Converters{
		"own":  {Expr: ".*", Check: func(string) error { return nil }},
		"even": {Expr: "[0-9]+", Check: func(string) error { return nil }},
	}
	big := router.Converters{"big": {Expr: "[0-9]+"}}
	rows := []struct {
		at            testkit.Line
		before, after router.Route
		why           string // part of the panic; "" if after can be reached
	}{
		{testkit.Here(), path("ws/<slug:a>/"), path("ws/<slug:a>/"), "the same paths go to"},
		{testkit.Here(), path("ws/<int:a>/"), path("ws/<int:a>/"), "the same paths go to"},
		{testkit.Here(), path("ws/<int:a>/"), re(`\Aws/(?P<a>[0-9]+)/\z`), ""}, // for numbers that do not fit an int64
		{testkit.Here(), re(`\Aws/(?P<a>[0-9]+)/\z`), path("ws/<int:a>/"), "the same paths go to"},
		{testkit.Here(), path("ws/<int:a>/"), big.Path("ws/<big:a>/", app), ""},
		{testkit.Here(), big.Path("ws/<big:a>/", app), path("ws/<int:a>/"), "the same paths go to"},
		{testkit.Here(), big.Path("ws/<big:a>/<int:b>/", app), big.Path("ws/<int:a>/<big:b>/", app), ""},
		{testkit.Here(), path("ws/<int:a>/"), own.Path("ws/<even:a>/", app), ""},
		{testkit.Here(), path("ws/"), re(`\Aws/\z`), "the same paths go to"},
		{testkit.Here(), path("ws/<slug:a>/"), path("ws/<slug:b>/"), "the same paths go to"},
		{testkit.Here(), path("ws/<slug:a>/"), path("ws/<str:b>/"), ""}, // hidden, but NewURLRouter does not find this
		{testkit.Here(), path("ws/<path:rest>"), path("ws/<slug:a>/"), `every path that begins with "ws/" goes to`},
		{testkit.Here(), path("ws/<path:rest>"), path("ws/"), ""},
		{testkit.Here(), path("ws/<path:rest>"), router.Mount("ws/", app), ""},
		{testkit.Here(), re(`^ws/(?P<rest>.*)$`), path("ws/"), `every path that begins with "ws/" goes to`},
		{testkit.Here(), path("ws/<path:rest>/"), path("ws/<slug:a>/"), ""},
		{testkit.Here(), re(``), path("ws/"), "every path goes to"},
		{testkit.Here(), re(`^`), path("ws/"), "every path goes to"},
		{testkit.Here(), re(`.*`), path("ws/"), "every path goes to"},
		{testkit.Here(), re(`^.*$`), path("ws/<int:a>/"), "every path goes to"},
		{testkit.Here(), re(`^(?P<rest>.*)$`), re(`ws`), "every path goes to"},
		{testkit.Here(), re(`^(?P<rest>.*)$`), router.Mount("ws/", app), "every path goes to"},
		{testkit.Here(), path("<path:rest>"), path("ws/"), "every path goes to"},
		{testkit.Here(), path("<path:rest>"), path(""), ""},
		{testkit.Here(), path("<path:rest>"), re(`^(?:x/)?$`), ""},
		{testkit.Here(), re(`^\b`), path("<slug:a>/"), ""},
		{testkit.Here(), re(`^\b.*`), path("<slug:a>/"), ""},
		{testkit.Here(), re(`^ws/`), path("ws/lobby/"), `every path that begins with "ws/" goes to`},
		{testkit.Here(), re(`^ws/`), path("ws/<int:a>/"), `every path that begins with "ws/" goes to`},
		{testkit.Here(), re(`^ws`), router.Mount("ws/", app), `every path that begins with "ws" goes to`},
		{testkit.Here(), re(`^ws/`), path("wss/"), ""},
		{testkit.Here(), re(`^ws/`), re(`ws/`), ""},
		{testkit.Here(), re(`^ws/x`), path("ws/<slug:a>/"), ""},
		{testkit.Here(), re(`^ws/\b`), path("ws/x/"), `this path goes to`},
		{testkit.Here(), re(`^ws/\B`), path("ws/x/"), ``},
		{testkit.Here(), re(`bar`), path("foo/bar/<int:a>/"), `every path that contains "bar" goes to`},
		{testkit.Here(), re(`bar`), re(`^\w+/rebar$`), `every path that contains "bar" goes to`},
		{testkit.Here(), re(`bar`), path("ba/<slug:a>/"), ""},
		{testkit.Here(), re(`bar`), re(`^(?:bar|foo)$`), ""},
		{testkit.Here(), path("ws/<slug:a>/"), path("ws/new/"), "this path goes to"},
		{testkit.Here(), path("<a>/<b>/"), path("ws/new/"), "this path goes to"},
		{testkit.Here(), re(`\w+/new`), path("ws/new/"), "this path goes to"},
		{testkit.Here(), path("ws/<int:a>/"), path("ws/new/"), ""},
		{testkit.Here(), path("ws/<int:a>/"), path("ws/99999999999999999999/"), ""},
		{testkit.Here(), own.Path("<own:a>", app), path("ws/new/"), ""},
		{testkit.Here(), own.Path("<own:a>", app), own.Path("<own:a>", app), ""},
		{testkit.Here(), router.Mount("", app), path("ws/new/"), ""},
		{testkit.Here(), router.Mount("ws/", app), path("ws/new/"), ""},
	}
	for _, row := range rows {
		got := panicOf(func() { router.NewURLRouter(path("before/it/"), row.before, row.after) })
		if row.why == "" {
			if got != "<nil>" {
				t.Errorf("%s: panicked with %q", row.at, got)
			}
			continue
		}
		wantAll(t, row.at, got, "wye: router.NewURLRouter: "+row.after.String()+" can never be reached: "+row.why, row.before.String())
	}
	got := panicOf(func() {
		router.NewURLRouter(router.RePath(`^a/`, router.Use(router.NewURLRouter(), opaque)), path("a/b/"))
	})
	wantAll(t, testkit.Here(), got, "use Mount")
	got = panicOf(func() { router.NewURLRouter(path("a").Name("x"), path("b").Name("x")) })
	wantAll(t, testkit.Here(), got, `two routes have the name "x"`, path("a").String()[:9], `route "b"`)
}

func TestChannelNameRouter(t *testing.T) {
	t.Parallel()
	apps := map[string]protocol.Application{"mail": captured("mail"), "thumbnails": captured("thumbnails")}
	c := router.NewChannelNameRouter(apps)
	delete(apps, "mail")
	if got := c.Names(); !slices.Equal(got, []string{"mail", "thumbnails"}) {
		t.Errorf("the names are %q", got)
	}
	for channel, want := range map[string]string{
		"mail":  "wye: connection refused with 418: mail []",
		"Mail":  `wye: no route for the channel "Mail"; known channels: mail, thumbnails`,
		"":      `wye: router.ChannelNameRouter: a scope of type "channel" has no channel; put this router behind a layers.Worker`,
		"mailx": `wye: no route for the channel "mailx"; known channels: mail, thumbnails`,
	} {
		s := scopes.ForChannel(context.Background(), channel)
		_, err := c.Open(s)
		if fmt.Sprint(err) != want {
			t.Errorf("%q: %v, want %s", channel, err, want)
		}
		if found := c.Find(s); (found == nil) != (channel == "mail") || errors.Is(found, protocol.ErrNoRoute) != (channel != "mail" && channel != "") {
			t.Errorf("%q: Find says %v", channel, found)
		}
	}
	wantAll(t, testkit.Here(), panicOf(func() { router.NewChannelNameRouter(map[string]protocol.Application{"": captured("x")}) }), "a name is empty")
	wantAll(t, testkit.Here(), panicOf(func() { router.NewChannelNameRouter(map[string]protocol.Application{"x": nil}) }), `"x" is nil`)
}
