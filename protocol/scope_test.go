package protocol_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

func TestNewScope(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://example.org/a%20b/c%2Fd?x=1&x=2&y", http.NoBody)
	r.RemoteAddr = "192.0.2.1:99"
	r.Header.Set("Cookie", "a=b")
	s := protocol.NewScope("websocket", r)
	if s.Type() != "websocket" || s.Path() != "/a b/c/d" || s.RootPath() != "" || s.RawQuery() != "x=1&x=2&y" || s.Host() != "example.org" ||
		s.RemoteAddr() != "192.0.2.1:99" || s.Header().Get("Cookie") != "a=b" || s.Request() != r || s.User() != nil || s.Subprotocols() != nil {
		t.Errorf("got %+v", s)
	}
}

func TestScopeQuery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		raw  string
		want map[string][]string
	}{
		{testkit.Here(), "", map[string][]string{}},
		{testkit.Here(), "a=1&b=2&a=3", map[string][]string{"a": {"1", "3"}, "b": {"2"}}},
		{testkit.Here(), "a=%C3%A9&b=x+y", map[string][]string{"a": {"é"}, "b": {"x y"}}},
		{testkit.Here(), "a=1&b=%zz&c=3", map[string][]string{"a": {"1"}, "c": {"3"}}}, // what is malformed is left out
		{testkit.Here(), "a=1;b=2&c=3", map[string][]string{"c": {"3"}}},
		{testkit.Here(), "a", map[string][]string{"a": {""}}},
	} {
		r := request()
		r.URL.RawQuery = test.raw
		s := protocol.NewScope("websocket", r)
		if got := s.Query(); !reflect.DeepEqual(map[string][]string(got), test.want) {
			t.Errorf("%s: %q is %v, want %v", test.at, test.raw, got, test.want)
		}
	}
}

// TestDecision7_ScopeIsReadOnly: a router that tries a branch and fails leaves
// no trace.
func TestDecision7_ScopeIsReadOnly(t *testing.T) {
	t.Parallel()
	type key struct{ n int }
	// describe is all that can be seen of a scope.
	describe := func(s *protocol.Scope) string {
		out := fmt.Sprint(s.RootPath(), " ", s.Path(), " ", s.User())
		for _, name := range []string{"a", "b", "c"} {
			out += fmt.Sprintf(" %s=%s", name, s.Param(name))
		}
		for n := range 3 {
			out += fmt.Sprint(" ", s.Context().Value(key{n}))
		}
		return out
	}
	r := httptest.NewRequest(http.MethodGet, "/ws/blue/7/", http.NoBody)
	base := scopes.WithRoute(protocol.NewScope("websocket", r).WithValue(key{0}, "zero"),
		&plumbing.Match{Taken: "/ws", Rest: "/blue/7/", Params: []plumbing.Param{{Name: "a", Value: "outer"}, {Name: "b", Value: "kept"}}})
	const original = "/ws /blue/7/ <nil> a=outer b=kept c= zero <nil> <nil>"
	for _, test := range []struct {
		at   testkit.Line
		copy *protocol.Scope
		want string
	}{
		{testkit.Here(), base, original},
		{testkit.Here(), scopes.WithRoute(base, &plumbing.Match{Taken: "/blue", Rest: "/7/", Params: []plumbing.Param{{Name: "a", Value: "inner"}, {Name: "c", Value: "new"}}}),
			"/ws/blue /7/ <nil> a=inner b=kept c=new zero <nil> <nil>"},
		{testkit.Here(), scopes.WithRoute(base, &plumbing.Match{Taken: "/blue", Rest: "/7/"}), "/ws/blue /7/ <nil> a=outer b=kept c= zero <nil> <nil>"},
		{testkit.Here(), base.WithUser("ann"), "/ws /blue/7/ ann a=outer b=kept c= zero <nil> <nil>"},
		{testkit.Here(), base.WithUser("ann").WithUser(nil), original},
		{testkit.Here(), base.WithValue(key{1}, "one"), "/ws /blue/7/ <nil> a=outer b=kept c= zero one <nil>"},
		{testkit.Here(), base.WithValue(key{0}, "newer"), "/ws /blue/7/ <nil> a=outer b=kept c= newer <nil> <nil>"},
		{testkit.Here(), base.WithValue(key{2}, "left"), "/ws /blue/7/ <nil> a=outer b=kept c= zero <nil> left"},
		{testkit.Here(), base.WithValue(key{2}, "right").WithUser(1), "/ws /blue/7/ 1 a=outer b=kept c= zero <nil> right"},
	} {
		if got := describe(test.copy); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.at, got, test.want)
		}
		if got := describe(base); got != original {
			t.Errorf("%s: the original became %s", test.at, got)
		}
	}
}

func TestScopeParamPrecedence(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	var s *protocol.Scope
	mux.HandleFunc("GET /live/{room}/{rest...}", func(_ http.ResponseWriter, r *http.Request) {
		s = protocol.NewScope("websocket", r)
	})
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/live/blue/a/b", http.NoBody))
	routed := scopes.WithRoute(s, &plumbing.Match{Rest: "/", Params: []plumbing.Param{{Name: "room", Value: "routed"}, {Name: "none", Value: ""}}})
	var during [4]string
	sess := protocol.NewSession(t.Context(), protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		during = [4]string{s.Param("room"), s.Param("rest"), routed.Param("room"), routed.Param("rest")}
		return &fakes.Handler{}, nil
	}), s, &wire{}, nil)
	sess.Open()
	after := [4]string{s.Param("room"), s.Param("rest"), routed.Param("room"), routed.Param("rest")}
	if want := [4]string{"blue", "a/b", "routed", "a/b"}; during != want || after != want {
		t.Errorf("got %v, and %v after the answer, want %v", during, after, want)
	}
	if got := s.Param("nonsense") + s.Param("") + routed.Param("none"); got != "" {
		t.Errorf("what is not there is %q", got)
	}
	sess.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
}

// TestValues: bound values lie in front of a context, and cost nothing if there
// are none.
func TestValues(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "behind")
	s := protocol.NewScope("websocket", request())
	if got := scopes.Values(s).Bind(ctx); got != ctx {
		t.Error("no values were bound all the same")
	}
	var none plumbing.Values
	if got := none.Bind(ctx); got != ctx {
		t.Error("the zero Values were bound")
	}
	bound := scopes.Values(s.WithValue(key{}, "before")).Bind(ctx)
	if bound.Value(key{}) != "before" || bound.Value("other") != nil {
		t.Errorf("got %v", bound.Value(key{}))
	}
	if behind := scopes.Values(s.WithValue("other", 1)).Bind(ctx); behind.Value(key{}) != "behind" || behind.Value("other") != 1 {
		t.Errorf("got %v", behind.Value(key{}))
	}
}

func TestLimitsWithDefaults(t *testing.T) {
	t.Parallel()
	all := protocol.Limits{
		MaxMessage: protocol.Limits{}.WithDefaults().MaxMessage, MaxFrame: protocol.Limits{}.WithDefaults().MaxMessage,
		MaxFragments: protocol.Limits{}.WithDefaults().MaxFragments, MaxControlFrames: protocol.Limits{}.WithDefaults().MaxControlFrames, MinRate: protocol.Limits{}.WithDefaults().MinRate,
		ReadAhead: protocol.Limits{}.WithDefaults().ReadAhead, QueueBytes: protocol.Limits{}.WithDefaults().QueueBytes, QueueEvents: protocol.Limits{}.WithDefaults().QueueEvents,
		QueueEventBytes: protocol.Limits{}.WithDefaults().QueueEventBytes, Groups: protocol.Limits{}.WithDefaults().Groups, Goroutines: protocol.Limits{}.WithDefaults().Goroutines,
		Overflow: protocol.OverflowClose, EventOverflow: protocol.OverflowClose,
	}
	own := protocol.Limits{
		MaxMessage: 5, MaxFrame: 6, MaxFragments: 7, MaxControlFrames: 8, MinRate: 9,
		ReadAhead: 2, QueueBytes: 3, QueueEvents: 4, QueueEventBytes: 10, Groups: 11, Goroutines: 12, Overflow: protocol.OverflowBlock, EventOverflow: protocol.OverflowDropOldest, RepairText: true,
	}
	nine := all
	nine.MaxMessage, nine.MaxFrame = 9, 9
	for _, test := range []struct {
		at       testkit.Line
		in, want protocol.Limits
	}{
		{testkit.Here(), protocol.Limits{}, all},
		{testkit.Here(), protocol.Limits{
			MaxMessage: -1, MaxFrame: -1, MaxFragments: -1, MaxControlFrames: -1, MinRate: -1, ReadAhead: -1, QueueBytes: -1, QueueEvents: -1, QueueEventBytes: -1, Groups: -1, Goroutines: -1,
		}, all},
		{testkit.Here(), own, own},
		{testkit.Here(), all, all},
		{testkit.Here(), protocol.Limits{MaxMessage: 9}, nine},
	} {
		if got := test.in.WithDefaults(); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.at, got, test.want)
		}
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	if m := (protocol.Message{}); m.Kind != protocol.KindText || m.Text() != "" || m.Kind.String() != "text" {
		t.Errorf("the zero message is %v %q", m.Kind, m.Data)
	}
	b := []byte("abc")
	m := protocol.Binary(b)
	c := m.Clone()
	s := m.Text()
	if &m.Data[0] != &b[0] || m.Kind.String() != "binary" {
		t.Error("Binary copies, or is not binary")
	}
	scribble(b)
	if c.Text() != "abc" || c.Kind != protocol.KindBinary || s != "abc" || m.Text() != "!!!" {
		t.Errorf("the clone became %q, the text %q", c.Data, s)
	}
	if text("é").Kind != protocol.KindText || string(text("é").Data) != "é" {
		t.Error("Text is not its bytes")
	}
}

// TestScopeWhileAnswering reads a scope from elsewhere while its request is let
// go of, for the race detector.
func TestScopeWhileAnswering(t *testing.T) {
	t.Parallel()
	for range 50 {
		req := httptest.NewRequest(http.MethodGet, "/live/blue", http.NoBody)
		req.Pattern = "/live/{room}"
		req.SetPathValue("room", "blue")
		s := protocol.NewScope("websocket", req)
		read := make(chan struct{})
		h := &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error {
			go func() {
				defer close(read)
				for s.Request() != nil {
					if s.Param("room") != "blue" || s.Context() == nil {
						t.Error("the wildcard was lost on the way")
					}
				}
				if s.Param("room") != "blue" || s.Context().Err() != nil {
					t.Error("the wildcard was lost")
				}
			}()
			return nil
		}}
		sess := protocol.NewSession(t.Context(), h, s, &wire{}, nil)
		sess.Open()
		<-read
		sess.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	}
}

func TestScopeSubprotocol(t *testing.T) {
	t.Parallel()
	s := protocol.NewScope("websocket", request()).WithSubprotocols([]string{"v1", "v2"})
	for _, test := range []struct {
		at     testkit.Line
		spoken []string
		want   string
	}{
		{testkit.Here(), []string{"v2", "v1"}, "v2"},
		{testkit.Here(), []string{"v3", "v1"}, "v1"},
		{testkit.Here(), []string{"V1"}, ""},
		{testkit.Here(), nil, ""},
	} {
		if got := s.Subprotocol(test.spoken...); got != test.want {
			t.Errorf("%s: got %q, want %q", test.at, got, test.want)
		}
	}
}

func TestRejection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		err    error
		status int
		body   string
	}{
		{testkit.Here(), protocol.ErrNoRoute, 404, "Not Found"},
		{testkit.Here(), protocol.NewRejectError(401, "who are you?"), 401, "who are you?"},
		{testkit.Here(), errors.New("secret"), 500, "Internal Server Error"},
		{testkit.Here(), &protocol.PanicError{Value: protocol.ErrNoRoute}, 500, "Internal Server Error"},
	} {
		if e := protocol.AsRejectError(test.err); e.Status != test.status || e.Body != test.body || e.Err == nil && test.status != 401 {
			t.Errorf("%s: got %+v, want %d %q", test.at, e, test.status, test.body)
		}
	}
}

// TestScopeKept: what is kept has path, parameters and values, and keeps nothing of the
// request in memory.
func TestScopeKept(t *testing.T) {
	t.Parallel()
	type key struct{}
	long := strings.Repeat("x", 5<<10)
	raw := "GET /live/" + long + "/r%2F1?token=" + long + " HTTP/1.1\r\nHost: example.org\r\nCookie: " + long + "\r\n\r\n"
	for _, row := range []struct {
		at   testkit.Line
		rest string // what is left to route
	}{
		{testkit.Here(), "r/1"},
		{testkit.Here(), ""},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		line, header := weak.Make(unsafe.StringData(r.RequestURI)), weak.Make(unsafe.StringData(r.Header.Get("Cookie")))
		s := protocol.NewScope("websocket", r)
		room := s.Path()[len(s.Path())-len("r/1"):]
		s = scopes.WithRoute(s, &plumbing.Match{
			Route: "live/", Taken: strings.TrimSuffix(s.Path(), row.rest), Rest: s.Path()[len(s.Path())-len(row.rest):],
			Params: []plumbing.Param{{Name: "room", Value: room}}, Args: []string{s.Path()[1:5]},
		}).WithValue(key{}, 1).WithUser("ann")
		describe := func(s *protocol.Scope) string {
			return fmt.Sprint(s.Type(), s.RootPath(), s.Path(), s.Param("room"), s.Args(), s.Host(), s.RemoteAddr(), s.User(), s.Route(), s.Context().Value(key{}))
		}
		kept := scopes.OfKept(scopes.Kept(s))
		if got, want := describe(kept), describe(s); got != want {
			t.Errorf("%s: got %s, want %s", row.at, got, want)
		}
		if kept.Header() != nil || kept.RawQuery() != "" || kept.Subprotocols() != nil || kept.Request() != nil {
			t.Errorf("%s: of the request is kept: %+v", row.at, kept)
		}
		if !isFreed(line) || !isFreed(header) {
			t.Errorf("%s: in memory: line %t, headers %t", row.at, line.Value() != nil, header.Value() != nil)
		}
		runtime.KeepAlive(kept)
	}
}

// isFreed reports whether the memory behind p is free, after the garbage collector had
// some opportunities.
func isFreed(p weak.Pointer[byte]) bool {
	for i := 0; i < 100 && p.Value() != nil; i++ {
		runtime.GC()
	}
	return p.Value() == nil
}
