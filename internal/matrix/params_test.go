package matrix_test

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// patterns are more ways to write the same route.
func patterns() []routerRow {
	return []routerRow{
		{name: "chi, below another", at: testkit.Here(), mount: chiBelow, kept: true, encoded: true, slash: "a%2Fb"},
		{name: "chi, expression", at: testkit.Here(), mount: chiRoute("/live/{room:[^/]+}"), kept: true, encoded: true, slash: "a%2Fb"},
		{name: "chi, rest", at: testkit.Here(), mount: chiRoute("/live/*"), room: fromRest, encoded: true, slash: "a%2Fb"},
		{name: "chi, decoded", at: testkit.Here(), mount: chiDecoded, kept: true},
	}
}

func fromRest(s *protocol.Scope) string { return s.Param("*") }

func chiRoute(pattern string) func(*bed) http.Handler {
	return func(b *bed) http.Handler {
		r := chi.NewRouter()
		r.Method(http.MethodGet, pattern, b.ws)
		return r
	}
}

func chiBelow(b *bed) http.Handler {
	r := chi.NewRouter()
	r.Mount("/live", chiRoute("/{room}")(b))
	return r
}

func chiDecoded(b *bed) http.Handler {
	r := chi.NewRouter()
	r.Use(chiPath)
	r.Mount("/", chiRoute("/live/{room}")(b))
	return r
}

// TestParams is what a consumer gets of a path, and how.
func TestParams(t *testing.T) {
	t.Parallel()
	for _, r := range append(routers(), patterns()...) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			t.Log(r.at)
			b := newBed(t, nil)
			b.room = func(s *protocol.Scope) string {
				if r.room == nil {
					return byParam(s)
				}
				if got := byParam(s); got != "" {
					t.Errorf("Scope.Param has %q; there is no need for another way", got)
				}
				return r.room(s)
			}
			c := &combination{bed: b, addr: b.serve(r.mount(b)), router: r}
			written := map[string]string{"lobby": "lobby", "a%20b": "a b", "a+b": "a+b", "%E4%BD%A0": "你", "a%2Fb": r.slash}
			for unusual, decoded := range map[string]string{"it's%20me": "it's me", "cr%c3%a8me": "crème"} {
				written[unusual] = decoded
				if r.encoded {
					written[unusual] = unusual
				}
			}
			for path, want := range written {
				c.param(t, path, want)
			}
		})
	}
}

// param opens a connection to a room as the client writes it.
func (c *combination) param(t *testing.T, written, want string) {
	t.Helper()
	p := c.dial(t)
	if want == "" {
		if a := p.ask(upgrade(c.addr, "/live/"+written)); a.Status != http.StatusNotFound {
			t.Errorf("/live/%s: status %d, want 404", written, a.Status)
		}
		testkit.Await(t, c.bed.returned, "the return of the handler")
		return
	}
	p.Upgrade(upgrade(c.addr, "/live/"+written))
	testkit.Await(t, c.bed.returned, "the return of the handler")
	later := ""
	if c.router.kept {
		later = want
	}
	if got := p.report(); got.Room != want || got.Again != want || got.Param != later {
		t.Errorf("/live/%s: the factory got %q, Connect %q, later it is %q; want %q, %[5]q, %q",
			written, got.Room, got.Again, got.Param, want, later)
	}
	p.close(1000, "")
	c.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
}
