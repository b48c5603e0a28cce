package protocol_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestRoutePath: which spellings of a path are canonical, and how routers see it. A |
// stands for an encoded slash.
func TestRoutePath(t *testing.T) {
	t.Parallel()
	const (
		empty     = "an empty segment"
		dots      = `a segment "." or ".."`
		escaped   = "escapes a character"
		control   = "a control character"
		notUTF8   = "not UTF-8"
		ambiguous = "not known which"
	)
	rows := []struct {
		at     testkit.Line
		target string
		want   string // what routers see
		why    string // it is not canonical
	}{
		{testkit.Here(), "/", "/", ""},
		{testkit.Here(), "/ws/lobby/", "/ws/lobby/", ""},
		{testkit.Here(), "/ws/lobby", "/ws/lobby", ""},
		{testkit.Here(), "http://example.com/ws/lobby/?x=//..", "/ws/lobby/", ""},
		{testkit.Here(), "/ws/?x=%2F//../", "/ws/", ""},
		{testkit.Here(), "*", "*", ""},

		// Honest spellings of what people type.
		{testkit.Here(), "/ws/a%20b/", "/ws/a b/", ""},
		{testkit.Here(), "/ws/a+b/", "/ws/a+b/", ""},
		{testkit.Here(), "/ws/a%2Bb/", "/ws/a+b/", ""},
		{testkit.Here(), "/ws/caf%C3%A9/", "/ws/caf\u00e9/", ""},
		{testkit.Here(), "/ws/caf%c3%a9/", "/ws/caf\u00e9/", ""},
		{testkit.Here(), "/ws/caf\u00e9/", "/ws/caf\u00e9/", ""},
		{testkit.Here(), "/ws/it's%20me/", "/ws/it's me/", ""},
		{testkit.Here(), "/ws/a|b/", "/ws/a\x7cb/", ""},
		{testkit.Here(), "/ws/100%25/", "/ws/100%/", ""},
		{testkit.Here(), "/ws/ann%40example.com/", "/ws/ann@example.com/", ""},
		{testkit.Here(), "/ws/.hidden/...", "/ws/.hidden/...", ""},
		{testkit.Here(), `/ws/a\b/`, `/ws/a\b/`, ""},
		{testkit.Here(), "/ws/a%5Cb/", `/ws/a\b/`, ""},

		// A slash within a segment.
		{testkit.Here(), "/ws/a%2Fb/", "/ws/a\x1fb/", ""},
		{testkit.Here(), "/ws/a%2fb/", "/ws/a\x1fb/", ""},
		{testkit.Here(), "/ws/%C3%A9%2F%2f/x", "/ws/\u00e9\x1f\x1f/x", ""},
		{testkit.Here(), "/ws/admin%2Fa/", "/ws/admin\x1fa/", ""},
		{testkit.Here(), "/%2Fadmin/a/", "/\x1fadmin/a/", ""},
		{testkit.Here(), "/%2F", "/\x1f", ""},
		{testkit.Here(), "/ws%2F", "/ws\x1f", ""},
		{testkit.Here(), "/ws/%252F/", "/ws/%2F/", ""},
		{testkit.Here(), "/ws/%255F/", "/ws/%5F/", ""},
		{testkit.Here(), `/ws/a%2Fb"/`, "", ambiguous}, // ServeMux reads /ws/a/b"/
		{testkit.Here(), "/ws/a%2Fb|/", "", ambiguous},

		// Other spellings of another path.
		{testkit.Here(), "//", "", empty},
		{testkit.Here(), "//ws/", "", empty},
		{testkit.Here(), "/ws//", "", empty},
		{testkit.Here(), "http://example.com//ws/", "", empty},
		{testkit.Here(), "/ws/./a", "", dots},
		{testkit.Here(), "/ws/../a", "", dots},
		{testkit.Here(), "/..", "", dots},
		{testkit.Here(), "/ws/.", "", dots},
		{testkit.Here(), "/ws/a%2F..%2Fb/", "", dots},
		{testkit.Here(), "/ws/a/..%2Fb", "", dots},
		{testkit.Here(), "/ws/%2e%2e/a", "", escaped},
		{testkit.Here(), "/ws/%2E/a", "", escaped},
		{testkit.Here(), "/ws/.%2e/a", "", escaped},
		{testkit.Here(), "/ws/%61dmin/", "", escaped},
		{testkit.Here(), "/ws/%41/", "", escaped},
		{testkit.Here(), "/ws/%5F/", "", escaped},
		{testkit.Here(), "/ws/%5a/", "", escaped},
		{testkit.Here(), "/ws/%7E/", "", escaped},
		{testkit.Here(), "/ws/%2d/", "", escaped},
		{testkit.Here(), "/ws/%39/", "", escaped},
		{testkit.Here(), "/ws/%00/", "", control},
		{testkit.Here(), "/ws/a%0A/", "", control},
		{testkit.Here(), "/ws/%1f/", "", control},
		{testkit.Here(), "/ws/%7f/", "", control},
		{testkit.Here(), "/ws/%ff/", "", notUTF8},
		{testkit.Here(), "/ws/%c0%af/", "", notUTF8}, // an overlong slash
		{testkit.Here(), "/ws/%ED%A0%80/", "", notUTF8},
	}
	for _, row := range rows {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RequestURI = row.target
		r.URL = parse(t, row.target)
		wantRoutePath(t, row.at, protocol.NewScope("websocket", r), row.want, row.why)
	}
}

// parse is what net/http makes of a target.
func parse(t *testing.T, target string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatalf("%q: %v", target, err)
	}
	return u
}

func wantRoutePath(t *testing.T, at testkit.Line, s *protocol.Scope, want, why string) {
	t.Helper()
	got, err := s.RoutePath()
	switch {
	case why == "" && (err != nil || got != want):
		t.Errorf("%s: %q, %v; want %q", at, got, err, want)
	case why != "" && (got != "" || !errors.Is(err, protocol.ErrNoRoute) || !strings.Contains(fmt.Sprint(err), why)):
		t.Errorf("%s: %q, %v; want ErrNoRoute with %q", at, got, err, why)
	}
}

// TestRoutePathBehindMiddleware: what middleware in front makes of a path must not
// hide what the peer sent.
func TestRoutePathBehindMiddleware(t *testing.T) {
	t.Parallel()
	rewrite := func(path, raw string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.URL.Path, r.URL.RawPath = path, raw
				next.ServeHTTP(w, r)
			})
		}
	}
	strip := func(prefix string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler { return http.StripPrefix(prefix, next) }
	}
	rows := []struct {
		at     testkit.Line
		front  func(http.Handler) http.Handler
		target string
		want   string
		why    string
	}{
		{testkit.Here(), strip("/ws"), "/ws/a/", "/a/", ""},
		{testkit.Here(), strip("/ws/"), "/ws/a/", "a/", ""},
		{testkit.Here(), strip("/ws"), "/ws/a%2Fb/", "/a\x1fb/", ""},
		{testkit.Here(), strip("/ws/"), "/ws/%2Fa/", "\x1fa/", ""},
		{testkit.Here(), strip("/ws/"), "/ws//a/", "", "an empty segment"}, // Path is /a/
		{testkit.Here(), strip("/ws"), "/ws/%61/", "", "escapes a character"},
		{testkit.Here(), rewrite("/new/", ""), "/old/", "/new/", ""},
		{testkit.Here(), rewrite("/new/", ""), "/old/%20/", "/new/", ""},
		{testkit.Here(), rewrite("/a b/", "/a%20b/"), "/old/", "/a b/", ""},
		{testkit.Here(), rewrite("/a/b/", ""), "/ws/a%2Fb/", "", "not known which"},
		{testkit.Here(), rewrite("/a/b/", "/ws/a%2Fb/"), "/ws/a%2Fb/", "", "not known which"},
		{testkit.Here(), rewrite("/a/b/", "/a%2fb/"), "/", "/a\x1fb/", ""},
		{testkit.Here(), rewrite("/a/", ""), "/x/../a/", "", `a segment "."`},
		{testkit.Here(), rewrite("/a//", ""), "/a/", "", "an empty segment"},
		{testkit.Here(), rewrite("/a/../b", ""), "/a/", "", `a segment "."`},
		{testkit.Here(), rewrite("/a\x1fb", ""), "/a/", "", "a control character"},
		{testkit.Here(), rewrite("", ""), "/a/", "", ""},
	}
	for _, row := range rows {
		called := false
		h := row.front(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called = true
			wantRoutePath(t, row.at, protocol.NewScope("websocket", r), row.want, row.why)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, row.target, nil))
		if !called {
			t.Errorf("%s: it did not get through", row.at)
		}
	}
}

// TestRoutePathOfTheRest: what routers take from a path is taken from both its forms,
// and a path that a program chose itself stands for itself.
func TestRoutePathOfTheRest(t *testing.T) {
	t.Parallel()
	s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a%2Fb/c/d%2Fe", nil))
	wantRoutePath(t, testkit.Here(), s, "/a\x1fb/c/d\x1fe", "")
	rest := scopes.WithRoute(s, &plumbing.Match{Taken: "/a/b/", Rest: "c/d/e"})
	wantRoutePath(t, testkit.Here(), rest, "c/d\x1fe", "")
	wantRoutePath(t, testkit.Here(), rest.WithUser("ann"), "c/d\x1fe", "")
	wantRoutePath(t, testkit.Here(), scopes.WithRoute(rest, &plumbing.Match{Taken: "c/d", Rest: "/e"}), "\x1fe", "")
	wantRoutePath(t, testkit.Here(), scopes.WithRoute(rest, &plumbing.Match{Taken: "c/d/e"}), "", "")
	wantRoutePath(t, testkit.Here(), scopes.WithRoute(s, &plumbing.Match{Rest: "x/y"}), "x/y", "")
	wantRoutePath(t, testkit.Here(), scopes.ForChannel(t.Context(), "mail"), "", "")
}

// TestTryBranch: the count is one for all copies of a scope, and starts anew with the
// outermost router.
func TestTryBranch(t *testing.T) {
	t.Parallel()
	s := protocol.NewScope("websocket", request())
	inner := scopes.WithRoute(s, &plumbing.Match{})
	for range 2 {
		_, _ = s.RoutePath()
		for i := range plumbing.MaxBranches {
			_, _ = inner.RoutePath()
			if err := scopes.TryBranch(inner); err != nil {
				t.Fatalf("branch %d: %v", i+1, err)
			}
		}
		if err := scopes.TryBranch(s); !errors.Is(err, plumbing.ErrBranches) || !errors.Is(err, protocol.ErrNoRoute) {
			t.Errorf("one more: %v, want ErrBranches", err)
		}
	}
}

// FuzzRoutePath compares what routers see with segments that are decoded one by one.
func FuzzRoutePath(f *testing.F) {
	for _, target := range []string{
		"/", "/ws/lobby/", "/a%2Fb/c", "/a%2fb//", "//a", "/%2e%2e/a", "/a%2F../b", "/%C3%A9%2F/", "/%61", "/%1f/", "/%ff", `/a%2F"`, "/a|b",
		"http://h//a", "http://h/a%2Fb?x", "/%252F", "*", "/a+b%2Bc", "/%E2%80%AE/",
	} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			t.Skip("net/http refuses it")
		}
		form, err := protocol.NewScope("websocket", r).RoutePath()
		if err != nil {
			if form != "" || !errors.Is(err, protocol.ErrNoRoute) {
				t.Fatalf("%q: %q, %v", target, form, err)
			}
			return
		}
		slashes := string(rune(plumbing.EncodedSlash))
		if got := strings.ReplaceAll(form, slashes, "/"); got != r.URL.Path || len(form) != len(got) {
			t.Fatalf("%q: %q is not %q", target, form, r.URL.Path)
		}
		if strings.Contains(form, "//") || strings.Contains(r.URL.Path+"/", "/../") || strings.Contains(r.URL.Path+"/", "/./") || !utf8.ValidString(form) {
			t.Fatalf("%q: %q is not canonical", target, form)
		}
		if want := segmentBySegment(t, r.URL); form != want {
			t.Fatalf("%q: %q, want %q", target, form, want)
		}
	})
}

// segmentBySegment is what RoutePath returns for u, in other words.
func segmentBySegment(t *testing.T, u *url.URL) string {
	t.Helper()
	spelling := u.RawPath
	if spelling == "" {
		spelling = u.EscapedPath()
	}
	segments := strings.Split(spelling, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			t.Fatal(err)
		}
		segments[i] = strings.ReplaceAll(decoded, "/", string(rune(plumbing.EncodedSlash)))
	}
	return strings.Join(segments, "/")
}
