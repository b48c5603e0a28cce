package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	p := s.peer(t)
	a := p.Upgrade(websockettest.Request("/"))
	if want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAnswer + "\r\n\r\n"; a.Head != want {
		t.Errorf("got %q, want %q", a.Head, want)
	}
	p.SendText("hello")
	p.WantText("hello")
	p.closes()
}

// TestHandshakeRefusals sends what net/http lets through and Wye must not. Each
// connection is closed behind the answer: what follows may be meant as frames.
func TestHandshakeRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), &websocket.Options{MaxHandshake: 2000})
	rows := []struct {
		at       testkit.Line
		old, now string // what is replaced in a good request
		status   int
		header   http.Header
	}{
		{testkit.Here(), "GET /", "POST /", 405, http.Header{"Allow": {"GET"}}},
		{testkit.Here(), "Upgrade: websocket\r\n", "", 426, http.Header{"Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Connection": {"close", "Upgrade"}}},
		{testkit.Here(), "websocket", "h2c", 426, nil},
		{testkit.Here(), "websocket", "websocket2, h2c", 426, nil},
		{testkit.Here(), "Connection: Upgrade", "Connection: keep-alive", 400, nil},
		{testkit.Here(), "Version: 13", "Version: 12", 426, http.Header{"Sec-Websocket-Version": {"13"}}},
		{testkit.Here(), "Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", 426, nil},
		{testkit.Here(), websockettest.SampleKey, "c2hvcnQ=", 400, nil},
		{testkit.Here(), websockettest.SampleKey, websockettest.SampleKey + "\r\nSec-WebSocket-Key: " + websockettest.SampleKey, 400, nil},
		{testkit.Here(), "Sec-WebSocket-Key: " + websockettest.SampleKey + "\r\n", "", 400, nil},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nX-Long: " + strings.Repeat("x", 2000), 431, nil},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nSec-WebSocket-Protocol: a;b", 400, nil},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nSec-WebSocket-Protocol: chat superchat", 400, nil},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nOrigin: https://evil.example", 403, nil},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nOrigin: https://example.com\r\nOrigin: https://example.com", 403, nil},
	}
	before := s.Stats()
	for _, row := range rows {
		p := s.peer(t)
		a := p.Handshake(strings.Replace(websockettest.Request("/"), row.old, row.now, 1))
		if a.Status != row.status || a.Body == "" {
			t.Errorf("%s: status %d %q, want %d", row.at, a.Status, a.Body, row.status)
			continue
		}
		for name, want := range row.header {
			if got := a.Header[name]; !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q", row.at, name, got, want)
			}
		}
		if got := a.Header["Connection"]; got[0] != "close" {
			t.Errorf("%s: Connection is %q, want close", row.at, got)
		}
		p.WantEnd()
	}
	after := s.Stats()
	if got := sum(after) - sum(before); got != int64(len(rows)) {
		t.Errorf("%d of %d refusals are counted", got, len(rows))
	}
	s.wantLog(t, "refused because of its origin", "https://evil.example")
}

// sum is how many handshakes were refused without the application.
func sum(s websocket.Stats) int64 { //nolint:gocritic // a literal of what is not zero reads best
	return s.Malformed + s.Oversized + s.Unrouted + s.Misdirected + s.Forbidden + s.ShuttingDown + s.Full + s.Crowded + s.RateLimited
}

// TestHandshakeOrder makes sure that what is no good handshake is refused as
// such, whoever sent it: 400 comes before 403, as ServeHTTP says.
func TestHandshakeOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	a := s.peer(t).Handshake(websockettest.Request("/", "Origin: https://evil.example", "Sec-WebSocket-Protocol: a;b"))
	if a.Status != http.StatusBadRequest {
		t.Errorf("status %d %q, want 400", a.Status, a.Body)
	}
}

// TestHandshakeBody makes sure that a body is refused.
func TestHandshakeBody(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	for _, b := range []string{"Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"} {
		a := s.peer(t).Handshake(strings.TrimSuffix(websockettest.Request("/"), "\r\n") + b)
		if a.Status != http.StatusBadRequest {
			t.Errorf("%q: status %d, want 400", b, a.Status)
		}
	}
}

// TestHandshakeIsPatient accepts what is legal and rarely seen.
func TestHandshakeIsPatient(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	rows := []struct {
		at       testkit.Line
		old, now string
	}{
		{testkit.Here(), "Connection: Upgrade", "Connection: keep-alive,\tuPgRaDe"},
		{testkit.Here(), "Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"},
		{testkit.Here(), "Upgrade: websocket", "Upgrade: WebSocket"},
		{testkit.Here(), "Upgrade: websocket", "uPGRADE:websocket"},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nSec-WebSocket-Protocol: "},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nSec-WebSocket-Protocol: ,"},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"},
		{testkit.Here(), "Host: example.com", "Host: example.com\r\nOrigin: https://example.com"},
	}
	for _, row := range rows {
		if a := s.peer(t).Handshake(strings.Replace(websockettest.Request("/"), row.old, row.now, 1)); a.Status != 101 {
			t.Errorf("%s: status %d %q, want 101", row.at, a.Status, a.Body)
		}
	}
}

// TestHandshakeEarlyBytes sends frames in the same packet as the request, of one
// read of net/http and of several.
func TestHandshakeEarlyBytes(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), nil)
	for _, n := range []int{1, 3, 100, 4096, 20000} {
		p := s.peer(t)
		long := strings.Repeat("e", n)
		p.SendBytes([]byte(websockettest.Request("/")), frame(finText, long), frame(finText, "second"), frame(finPing, "third")[:4])
		if a := p.ReadAnswer(); a.Status != 101 {
			t.Fatalf("status %d", a.Status)
		}
		p.WantText(long)
		p.WantText("second")
		p.SendBytes(frame(finPing, "third")[4:])
		p.Want(websockettest.Pong("third"))
	}
}

func TestHandshakeSubprotocol(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{}
	s := serve(t, protocol.ApplicationFunc(func(scope *protocol.Scope) (protocol.Handler, error) {
		offered, choice := scope.Subprotocols(), scope.Query().Get("choose")
		return &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			if want := scope.Query().Get("want"); fmt.Sprint(offered) != want {
				return protocol.NewRejectError(418, fmt.Sprintf("offered %v", offered))
			}
			return c.Accept(&protocol.AcceptOptions{Subprotocol: choice})
		}, OnReceive: app.OnReceive}, nil
	}), nil)
	rows := []struct {
		at           testkit.Line
		choose, want string
		lines        []string
		status       int
		chosen       []string
	}{
		{testkit.Here(), "b", "[a+b+c]", []string{"Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c"}, 101, []string{"b"}},
		{testkit.Here(), "", "[a]", []string{"Sec-WebSocket-Protocol: a"}, 101, nil},
		{testkit.Here(), "", "[]", nil, 101, nil},
		{testkit.Here(), "d", "[a]", []string{"Sec-WebSocket-Protocol: a"}, 500, nil},
		{testkit.Here(), "A", "[a]", []string{"Sec-WebSocket-Protocol: a"}, 500, nil},
		{testkit.Here(), "a", "[]", nil, 500, nil},
	}
	for _, row := range rows {
		a := s.peer(t).Handshake(websockettest.Request("/?choose="+row.choose+"&want="+row.want, row.lines...))
		if got := a.Header["Sec-Websocket-Protocol"]; a.Status != row.status || !slices.Equal(got, row.chosen) {
			t.Errorf("%s: %d %q with %q, want %d with %q", row.at, a.Status, a.Body, got, row.status, row.chosen)
		}
	}
	s.wantLog(t, "was not offered by the peer")
}

// TestHandshakeWildcards takes what http.ServeMux has matched, while the
// connection opens and afterwards.
func TestHandshakeWildcards(t *testing.T) {
	t.Parallel()
	s := newServer(protocol.ApplicationFunc(func(scope *protocol.Scope) (protocol.Handler, error) {
		opening := scope.Param("item")
		return &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			return c.Send(ctx, protocol.Text(opening+"="+scope.Param("item")+" "+scope.Param("rest")+scope.Param("none")))
		}}, nil
	}), nil)
	mux := http.NewServeMux()
	mux.Handle("GET /live/{item}/{rest...}", s.Server)
	s.listen(t, mux)
	p := s.peer(t)
	p.Upgrade(websockettest.Request("/live/a%20b/c/d"))
	p.SendText("?")
	p.WantText("a b=a b c/d")
	if a := s.peer(t).Handshake(websockettest.Request("/other")); a.Status != 404 {
		t.Errorf("another path: status %d, want 404", a.Status)
	}
}

// TestHandshakeTimeout bounds a Connect that waits for its context, and an Open that
// waits for the scope's or for the request's.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for name, app := range map[string]*fakes.Handler{
		"Connect":       {OnConnect: func(ctx context.Context, _ *protocol.Conn) error { return wait(ctx) }},
		"derived":       {OnConnect: func(ctx context.Context, _ *protocol.Conn) error { return waitDerived(ctx) }},
		"Scope.Context": {OnOpen: func(s *protocol.Scope) error { return wait(s.Context()) }},
		"Scope.Request": {OnOpen: func(s *protocol.Scope) error { return wait(s.Request().Context()) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				s := serveOver(t, via, app, &websocket.Options{HandshakeTimeout: 7 * time.Second})
				begun := time.Now()
				if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != http.StatusServiceUnavailable {
					t.Errorf("status %d, want 503", a.Status)
				}
				if d := time.Since(begun); d != 7*time.Second {
					t.Errorf("answered after %v, want 7s", d)
				}
			})
		})
	}
}

// waitDerived waits for the end of a context that is derived from ctx.
func waitDerived(ctx context.Context) error {
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	<-derived.Done()
	return context.Cause(derived)
}

// TestHandshakeRequest: the request of a scope stays the same, and its context ends with
// the handshake, but the request that net/http has passed on is not changed.
func TestHandshakeRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	app := &fakes.Handler{OnOpen: func(s *protocol.Scope) error {
		got = s.Request()
		if got != s.Request() || got != s.WithUser(1).Request() || got.Context() != s.Context() || s.Context().Err() != nil {
			t.Errorf("the requests %p and %p with contexts %v and %v, want one", got, s.Request(), got.Context(), s.Context())
		}
		return protocol.ErrNoRoute
	}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	for _, line := range []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + websockettest.SampleKey} {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	websocket.New(app, nil).ServeHTTP(w, r)
	if w.Code != http.StatusNotFound || got == nil || got == r {
		t.Fatalf("status %d, the request %p, want a copy of %p", w.Code, got, r)
	}
	if got.Context().Err() != context.Canceled || r.Context().Err() != nil { //nolint:err113 // this very value
		t.Errorf("the contexts have ended with %v and %v", got.Context().Err(), r.Context().Err())
	}
}

// TestHandshakeKeepContext makes sure that callbacks see of the request's
// context what they were given, and not its end.
func TestHandshakeKeepContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
		return c.Send(ctx, protocol.Text(fmt.Sprintf("%v %v", ctx.Value(key{}), ctx.Err())))
	}}
	for want, keep := range map[string]func(*http.Request) context.Context{
		"<nil> <nil>": nil,
		"kept <nil>":  func(r *http.Request) context.Context { return context.WithValue(r.Context(), key{}, "kept") },
	} {
		s := serve(t, app, &websocket.Options{KeepContext: keep})
		p := s.open(t)
		p.SendText("?")
		p.WantText(want)
	}
}

// finder is an application that routes "/here".
type finder struct {
	*fakes.Handler
	opened atomic.Int32
}

func (f *finder) Find(s *protocol.Scope) error {
	if s.Path() != "/here" {
		return fmt.Errorf("%w at %q", protocol.ErrNoRoute, s.Path())
	}
	return nil
}

func (f *finder) Open(s *protocol.Scope) (protocol.Handler, error) {
	f.opened.Add(1)
	if err := f.Find(s); err != nil {
		return nil, err
	}
	return f.Handler.Open(s)
}

// TestHandshakeFixedOrder mends one fault of a request after the other: method,
// size, route, version, host, origin, room, and then the application.
func TestHandshakeFixedOrder(t *testing.T) {
	t.Parallel()
	app := &finder{Handler: fakes.Echo()}
	app.OnConnect = func(context.Context, *protocol.Conn) error {
		return protocol.NewRejectError(http.StatusUnauthorized, "who are you?")
	}
	s := newServer(app, &websocket.Options{MaxHeaderLines: 10, Hosts: []string{"example.com"}, Capacity: websocket.Capacity{Conns: 1}})
	s.listen(t, s.Server)
	req := strings.Replace(websockettest.Request("/nowhere", "Origin: https://evil.example", strings.Repeat("X: y\r\n", 10)+"Z: z"), "GET", "POST", 1)
	req = strings.Replace(req, "Version: 13", "Version: 8", 1)
	req = strings.Replace(req, "Host: ", "Host: not.", 1)
	steps := []struct {
		at       testkit.Line
		old, now string // what is mended before
		status   int
	}{
		{testkit.Here(), "", "", 405},
		{testkit.Here(), "POST", "GET", 431},
		{testkit.Here(), strings.Repeat("X: y\r\n", 10), "", 404},
		{testkit.Here(), "/nowhere", "/here", 426},
		{testkit.Here(), "Version: 8", "Version: 13", 421},
		{testkit.Here(), "Host: not.", "Host: ", 403},
		{testkit.Here(), "evil.example", "example.com", 401},
	}
	for _, step := range steps {
		req = strings.Replace(req, step.old, step.now, 1)
		if a := s.peer(t).Handshake(req); a.Status != step.status {
			t.Errorf("%s: status %d %q, want %d", step.at, a.Status, a.Body, step.status)
		}
	}
	if n := app.opened.Load(); n != 1 {
		t.Errorf("the application was opened %d times, want once: when all else was right", n)
	}
	if st := s.Stats(); st.Malformed != 2 || st.Oversized != 1 || st.Unrouted != 1 || st.Misdirected != 1 || st.Forbidden != 1 || st.Refused != 1 {
		t.Errorf("counted %+v", st)
	}
}

// TestHandshakeOptionsSubprotocols chooses by the server's preference when the
// application does not.
func TestHandshakeOptionsSubprotocols(t *testing.T) {
	t.Parallel()
	s := serve(t, fakes.Echo(), &websocket.Options{Subprotocols: []string{"v2.chat", "v1.chat"}})
	own := serve(t, &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
		return c.Accept(&protocol.AcceptOptions{Subprotocol: "v1.chat"})
	}}, &websocket.Options{Subprotocols: []string{"v2.chat"}})
	rows := []struct {
		at            testkit.Line
		s             *server
		offered, want string
	}{
		{testkit.Here(), s, "v1.chat, v2.chat", "v2.chat"},
		{testkit.Here(), s, "v0.chat, v1.chat", "v1.chat"},
		{testkit.Here(), s, "V2.chat", ""},
		{testkit.Here(), s, "", ""},
		{testkit.Here(), own, "v1.chat, v2.chat", "v1.chat"},
	}
	for _, row := range rows {
		a := row.s.peer(t).Upgrade(websockettest.Request("/", "Sec-WebSocket-Protocol: "+row.offered))
		if got := a.Header.Get("Sec-Websocket-Protocol"); got != row.want {
			t.Errorf("%s: chose %q of %q, want %q", row.at, got, row.offered, row.want)
		}
	}
}
