package router_test

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

func TestDecision12_ConstructorsPanicWithBothLines(t *testing.T) {
	t.Parallel()
	first, firstLine := router.RePath(`^ws/$`, here("a")), lineHere()
	second, secondLine := router.RePath(`^ws/$`, here("b")), lineHere()
	got := panicOf(func() { router.NewURLRouter(router.RePath(`^other/$`, here("c")), first, second) })
	wantAll(t, testkit.Here(), got, `wye: router.NewURLRouter: route "^ws/$"`, "("+secondLine+")", "("+firstLine+")", "never be reached")
	if strings.Index(got, secondLine) > strings.Index(got, firstLine) {
		t.Errorf("%q: the route that is never reached is named first", got)
	}

	mounted := router.Mount("ws/", here("a"))
	for _, fine := range [][]router.Route{
		{mounted, mounted, router.RePath(`^ws/$`, here("b")), router.RePath(`ws/`, here("c"))}, // what is mounted twice may answer twice
		{router.RePath(`a+b/`, here("a")), router.Mount("a+b/", here("b"))},                    // written alike, with another meaning
	} {
		if got := panicOf(func() { router.NewURLRouter(fine...) }); got != "<nil>" {
			t.Errorf("panicked with %q", got)
		}
	}
}

func TestDecision12_RoutesThatCanNotWorkPanicWithTheirLine(t *testing.T) {
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

func TestRoutesThatOnlyLookLikeAMisprint(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`^a<b/$`, `^a>b/$`, `^(?P<a>x)(?<b>y)$`, `^x?$`} {
		if got := panicOf(func() { router.RePath(expr, here("x")) }); got != "<nil>" {
			t.Errorf("%q panicked with %q", expr, got)
		}
	}
}

func TestOtherConstructorsPanic(t *testing.T) {
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
