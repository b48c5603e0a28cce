package router_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/router"
)

type params = map[string]string

func TestURLFor(t *testing.T) {
	t.Parallel()
	rooms := router.NewURLRouter(
		router.Path("", here("index")).Name("index"),
		router.Path("<slug:room>/", here("room", "room")).Name("room"),
		router.Path("<slug:room>/<int:page>/", here("page", "room", "page")).Name("page"),
	)
	urls := router.NewURLRouter(
		router.Path("news/", here("news")).Name("news"),
		router.Path("ws/<str:group>/", here("group", "group")).Name("group"),
		router.Path("files/<path:file>", here("file", "file")).Name("file"),
		router.Path("caf\u00e9 x/", here("cafe")).Name("cafe"),
		router.RePath(`^re/(?P<word>\w+)/(?:page/(?P<page>\d+)/)?$`, here("re", "word")).Name("re"),
		router.RePath(`^(?:en/|de/)(?P<word>\w+)$`, here("either", "word")).Name("either"),
		router.RePath(`^price\$(?P<n>\d+)$`, here("price", "n")).Name("price"),
		router.Mount("shop/<slug:shop>/", router.Use(rooms, opaque)).Name("shop"),
		router.Mount("hall/", rooms),
		router.RePath(`^old/`, router.NewURLRouter(router.Path("x/", here("old")).Name("old"))),
		router.Path("<str:a>-<str:b>/", here("two", "a", "b")).Name("two"),
	)
	rows := []struct {
		at     testkit.Line
		name   string
		params params
		want   string // the path
		leads  string // the answer to a request for the path
	}{
		{testkit.Here(), "news", nil, "/news/", `news "/news/" ""`},
		{testkit.Here(), "group", params{"group": "lobby"}, "/ws/lobby/", `group "/ws/lobby/" "" group="lobby"`},
		{testkit.Here(), "group", params{"group": "a b?c#d%e"}, "/ws/a%20b%3Fc%23d%25e/", `group "/ws/a b?c#d%e/" "" group="a b?c#d%e"`},
		{testkit.Here(), "group", params{"group": "\u00e9"}, "/ws/%C3%A9/", "group \"/ws/\u00e9/\" \"\" group=\"\u00e9\""},
		{testkit.Here(), "group", params{"group": "a/b//c/"}, "/ws/a%2Fb%2F%2Fc%2F/", `group "/ws/a/b//c//" "" group="a/b//c/"`},
		{testkit.Here(), "group", params{"group": "*/*"}, "/ws/%2A%2F%2A/", `group "/ws/*/*/" "" group="*/*"`},
		{testkit.Here(), "group", params{"group": "%2F"}, "/ws/%252F/", `group "/ws/%2F/" "" group="%2F"`},
		{testkit.Here(), "file", params{"file": "a/b c.txt"}, "/files/a/b%20c.txt", `file "/files/a/b c.txt" "" file="a/b c.txt"`},
		{testkit.Here(), "cafe", nil, "/caf%C3%A9%20x/", "cafe \"/caf\u00e9 x/\" \"\""},
		{testkit.Here(), "re", params{"word": "x"}, "/re/x/", `re "/re/x/" "" word="x"`},
		{testkit.Here(), "either", params{"word": "x"}, "/en/x", `either "/en/x" "" word="x"`},
		{testkit.Here(), "price", params{"n": "5"}, "/price$5", `price "/price$5" "" n="5"`},
		{testkit.Here(), "shop:room", params{"shop": "tea", "room": "green"}, "/shop/tea/green/", `room "/shop/tea/green/" "" room="green"`},
		{testkit.Here(), "shop:page", params{"shop": "tea", "room": "green", "page": "7"}, "/shop/tea/green/7/", `page "/shop/tea/green/7/" "" room="green" page="7"`},
		{testkit.Here(), "shop:index", params{"shop": "tea"}, "/shop/tea/", `index "/shop/tea/" ""`},
		{testkit.Here(), "room", params{"room": "green"}, "/hall/green/", `room "/hall/green/" "" room="green"`},
		{testkit.Here(), "old", nil, "/old/x/", `old "/old/x/" ""`},
		{testkit.Here(), "two", params{"a": "1", "b": "2"}, "/1-2/", `two "/1-2/" "" a="1" b="2"`},
	}
	for _, row := range rows {
		got, err := urls.URLFor(row.name, row.params)
		if err != nil || got != row.want {
			t.Errorf("%s: %s: %q, %v, want %q", row.at, row.name, got, err, row.want)
			continue
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, got, nil)
		if leads := openRequest(urls, r); leads != row.leads {
			t.Errorf("%s: %s leads to %s, want %s", row.at, got, leads, row.leads)
		}
	}
}

func TestURLForErrors(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(
		router.Path("ws/<int:page>/", here("page")).Name("page"),
		router.Path("<path:file>/x", here("file")).Name("file"),
		router.Mount("shop/<slug:shop>/", router.NewURLRouter(router.Path("<str:room>/", here("room")).Name("room"))).Name("shop"),
		router.Path("<str:a>-<str:b>/", here("two")).Name("two"),
		router.RePath(`^(?:(?P<a>\d)|xy)(?P<b>\w+)$`, here("either")).Name("either"),
		router.RePath(`^(?:/|)(?P<a>[a-z.]+)/$`, here("host")).Name("host"),
	)
	rows := []struct {
		at     testkit.Line
		name   string
		params params
		wants  []string
	}{
		{testkit.Here(), "pag", nil, []string{`no route has the name "pag"`, "either, file, host, page, shop, shop:room, two"}},
		{testkit.Here(), "", nil, []string{`no route has the name ""`}},
		{testkit.Here(), "shop:", nil, []string{`no route has the name "shop:"`}},
		{testkit.Here(), "room", nil, []string{`no route has the name "room"`}},
		{testkit.Here(), "page", nil, []string{`"page"`, `the parameter "page" is missing`}},
		{testkit.Here(), "page", params{"page": "1", "pages": "2"}, []string{`no parameter "pages"`}},
		{testkit.Here(), "page", params{"page": "x"}, []string{"does not match"}},
		{testkit.Here(), "page", params{"page": "99999999999999999999"}, []string{"does not match"}},
		{testkit.Here(), "page", params{"page": ""}, []string{"does not match"}},
		{testkit.Here(), "shop:room", params{"shop": "a/b", "room": "c"}, []string{"does not match"}},
		{testkit.Here(), "shop:room", params{"shop": "a", "room": "b/../c"}, []string{`".."`, "another path"}},
		{testkit.Here(), "shop:room", params{"shop": "a", "room": "b\x1fc"}, []string{`"room"`, "a control character"}},
		{testkit.Here(), "shop:room", params{"shop": "a", "room": "b\nc"}, []string{"a control character"}},
		{testkit.Here(), "shop:room", params{"shop": "a", "room": "b\xff"}, []string{"not UTF-8"}},
		{testkit.Here(), "file", params{"file": "a//b"}, []string{"an empty segment"}},
		{testkit.Here(), "shop:room", params{"shop": "a", "room": ".."}, []string{`".."`, "another path"}},
		{testkit.Here(), "file", params{"file": "a/./b"}, []string{`"."`, "another path"}},
		{testkit.Here(), "file", params{"file": "/etc"}, []string{"two slashes", "another host"}},
		{testkit.Here(), "host", params{"a": "evil.example"}, []string{"two slashes", "another host"}},
		{testkit.Here(), "either", params{"a": "xy", "b": "z"}, []string{`no route would capture "a" as "xy"`}},
		{testkit.Here(), "two", params{"a": "1-2", "b": "3-4"}, []string{`capture "a" as "1-2-3"`}},
	}
	for _, row := range rows {
		got, err := urls.URLFor(row.name, row.params)
		if got != "" || err == nil {
			t.Errorf("%s: %q, %v, want an error", row.at, got, err)
		}
		wantAll(t, row.at, fmt.Sprint(err), append(row.wants, "wye: ")...)
	}
	_, err := router.NewURLRouter().URLFor("x", nil)
	wantAll(t, testkit.Here(), fmt.Sprint(err), "known names: none")
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	rooms := router.NewURLRouter(router.Path("", here("index")).Name("index"), router.RePath(`^(\w+)/$`, here("room")))
	urls := router.NewURLRouter(
		router.Path("news/", here("news")).Name("news"),
		router.Mount("shop/<slug:shop>/", router.Use(rooms, opaque)).Name("shop"),
		router.RePath(`^old/`, router.NewURLRouter(router.Path("x/", here("old")).Name("old"))),
		router.Mount("any/", here("any")).Name("any"),
	)
	var got string
	for r := range urls.Routes() {
		got += fmt.Sprintf("%s %q %t\n", r.Pattern, r.Name, r.Mount)
		if !strings.Contains(r.Place, "reverse_test.go:") {
			t.Errorf("%s was made at %s", r.Pattern, r.Place)
		}
	}
	want := "news/ \"news\" false\nshop/<slug:shop>/ \"shop:index\" false\nshop/<slug:shop>/^(\\w+)/$ \"\" false\n^old/x/ \"old\" false\nany/ \"any\" true\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for range urls.Routes() {
		break // the iterator must stop
	}
}

// TestURLForLeadsToItsRoute checks that URLFor returns no path that leads to a route before
// the named one.
func TestURLForLeadsToItsRoute(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(router.Path("ws/new/", here("new")), router.Path("ws/<slug:group>/", here("room")).Name("room"))
	if got, err := urls.URLFor("room", map[string]string{"group": "new"}); err == nil {
		t.Errorf("%s leads to %s", got, open(urls, got))
	}
}
