package matrix_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestMatrix is every router behind every middleware.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, r := range routers() {
		for _, w := range wrappers() {
			t.Run(r.name+" behind "+w.name, func(t *testing.T) {
				t.Parallel()
				t.Logf("%s, %s", r.at, w.at)
				c := newCombination(t, r, w)
				if w.leaves == none || w.leaves == unwrap && r.direct {
					c.cannot(t)
				} else {
					c.can(t)
				}
			})
		}
	}
}

// combination is one server of the matrix.
type combination struct {
	bed    *bed
	addr   string
	router routerRow
}

func newCombination(t *testing.T, r routerRow, w wrapperRow) *combination {
	t.Helper()
	b := newBed(t, nil)
	if r.room != nil {
		b.room = r.room
	}
	return &combination{bed: b, addr: b.serve(w.wrap(r.mount(b))), router: r}
}

// can is what has to work everywhere.
func (c *combination) can(t *testing.T) {
	t.Helper()
	t.Run("talk", c.talk)
	t.Run("early bytes", c.earlyBytes)
	t.Run("one URL for both", c.both)
	t.Run("refused", c.refused)
	t.Run("plain GET", c.plain)
	t.Run("others after it", c.others)
	t.Run("server closes", c.leave)
}

func (c *combination) dial(t *testing.T) *peer { t.Helper(); return dial(t, "tcp", c.addr) }

// talk is a whole conversation. Everything after the handshake is said when the
// handler and all middleware have returned.
func (c *combination) talk(t *testing.T) {
	p := c.dial(t)
	a := p.Upgrade(upgrade(c.addr, "/live/lobby", "Sec-WebSocket-Protocol: chat.v1, chat.v2"))
	if got := a.Header.Get("Set-Cookie"); !strings.HasPrefix(got, seen) {
		t.Errorf("the middleware's Set-Cookie has come as %q, want %q", got, seen)
	}
	if got := a.Header.Get("X-Room"); got != "/live/lobby" {
		t.Errorf("the application's X-Room has come as %q, want /live/lobby", got)
	}
	if got := a.Header.Get("Sec-Websocket-Protocol"); got != "chat.v2" {
		t.Errorf("subprotocol %q, want chat.v2", got)
	}
	if got := a.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("the 101 says Content-Encoding: %s", got)
	}
	testkit.Await(t, c.bed.returned, "the return of the handler")
	p.echo(websockettest.Text("hello"))
	p.echo(websockettest.Binary("\x00\xff"))
	p.echo(websockettest.Text(strings.Repeat("large ", 20_000)))
	p.Send(websockettest.Ping("still there?"))
	p.Want(websockettest.Pong("still there?"))
	p.close(4000, "bye")
	c.wantDisconnect(t, protocol.CloseStatus{Code: 4000, Reason: "bye", Remote: true})
}

func (c *combination) wantDisconnect(t *testing.T, want protocol.CloseStatus) {
	t.Helper()
	if got := testkit.Await(t, c.bed.ended, "Disconnect"); got != want {
		t.Errorf("Disconnect has seen %+v, want %+v", got, want)
	}
}

// earlyBytes says something before the handshake is answered.
func (c *combination) earlyBytes(t *testing.T) {
	p := c.dial(t)
	p.SendBytes([]byte(upgrade(c.addr, "/live/lobby")), websockettest.Text("early").Masked(), websockettest.Binary("birds").Masked())
	if a := p.ReadAnswer(); a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d %q, want 101", a.Status, a.Body)
	}
	p.WantText("early")
	p.Want(websockettest.Binary("birds"))
	testkit.Await(t, c.bed.returned, "the return of the handler")
	p.close(1000, "")
	c.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
}

// both is a URL that has a page and a socket.
func (c *combination) both(t *testing.T) {
	p := c.dial(t)
	a := p.ask(get(c.addr, "/both/lobby"))
	if a.Status != http.StatusOK || a.Body != "a page" || a.Header.Get("Set-Cookie") == "" {
		t.Errorf("the page: status %d %q %v, want 200, \"a page\" and the cookie", a.Status, a.Body, a.Header)
	}
	testkit.Await(t, c.bed.returned, "the return of the page")
	a = p.ask(strings.Replace(get(c.addr, "/both/lobby", "Content-Length: 0"), http.MethodGet, http.MethodPost, 1))
	if a.Status != http.StatusOK || a.Body != "a page" {
		t.Errorf("a form sent to the page: status %d %q, want 200 \"a page\"", a.Status, a.Body)
	}
	testkit.Await(t, c.bed.returned, "the return of the page")
	p.Upgrade(upgrade(c.addr, "/both/lobby")) // on the same connection, as browsers may
	testkit.Await(t, c.bed.returned, "the return of the handler")
	p.echo(websockettest.Text("hello"))
	if got := p.report().Room; got != "lobby" {
		t.Errorf("the socket beside the page is in room %q, want lobby", got)
	}
	p.close(1000, "")
	c.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
}

// refused is the application's refusal, behind which the connection is closed.
func (c *combination) refused(t *testing.T) {
	p := c.dial(t)
	c.refusal(t, p)
	p.WantEnd()
}

func (c *combination) refusal(t *testing.T, p *peer) {
	t.Helper()
	a := p.ask(upgrade(c.addr, "/live/full"))
	if a.Status != http.StatusForbidden || a.Header.Get("X-Why") != "full" || a.Body != full+"\n" {
		t.Errorf("status %d, headers %v, body %.100q; want 403, X-Why: full, and %.100q", a.Status, a.Header, a.Body, full+"\n")
	}
	if got := a.Header.Get("Set-Cookie"); !strings.HasPrefix(got, seen) {
		t.Errorf("the middleware's Set-Cookie has come as %q, want %q", got, seen)
	}
	testkit.Await(t, c.bed.returned, "the return of the handler")
}

// plain is a request that does not ask for WebSocket where nothing else is.
func (c *combination) plain(t *testing.T) {
	a := c.dial(t).ask(get(c.addr, "/live/lobby"))
	if a.Status != http.StatusUpgradeRequired || a.Header.Get("Upgrade") != "websocket" || !strings.Contains(a.Body, "speaks WebSocket") {
		t.Errorf("status %d %v %q, want 426 with Upgrade: websocket and an explanation", a.Status, a.Header, a.Body)
	}
	testkit.Await(t, c.bed.returned, "the return of the handler")
}

// others uses what the first connection's handler may have given back to a pool.
func (c *combination) others(t *testing.T) {
	first := c.dial(t)
	first.Upgrade(upgrade(c.addr, "/live/first"))
	testkit.Await(t, c.bed.returned, "the return of the handler")
	for range 10 {
		c.dial(t).ask(get(c.addr, "/both/other"))
		testkit.Await(t, c.bed.returned, "the return of the page")
		other := c.dial(t)
		other.Upgrade(upgrade(c.addr, "/live/other"))
		testkit.Await(t, c.bed.returned, "the return of the handler")
		c.wantReport(t, first, "first")
		c.wantReport(t, other, "other")
		other.close(1000, "")
		c.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
	}
	first.close(1000, "")
	c.wantDisconnect(t, protocol.CloseStatus{Code: 1000, Remote: true})
}

// wantReport fails the test if a connection sees anything but its own, or still
// has the request.
func (c *combination) wantReport(t *testing.T, p *peer, room string) {
	t.Helper()
	want := report{Room: room, Again: room, Mark: "marked", Path: "/live/" + room, Peer: p.Conn.LocalAddr().String()}
	if c.router.kept {
		want.Param = room
	}
	if got := p.report(); got != want {
		t.Fatalf("the connection to room %s reports %+v, want %+v", room, got, want)
	}
}

// leave is the server's close.
func (c *combination) leave(t *testing.T) {
	p := c.dial(t)
	p.Upgrade(upgrade(c.addr, "/live/lobby"))
	testkit.Await(t, c.bed.returned, "the return of the handler")
	p.SendText("leave")
	p.wantClosed(4321, "as you wish")
	c.wantDisconnect(t, protocol.CloseStatus{Code: 4321, Reason: "as you wish"})
}

// cannot is what is left where middleware keeps the connection to itself: the
// log says why, and everything else works.
func (c *combination) cannot(t *testing.T) {
	t.Helper()
	a := c.dial(t).ask(upgrade(c.addr, "/live/lobby"))
	want, body := http.StatusInternalServerError, "Internal Server Error\n"
	if c.router.lost {
		want = http.StatusOK
	}
	if a.Status != want || a.Body != body {
		t.Errorf("status %d %q, want %d %q", a.Status, a.Body, want, body)
	}
	testkit.Await(t, c.bed.returned, "the return of the handler")
	for _, want := range []string{
		"level=ERROR", "the connection cannot be taken over from net/http", "a middleware in front wraps the ResponseWriter", "path=/live/lobby",
	} {
		if !strings.Contains(c.bed.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, c.bed.log)
		}
	}
	c.refusal(t, c.dial(t))
	t.Run("plain GET", c.plain)
	if s := c.bed.ws.Stats(); s.Accepted != 0 {
		t.Errorf("%d connections were accepted", s.Accepted)
	}
}
