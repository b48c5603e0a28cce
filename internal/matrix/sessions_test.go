package matrix_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestSessions is every session library in front of every router.
func TestSessions(t *testing.T) {
	t.Parallel()
	for _, l := range sessionLibs() {
		for _, r := range routers() {
			t.Run(l.name+" in front of "+r.name, func(t *testing.T) {
				t.Parallel()
				t.Logf("%s, %s", l.at, r.at)
				s := newSessionBed(t, l, r)
				t.Run("seen", s.seen)
				t.Run("changed", s.changed)
				t.Run("cookie from Connect", s.cookie)
				t.Run("cookie from the middle", s.middle)
				t.Run("refused", s.refused)
			})
		}
	}
}

// sessionBed is a server of which the page puts what it is asked to into the
// session and says what is there, and the socket does what its room is called.
type sessionBed struct {
	combination
	row sessionRow
	lib sessionLib
	got chan string // what Connect has seen
}

func newSessionBed(t *testing.T, l sessionRow, r routerRow) *sessionBed {
	t.Helper()
	s := &sessionBed{row: l, lib: l.make(), got: make(chan string, 1)}
	s.bed, s.router = newBed(t, nil), r
	s.bed.page, s.bed.connect = s.page, s.connect
	s.addr = s.bed.serve(s.lib.inFront(s.before(r.mount(s.bed))))
	return s
}

func (s *sessionBed) page(w http.ResponseWriter, r *http.Request) {
	if name := r.URL.Query().Get("put"); name != "" {
		s.lib.put(r.Context(), r, name)
		if err := s.lib.save(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	_, _ = io.WriteString(w, "it is "+s.lib.get(r.Context(), r))
}

// before is middleware between the library and the router.
func (s *sessionBed) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/middle") {
			s.lib.put(r.Context(), r, "Mia")
			if err := s.lib.cookie(w, r); err != nil {
				s.bed.tb.Error(err)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *sessionBed) connect(ctx context.Context, scope *protocol.Scope, o *protocol.AcceptOptions) error {
	r := scope.Request()
	s.got <- s.lib.get(ctx, r)
	switch path.Base(scope.Path()) {
	case "change":
		s.lib.put(ctx, r, "Changed")
	case "cookie":
		s.lib.put(ctx, r, "Cookie")
		return s.lib.cookie(headers(o.Header), r)
	case "refuse":
		s.lib.put(ctx, r, "Refused")
		return protocol.NewRejectError(http.StatusForbidden, "no")
	}
	return nil
}

// ask makes a request, and returns the answer and the session's cookie in it.
func (s *sessionBed) ask(t *testing.T, request func(host, path string, lines ...string) string, path, cookie string) (websockettest.Answer, string) {
	t.Helper()
	p := s.dial(t)
	a := p.ask(request(s.addr, path, "Cookie: "+cookie))
	testkit.Await(t, s.bed.returned, "the return of the handler")
	if a.Status == http.StatusSwitchingProtocols {
		p.echo(websockettest.Text("hello"))
		p.close(1000, "")
		s.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
	}
	for _, line := range a.Header["Set-Cookie"] {
		if set, err := http.ParseSetCookie(line); err == nil && set.Name == "session" {
			return a, "session=" + set.Value
		}
	}
	return a, ""
}

// login is a plain request that puts name into a new session.
func (s *sessionBed) login(t *testing.T, name string) (cookie string) {
	t.Helper()
	a, cookie := s.ask(t, get, "/both/page?put="+name, "")
	if a.Status != http.StatusOK || a.Body != "it is "+name || cookie == "" {
		t.Fatalf("login: status %d %q, cookie %q", a.Status, a.Body, cookie)
	}
	return cookie
}

// open opens a socket, which must have been told name by its session. It returns
// the cookie that was set on the way.
func (s *sessionBed) open(t *testing.T, path, cookie, name string) string {
	t.Helper()
	a, set := s.ask(t, upgrade, path, cookie)
	if a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("%s: status %d %q, want 101", path, a.Status, a.Body)
	}
	if got := testkit.Await(t, s.got, "Connect"); got != name {
		t.Errorf("%s: Connect has found %q in the session, want %q", path, got, name)
	}
	return set
}

// wantPage fails the test if the page finds another name in the session.
func (s *sessionBed) wantPage(t *testing.T, cookie, name string) {
	t.Helper()
	if a, _ := s.ask(t, get, "/both/page", cookie); a.Body != "it is "+name {
		t.Errorf("the page says %d %q, want %q", a.Status, a.Body, "it is "+name)
	}
}

// seen: Connect sees what a plain request has put there, and nobody else's.
func (s *sessionBed) seen(t *testing.T) {
	ann, bob := s.login(t, "Ann"), s.login(t, "Bob")
	for _, path := range []string{"/live/lobby", "/both/lobby"} {
		for cookie, name := range map[string]string{ann: "Ann", bob: "Bob", "": "", "session=made-up": ""} {
			if set := s.open(t, path, cookie, name); set != "" {
				t.Errorf("a session that nobody has changed sets the cookie %q", set)
			}
		}
	}
}

// changed: a change in Connect is saved by who saves by himself, when the answer
// has been given.
func (s *sessionBed) changed(t *testing.T) {
	ann := s.login(t, "Ann")
	if set := s.open(t, "/live/change", ann, "Ann"); set != "" {
		t.Errorf("the cookie %q has come with the 101; it can be documented", set)
	}
	if s.row.itself {
		s.wantPage(t, ann, "Changed")
	} else {
		s.wantPage(t, ann, "Ann")
	}
}

// cookie: Connect has saved the session, and given the cookie to AcceptOptions.
func (s *sessionBed) cookie(t *testing.T) {
	for _, before := range []string{"", "Ann"} {
		cookie := ""
		if before != "" {
			cookie = s.login(t, before)
		}
		set := s.open(t, "/live/cookie", cookie, before)
		if set == "" {
			t.Fatal("no cookie has come with the 101")
		}
		s.wantPage(t, set, "Cookie")
	}
}

// middle: middleware in front of the socket has saved the session.
func (s *sessionBed) middle(t *testing.T) {
	set := s.open(t, "/live/middle", "", "Mia")
	if set == "" {
		t.Fatal("no cookie has come with the 101")
	}
	s.wantPage(t, set, "Mia")
}

// refused: a refusal is a plain answer, and the cookie comes with it where the
// library sets it by itself.
func (s *sessionBed) refused(t *testing.T) {
	a, set := s.ask(t, upgrade, "/live/refuse", "")
	testkit.Await(t, s.got, "Connect")
	if a.Status != http.StatusForbidden || (set != "") != s.row.itself {
		t.Errorf("status %d, cookie %q, want 403, and a cookie: %t", a.Status, set, s.row.itself)
	}
	if set != "" {
		s.wantPage(t, set, "Refused")
	}
}

// brokenStore cannot save.
type brokenStore struct{ *memstore.MemStore }

func (brokenStore) Commit(string, []byte, time.Time) error { return errors.New("the disk is full") }

// TestSessionNotSaved: scs finds out that it cannot save when the connection is
// not net/http's any more. Its answer goes nowhere, and the connection lives.
func TestSessionNotSaved(t *testing.T) {
	t.Parallel()
	b, m := newBed(t, nil), newSCS()
	m.Store = brokenStore{memstore.NewWithCleanupInterval(0)}
	b.connect = func(ctx context.Context, _ *protocol.Scope, _ *protocol.AcceptOptions) error {
		m.Put(ctx, "name", "Ann")
		return nil
	}
	addr := b.serve(m.LoadAndSave(b.mux()))
	p := dial(t, "tcp", addr)
	p.Upgrade(upgrade(addr, "/live/lobby"))
	testkit.Await(t, b.returned, "the return of the handler")
	p.echo(websockettest.Text("hello"))
	p.close(1000, "")
	if want := "on hijacked connection"; !strings.Contains(b.log.String(), want) {
		t.Errorf("net/http's log does not say %q:\n%s", want, b.log)
	}
}

// TestSessionInFunction: a function finds the session in its scope, until it has
// accepted. Its ctx is the connection's, and has nothing of the request.
func TestSessionInFunction(t *testing.T) {
	t.Parallel()
	b, m := newBed(t, nil), newSCS()
	server := websocket.Handler(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		name := m.GetString(s.Scope().Context(), "name")
		if err := s.SendText(ctx, name); err != nil {
			return err
		}
		for _, err := range s.Messages(ctx) { // the peer has been answered
			if err == nil && (s.Scope().Request() != nil || ctx.Value(markKey{}) != nil) {
				return errors.New("the request is still there")
			}
			return err
		}
		return nil
	}))
	addr := b.serve(m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "name", "Ann")
		server.ServeHTTP(w, r)
	})))
	p := dial(t, "tcp", addr)
	p.Upgrade(upgrade(addr, "/"))
	p.WantText("Ann")
	p.SendText("hello")
	p.wantClosed(1000, "")
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
