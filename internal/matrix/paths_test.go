package matrix_test

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"
	echo4 "github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// deniedSpellings are ways to ask for /ws/admin/a/ and what is near it, where whatever
// stands in front denies all that begins with /ws/admin/.
func deniedSpellings() []string {
	return []string{
		// As it is.
		"/ws/admin/", "/ws/admin/a/", "/ws/admin/a", "/ws/admin/a/b/", "/ws/admin/%20/", "/ws/admin/a%2Fb/",
		// Slashes that are escaped.
		"/ws/admin%2Fa/", "/ws/admin%2fa/", "/ws%2Fadmin/a/", "/ws%2fadmin%2fa%2f", "/%2Fws/admin/a/", "/ws/%2Fadmin/a/", "/ws/admin%2F/a/",
		"/ws/admin%2F", "/ws/admin%252Fa/", "/ws/admin%5Ca/", `/ws/admin\a/`, `/ws\admin\a\`, `/ws/admin%2Fa"/`, "/ws/admin%2Fa|/",
		// Empty segments.
		"//ws/admin/a/", "/ws//admin/a/", "///ws/admin/a/", "/ws///admin/a/", "/ws/admin//a/", "//admin/a/", "/ws/%2F/admin/a/", "/ws//admin%2Fa/",
		// Dot segments.
		"/./ws/admin/a/", "/ws/./admin/a/", "/ws/x/../admin/a/", "/x/../ws/admin/a/", "/ws/%2e/admin/a/", "/ws/x/%2e%2e/admin/a/", "/ws/x/.%2E/admin/a/",
		"/ws/..%2Fws/admin/a/", "/ws/x%2F..%2Fadmin/a/", "/ws/x/..%2Fadmin/a/", "/ws/.%2Fadmin/a/", "/ws/admin/x/../../admin/a/", "/ws/admin/..%2Fadmin/a/",
		"/ws/admin/x%2F..%2F..%2Fb/", "/ws/admin/..%2F..%2Fb/",
		// Letters that are escaped.
		"/ws/%61dmin/a/", "/%77s/admin/a/", "/ws/admi%6E/a/", "/ws/%61%64%6d%69%6e/a/", "/%77%73/%61dmin/a/", "/ws/%2561dmin/a/", "/ws/%61dmin%2Fa/",
		// What decodes to nothing, or not at all.
		"/ws/%00admin/a/", "/ws/admin%00/a/", "/ws/admin/a%0a/", "/ws/%c0%afadmin/a/", "/ws/admin%c0%afa/", "/ws%EF%BC%8Fadmin/a/", "/ws/\u0430dmin/a/",
		"/ws/admin%2Fcaf%C3%A9/", "/ws/admin;x/a/", "/ws/admin/a;/", "/ws/admin.", "/WS/ADMIN/a/",
		// Another form of the first line.
		"http://example.com/ws/admin/a/", "http://example.com//ws/admin/a/", "http://example.com/ws/admin%2Fa/",
	}
}

// honestSpellings are what people's rooms look like, and what a consumer gets.
func honestSpellings() map[string]string {
	return map[string]string{
		"lobby": "lobby", "a%2Fb": "a/b", "a%2fb": "a/b", "a%20b": "a b", "a+b": "a+b", "a%2Bb": "a+b", "caf%C3%A9": "caf\u00e9", "caf%c3%a9": "caf\u00e9",
		"it's%20me": "it's me", "ann%40example.com": "ann@example.com", "ann@example.com": "ann@example.com", "100%25": "100%", "%E4%BD%A0": "\u4f60",
		"a.b-c_d~e": "a.b-c_d~e", "https:%2F%2Fexample.com": "https://example.com", "x:y;z,w": "x:y;z,w", "a%252Fb": "a%2Fb",
	}
}

// denials are the ways to deny a path in front of Wye.
type denial struct {
	name string
	at   testkit.Line
	// front denies /ws/admin/ and all below it, and hands what begins with /ws/ to app.
	front func(app http.Handler) http.Handler
	// stripped says that app sees paths without "ws/".
	stripped bool
	// without is what rooms must not have in their spelling to be found as they are.
	without string
}

func denials() []denial {
	return []denial{
		{name: "ServeMux", at: testkit.Here(), front: denyMux},
		{name: "ServeMux and StripPrefix", at: testkit.Here(), front: func(app http.Handler) http.Handler { return denyMux(http.StripPrefix("/ws", app)) }, stripped: true},
		{name: "ServeMux and StripPrefix with a slash", at: testkit.Here(), front: func(app http.Handler) http.Handler { return denyMux(http.StripPrefix("/ws/", app)) }, stripped: true},
		{name: "HasPrefix", at: testkit.Here(), front: denyPrefix},
		{name: "HasPrefix and StripPrefix", at: testkit.Here(), front: func(app http.Handler) http.Handler { return denyPrefix(http.StripPrefix("/ws", app)) }, stripped: true},
		{name: "HasPrefix and StripPrefix with a slash", at: testkit.Here(), front: func(app http.Handler) http.Handler { return denyPrefix(http.StripPrefix("/ws/", app)) }, stripped: true},
		{name: "HasPrefix and a path without RawPath", at: testkit.Here(), front: func(app http.Handler) http.Handler { return denyPrefix(trimmedPath(app)) }, stripped: true, without: "%2F"},
		{name: "chi", at: testkit.Here(), front: denyChi(asItIs)},
		{name: "chi and StripPrefix", at: testkit.Here(), front: denyChi(func(app http.Handler) http.Handler { return http.StripPrefix("/ws", app) }), stripped: true},
		{name: "chi, CleanPath", at: testkit.Here(), front: denyChi(asItIs, chimiddleware.CleanPath)},
		{name: "chi, StripSlashes", at: testkit.Here(), front: denyChi(asItIs, chimiddleware.StripSlashes)},
		{name: "echo v4", at: testkit.Here(), front: denyEcho4},
		{name: "echo v5", at: testkit.Here(), front: denyEcho5},
		{name: "gin", at: testkit.Here(), front: denyGin(func(*gin.Engine) {})},
		{name: "gin, UseRawPath", at: testkit.Here(), front: denyGin(func(e *gin.Engine) { e.UseRawPath = true })},
		{name: "gin, RemoveExtraSlash", at: testkit.Here(), front: denyGin(func(e *gin.Engine) { e.RemoveExtraSlash = true })},
		{name: "gorilla/mux", at: testkit.Here(), front: denyGorilla(func(*mux.Router) {}), without: "%2F%2F"},
		{name: "gorilla/mux, UseEncodedPath", at: testkit.Here(), front: denyGorilla(func(r *mux.Router) { r.UseEncodedPath() })},
		{name: "gorilla/mux, SkipClean", at: testkit.Here(), front: denyGorilla(func(r *mux.Router) { r.SkipClean(true) })},
	}
}

func denied(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "denied in front", http.StatusForbidden)
}

func denyMux(app http.Handler) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/ws/admin/", denied)
	m.Handle("/ws/", app)
	return m
}

func denyPrefix(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/ws/admin/") {
			denied(w, r)
			return
		}
		app.ServeHTTP(w, r)
	})
}

// trimmedPath is what programs write that do not know http.StripPrefix.
func trimmedPath(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/ws")
		app.ServeHTTP(w, r)
	})
}

func denyChi(wrap func(http.Handler) http.Handler, more ...func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(app http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(more...)
		r.HandleFunc("/ws/admin", denied)
		r.HandleFunc("/ws/admin/*", denied)
		r.Handle("/ws/*", wrap(app))
		return r
	}
}

func denyEcho4(app http.Handler) http.Handler {
	e := echo4.New()
	e.Any("/ws/admin/*", echo4.WrapHandler(http.HandlerFunc(denied)))
	e.Any("/ws/*", echo4.WrapHandler(app))
	return e
}

func denyEcho5(app http.Handler) http.Handler {
	e := echo5.New()
	e.Any("/ws/admin/*", echo5.WrapHandler(http.HandlerFunc(denied)))
	e.Any("/ws/*", echo5.WrapHandler(app))
	return e
}

// denyGin has routes of one to three segments: gin has no rest beside other routes.
func denyGin(set func(*gin.Engine)) func(http.Handler) http.Handler {
	return func(app http.Handler) http.Handler {
		e := gin.New()
		set(e)
		for _, path := range []string{"/ws/admin/", "/ws/admin/:a", "/ws/admin/:a/", "/ws/admin/:a/:b/"} {
			e.Any(path, gin.WrapF(denied))
		}
		for _, path := range []string{"/ws/:a", "/ws/:a/", "/ws/:a/:b", "/ws/:a/:b/", "/ws/:a/:b/:c/", "/ws/:a/:b/:c/:d/"} {
			e.Any(path, gin.WrapH(app))
		}
		return e
	}
}

func denyGorilla(set func(*mux.Router)) func(http.Handler) http.Handler {
	return func(app http.Handler) http.Handler {
		r := mux.NewRouter()
		set(r)
		r.PathPrefix("/ws/admin/").HandlerFunc(denied)
		r.PathPrefix("/ws/").Handler(app)
		return r
	}
}

// behindDenial is the program behind: a room for everybody, and one that nobody may
// reach.
type behindDenial struct {
	ws      *websocket.Server
	reached atomic.Int64 // the room that is denied
	rooms   chan string  // that others asked for
	log     testkit.Buffer
}

func newBehindDenial(t *testing.T, stripped bool) *behindDenial {
	t.Helper()
	b := &behindDenial{rooms: make(chan string, 1000)}
	admin := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		b.reached.Add(1)
		return nil, protocol.NewRejectError(http.StatusTeapot, "the room that is denied")
	})
	room := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		b.rooms <- s.Param("room")
		return nil, protocol.NewRejectError(http.StatusTeapot, "a room")
	})
	prefix := "ws/"
	if stripped {
		prefix = ""
	}
	b.ws = websocket.New(router.NewURLRouter(
		router.Path(prefix+"admin/", admin),
		router.Path(prefix+"admin/<path:rest>", admin),
		router.Path(prefix+"rooms/<room>/", room),
		router.Path(prefix+"<path:room>", room),
	), &websocket.Options{Logger: slog.New(slog.NewTextHandler(&b.log, nil))})
	return b
}

// TestDeniedInFront: what is denied in front of Wye is not reached behind it, however
// it is spelt, and honest rooms are.
func TestDeniedInFront(t *testing.T) {
	t.Parallel()
	for _, d := range denials() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			b := newBehindDenial(t, d.stripped)
			addr := newBed(t, nil).serve(d.front(b.ws))
			b.denied(t, func() *peer { return dial(t, "tcp", addr) }, addr, "/ws/")
			b.honest(t, func() *peer { return dial(t, "tcp", addr) }, addr, "/ws/", d.without)
		})
	}
}

// proxyDenial is a configuration that denies /ws/admin/ and all below it.
type proxyDenial struct {
	name string
	at   testkit.Line
	// start runs the documented configuration with changes.
	start   func(tb testing.TB, server net.Addr, changes ...string) *front
	changes []string
	live    string // where it has /ws/
	without string // as in denial
}

func proxyDenials() []proxyDenial {
	const (
		deny  = "location /ws/admin/ { return 403; }\n    location / {"
		alias = "location /live/admin/ { return 403; }\n    location /live/ {"
	)
	return []proxyDenial{
		{name: "nginx", at: testkit.Here(), start: nginx, changes: []string{"location / {", deny}, live: "/ws/"},
		{name: "nginx, merge_slashes off", at: testkit.Here(), start: nginx, changes: []string{"location / {", "merge_slashes off;\n    " + deny}, live: "/ws/"},
		{name: "nginx, an expression", at: testkit.Here(), start: nginx, changes: []string{"location / {", "location ~ ^/ws/admin/ { return 403; }\n    location / {"}, live: "/ws/"},
		{name: "nginx, an expression, merge_slashes off", at: testkit.Here(), start: nginx, changes: []string{"location / {", "merge_slashes off;\n    location ~ ^/ws/admin/ { return 403; }\n    location / {"}, live: "/ws/"},
		// It decodes what it passes on: %2F becomes a slash.
		{name: "nginx, under another name", at: testkit.Here(), start: nginx, changes: []string{"location / {", alias, "proxy_pass http://wye;", "proxy_pass http://wye/ws/;"}, live: "/live/", without: "%2F"},
		{name: "nginx, under another name, merge_slashes off", at: testkit.Here(), start: nginx, changes: []string{"location / {", "merge_slashes off;\n    " + alias, "proxy_pass http://wye;", "proxy_pass http://wye/ws/;"}, live: "/live/", without: "%2F"},
		{name: "nginx, at the root", at: testkit.Here(), start: nginx, changes: []string{"location / {", alias, "proxy_pass http://wye;", "proxy_pass http://wye/;"}, live: "/live/", without: "%2F"},
		{name: "caddy", at: testkit.Here(), start: caddy, changes: []string{"reverse_proxy", "respond /ws/admin/* 403\n\treverse_proxy"}, live: "/ws/"},
		{name: "caddy, handle", at: testkit.Here(), start: caddy, changes: []string{"\treverse_proxy", "\thandle /ws/admin/* {\n\t\trespond 403\n\t}\n\thandle /ws/* {\n\t\treverse_proxy", "wye.sock", "wye.sock\n\t}"}, live: "/ws/"},
		{name: "caddy, handle_path", at: testkit.Here(), start: caddy, changes: []string{"\treverse_proxy", "\thandle /live/admin/* {\n\t\trespond 403\n\t}\n\thandle_path /live/* {\n\t\treverse_proxy", "wye.sock", "wye.sock\n\t}"}, live: "/live/"},
	}
}

// TestDeniedByProxy is TestDeniedInFront with other programs in front.
func TestDeniedByProxy(t *testing.T) {
	t.Parallel()
	for _, d := range proxyDenials() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			b := newBehindDenial(t, strings.HasSuffix(d.name, "at the root") || strings.HasSuffix(d.name, "handle_path"))
			l := listen(t, "tcp", "127.0.0.1:0")
			newBed(t, nil).serveOn(l, b.ws)
			f := d.start(t, l.Addr(), d.changes...)
			b.denied(t, func() *peer { return f.dial(t) }, f.host(), d.live)
			b.honest(t, func() *peer { return f.dial(t) }, f.host(), d.live, d.without)
		})
	}
}

// TestDeniedBehindAParameter is the document's line for rules of nginx that have a
// parameter before what they deny.
func TestDeniedBehindAParameter(t *testing.T) {
	t.Parallel()
	for _, guarded := range []bool{true, false} {
		var reached atomic.Int64
		admin := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
			reached.Add(1)
			return nil, protocol.NewRejectError(http.StatusTeapot, "the room that is denied")
		})
		ws := websocket.New(router.NewURLRouter(router.Path("ws/<room>/admin/", admin)), &websocket.Options{Logger: slog.New(slog.DiscardHandler)})
		l := listen(t, "tcp", "127.0.0.1:0")
		newBed(t, nil).serveOn(l, ws)
		guard := ""
		if guarded {
			guard = blocks(t, "nginx")[1]
		}
		f := nginx(t, l.Addr(), "location / {", guard+"location ~ ^/ws/[^/]+/admin/ { return 403; }\n    location / {")
		for _, target := range []string{"/ws/a/admin/", "/ws/a%2Fb/admin/", "/ws/a%2fb/admin/?x=1", "/ws/%2F/admin/"} {
			f.dial(t).ask(upgrade(f.host(), target))
		}
		if n := reached.Load(); (n == 0) != guarded {
			t.Errorf("guarded: %v, and the room is reached %d times", guarded, n)
		}
	}
}

// denied asks for all spellings of what is denied, below live.
func (b *behindDenial) denied(t *testing.T, dial func() *peer, host, live string) {
	t.Helper()
	for _, target := range deniedSpellings() {
		target = strings.Replace(strings.Replace(target, "/ws/", live, 1), "example.com", host, 1)
		a := dial().ask(upgrade(host, target))
		if b.reached.Swap(0) != 0 {
			t.Errorf("%s leads to what is denied", target)
		}
		if a.Status >= http.StatusInternalServerError {
			t.Errorf("%s: status %d %q", target, a.Status, a.Body)
		}
	}
	for len(b.rooms) > 0 {
		<-b.rooms
	}
}

// honest asks for the rooms, but for those that have without in them.
func (b *behindDenial) honest(t *testing.T, dial func() *peer, host, live, without string) {
	t.Helper()
	for spelt, want := range honestSpellings() {
		if without != "" && strings.Contains(strings.ToUpper(spelt), without) {
			continue
		}
		a := dial().ask(upgrade(host, live+"rooms/"+spelt+"/"))
		if a.Status != http.StatusTeapot {
			t.Errorf("%s: status %d %q, want the room", spelt, a.Status, a.Body)
			continue
		}
		if got := <-b.rooms; got != want {
			t.Errorf("%s: the room is %q, want %q", spelt, got, want)
		}
	}
}
