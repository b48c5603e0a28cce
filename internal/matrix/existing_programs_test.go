package matrix_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestExisting uses each program of docs/existing-program.md.
func TestExisting(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string // the item too: all programs share the layer of the process
		at   testkit.Line
		with func(*websocket.Server) http.Handler
	}{
		{"ServeMux", testkit.Here(), withServeMux},
		{"chi", testkit.Here(), withChi},
		{"gin", testkit.Here(), withGin},
		{"echo", testkit.Here(), withEcho},
		{"echo4", testkit.Here(), withEcho4},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			t.Log(row.at)
			live := newLive()
			server := httptest.NewServer(row.with(live))
			defer server.Close()
			useProgram(t, server.Listener.Addr().String(), row.name)
			end(t, server.Config, live)
		})
	}
}

// useProgram looks at an item, and changes its price.
func useProgram(t *testing.T, addr, item string) {
	t.Helper()
	if a := dial(t, "tcp", addr).ask(get(addr, "/items/"+item)); a.Status != http.StatusOK || a.Body != "a page about "+item {
		t.Errorf("the page: %d %q", a.Status, a.Body)
	}
	for _, path := range []string{"/live/", "/items/"} {
		a := dial(t, "tcp", addr).ask(upgrade(addr, path+item))
		if a.Status != http.StatusUnauthorized || a.Body != "log in first\n" {
			t.Errorf("%s without a cookie: %d %q, want 401", path, a.Status, a.Body)
		}
	}
	viewers := []*peer{viewAs(t, addr, "/live/", item, "Ann"), viewAs(t, addr, "/items/", item, "Bob")}
	post := "POST /items/" + item + "?price=2.90 HTTP/1.1\r\nHost: " + addr + "\r\nContent-Length: 0\r\n\r\n"
	if a := dial(t, "tcp", addr).ask(post); a.Status != http.StatusOK {
		t.Errorf("setting the price: %d %q", a.Status, a.Body)
	}
	for _, v := range viewers {
		v.WantText(item + " costs 2.90")
	}
	viewers[0].hangUp()
	viewers[1].hangUp()
}

// viewAs opens a socket with a login.
func viewAs(t *testing.T, addr, path, item, user string) *peer {
	t.Helper()
	p := dial(t, "tcp", addr)
	p.Upgrade(upgrade(addr, path+item, "Cookie: user="+user))
	p.WantText(user + " looks at " + item)
	return p
}

// end stops a program while somebody looks.
func end(t *testing.T, srv *http.Server, live *websocket.Server) {
	t.Helper()
	mux := httptest.NewServer(withServeMux(live))
	defer mux.Close()
	p := viewAs(t, mux.Listener.Addr().String(), "/live/", "last", "Ann")
	over := make(chan error, 1)
	go func() { over <- stop(t.Context(), srv, live) }()
	p.wantClosed(1001, "the server is shutting down")
	if err := testkit.Await(t, over, "the end of the program"); err != nil {
		t.Error(err)
	}
}

// TestExistingRun is a program from its start to its end.
func TestExistingRun(t *testing.T) {
	t.Parallel()
	live, addr, over := newLive(), freeAddr(t), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { over <- run(ctx, addr, withServeMux(live), live) }()
	until(t, func() bool { return listens(t, "tcp", addr) }, over)
	p := viewAs(t, addr, "/items/", "run", "Ann")
	cancel()
	p.wantClosed(1001, "the server is shutting down")
	if err := testkit.Await(t, over, "the end of the program"); err != nil {
		t.Error(err)
	}
}

// TestExistingAccessLog is what middleware sees of a socket.
func TestExistingAccessLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	handler, returned := accessLog(logger, withServeMux(newLive())), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		returned <- struct{}{}
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	dial(t, "tcp", addr).ask(upgrade(addr, "/live/log"))
	testkit.Await(t, returned, "the return of the handler")
	p := viewAs(t, addr, "/live/", "log", "Ann")
	testkit.Await(t, returned, "the return of the handler") // while the socket is open
	const want = "level=INFO msg=served path=/live/log status=401\nlevel=INFO msg=served path=/live/log status=200\n"
	if got := log.String(); got != want {
		t.Errorf("the access log has %q, want %q", got, want)
	}
	p.hangUp()
}

// TestExistingLog is a connection's end in the log.
func TestExistingLog(t *testing.T) {
	t.Parallel()
	log := &testkit.Buffer{}
	live := newLoggedLive(slog.New(slog.NewTextHandler(log, nil)))
	server := httptest.NewServer(withServeMux(live))
	defer server.Close()
	viewAs(t, server.Listener.Addr().String(), "/live/", "logged", "Ann").hangUp()
	if err := live.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "path=/live/logged") || !strings.Contains(got, "duration=") || !strings.Contains(got, "code=") {
		t.Errorf("the log does not have the connection's end:\n%s", got)
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// TestExistingTimeout is TimeoutHandler where it does no harm.
func TestExistingTimeout(t *testing.T) {
	t.Parallel()
	live := newLive()
	server := httptest.NewServer(login(withTimeout(http.HandlerFunc(page), live)))
	defer server.Close()
	addr := server.Listener.Addr().String()
	if a := dial(t, "tcp", addr).ask(get(addr, "/")); a.Body != "a page" {
		t.Errorf("the page: %d %q", a.Status, a.Body)
	}
	viewAs(t, addr, "/live/", "timeout", "Ann").hangUp()
}

// TestExistingSession logs in and out with a session library.
func TestExistingSession(t *testing.T) {
	t.Parallel()
	sessions := newSCS()
	pages := http.NewServeMux()
	pages.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) { sessions.Put(r.Context(), "user", "Ann") })
	pages.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) { sessions.Remove(r.Context(), "user") })
	addr := newBed(t, nil).serve(withSessions(sessions, pages))
	post := func(path, cookie string) websockettest.Answer {
		return dial(t, "tcp", addr).ask("POST " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nCookie: " + cookie + "\r\nContent-Length: 0\r\n\r\n")
	}

	if a := dial(t, "tcp", addr).ask(upgrade(addr, "/live")); a.Status != http.StatusUnauthorized {
		t.Errorf("without a session: %d %q, want 401", a.Status, a.Body)
	}
	cookie, _, _ := strings.Cut(post("/login", "").Header.Get("Set-Cookie"), ";")
	p := dial(t, "tcp", addr)
	p.Upgrade(upgrade(addr, "/live", "Cookie: "+cookie))
	p.SendText("hello")
	p.WantText("Ann: hello")
	post("/logout", cookie)
	p.SendText("hello?")
	p.wantClosed(4001, "you have logged out")
}
