package router_test

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

func TestDecision12_UnreachableRoutePanicNamesBothLines(t *testing.T) {
	t.Parallel()
	first, firstLine := router.RePath(`^ws/$`, here("a")), lineHere()
	second, secondLine := router.RePath(`^ws/$`, here("b")), lineHere()
	got := panicOf(func() { router.NewURLRouter(router.RePath(`^other/$`, here("c")), first, second) })
	wantAll(t, testkit.Here(), got, `wye: router.NewURLRouter: route "^ws/$"`, "("+secondLine+")", "("+firstLine+")", "never be reached")
	if strings.Index(got, secondLine) > strings.Index(got, firstLine) {
		t.Errorf("%q: the unreachable route must be named first", got)
	}

	mounted := router.Mount("ws/", here("a"))
	for _, fine := range [][]router.Route{
		{mounted, mounted, router.RePath(`^ws/$`, here("b")), router.RePath(`ws/`, here("c"))}, // the second mount is tried if the first has no route
		{router.RePath(`a+b/`, here("a")), router.Mount("a+b/", here("b"))},                    // the first is an expression, the second is text
	} {
		if got := panicOf(func() { router.NewURLRouter(fine...) }); got != "<nil>" {
			t.Errorf("panicked with %q", got)
		}
	}
}

func TestDecision12_RePathMistakesPanic(t *testing.T) {
	t.Parallel()
	app := here("app")
	rows := []struct {
		at    testkit.Line
		route func()
		line  string
		wants []string
	}{
		{testkit.Here(), func() { router.RePath(`^ws/(`, app) }, lineHere(), []string{`"^ws/("`, "missing closing )"}},
		{testkit.Here(), func() { router.RePath(`^ws/(?=x)`, app) }, lineHere(), []string{"invalid or unsupported Perl syntax"}},
		{testkit.Here(), func() { router.RePath(`ws/?p<group>\wt/$`, app) }, lineHere(), []string{"captures nothing", "did you mean (?P<name>...)?"}},
		{testkit.Here(), func() { router.RePath(`ws/?P<group>\w+/$`, app) }, lineHere(), []string{"captures nothing"}},
		{testkit.Here(), func() { router.RePath(`ws/P<group>\w+/$`, app) }, lineHere(), []string{"captures nothing"}},
		{testkit.Here(), func() { router.RePath(`ws/<group>/`, app) }, lineHere(), []string{"captures nothing"}},
		{testkit.Here(), func() { router.RePath(`ws/<int:group>/`, app) }, lineHere(), []string{"captures nothing"}}, // Django's path()
		{testkit.Here(), func() { router.RePath(`^(\w+)/<x>$`, app) }, lineHere(), []string{`"<x>" is not a group`, "(?P<name>...)"}},
		{testkit.Here(), func() { router.RePath(`^(?P<a>\w+)/(?:<int:b>/)?$`, app) }, lineHere(), []string{`"<int:b>" is not a group`}},
		{testkit.Here(), func() { router.RePath(`^/ws/$`, app) }, lineHere(), []string{"can match no path", "leading slash"}},
		{testkit.Here(), func() { router.RePath(`^ws/$`, nil) }, lineHere(), []string{`"^ws/$"`, "the application is nil"}},
		{testkit.Here(), func() { router.Mount("/ws/", app) }, lineHere(), []string{`mount "/ws/"`, "without the leading slash"}},
		{testkit.Here(), func() { router.Mount("ws/", nil) }, lineHere(), []string{`mount "ws/"`, "the application is nil"}},
	}
	for _, row := range rows {
		wantAll(t, row.at, panicOf(row.route), append(row.wants, "wye: ", "("+row.line+")")...)
	}
}

func TestRePathThatOnlyLooksLikeAMistake(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`^a<b/$`, `^a>b/$`, `^(?P<a>x)(?<b>y)$`, `^x?$`} {
		if got := panicOf(func() { router.RePath(expr, here("x")) }); got != "<nil>" {
			t.Errorf("%q panicked with %q", expr, got)
		}
	}
}

func TestConstructorMistakesPanic(t *testing.T) {
	t.Parallel()
	ws := func() protocol.Protocol { return &fake{typ: "websocket"} }
	rows := []struct {
		at    testkit.Line
		make  func()
		wants []string
	}{
		{testkit.Here(), func() { router.NewURLRouter(router.RePath(`^a/$`, here("a")), router.Route{}) }, []string{"route 2 is empty", "RePath, Path or Mount"}},
		{testkit.Here(), func() { router.New(nil, ws(), nil) }, []string{"router.New", "protocol 2 is nil"}},
		{testkit.Here(), func() { router.New(nil, ws(), &fake{typ: "sse"}, ws()) }, []string{`two protocols have the type "websocket"`, "URLRouter"}},
	}
	for _, row := range rows {
		wantAll(t, row.at, panicOf(row.make), append(row.wants, "wye: ")...)
	}
}

// TestMistakesFromOtherRoutersPanic checks mistakes of programmers who know another router.
func TestMistakesFromOtherRoutersPanic(t *testing.T) {
	t.Parallel()
	app := here("app")
	named := func() *router.URLRouter { return router.NewURLRouter(router.Path("x/", app).Name("x")) }
	rows := []struct {
		at    testkit.Line
		build func()
		wants []string
	}{
		{testkit.Here(), func() { router.Path("ws/{room}/", app) }, []string{"<room>"}},
		{testkit.Here(), func() { router.Path("ws/:room/", app) }, []string{"<room>"}},
		{testkit.Here(), func() { router.Path("ws/*", app) }, []string{"<path:"}},
		{testkit.Here(), func() { router.Path("caf%C3%A9/", app) }, []string{"decoded"}},
		{testkit.Here(), func() { router.Path("ws/?page=<int:page>", app) }, []string{"query"}},
		{testkit.Here(), func() { router.Converters{"y": {Expr: `^\d{4}$`}}.Path("<y:y>/", app) }, []string{"wye: ", "^"}},
		{testkit.Here(), func() {
			router.Converters{"y": {Check: func(string) error { return nil }}}.Path("<y:y>/", app)
		}, []string{"wye: ", "Expr"}},
		{testkit.Here(), func() { router.RePath(`\Qa$`, app) }, []string{"wye: ", "mistakes_test.go"}},
		{testkit.Here(), func() { router.NewURLRouter(router.Path("ws/<path:rest>", app), router.Path("ws/<slug:g>/", app)) }, []string{"never be reached"}},
		{testkit.Here(), func() { router.NewURLRouter(router.Path("ws/<slug:a>/", app), router.Path("ws/<slug:b>/", app)) }, []string{"never be reached"}},
		{testkit.Here(), func() { router.NewURLRouter(router.Mount("a/", named()), router.Mount("b/", named())) }, []string{`two routes have the name "x"`}},
		{testkit.Here(), func() { router.Use(nil, router.Limit(protocol.Limits{})) }, []string{"wye: router.Use"}},
		{testkit.Here(), func() { router.Use(app, nil) }, []string{"wye: router.Use"}},
	}
	for _, row := range rows {
		wantAll(t, row.at, panicOf(row.build), row.wants...)
	}
}
