package websocket_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

const (
	maxHandshake     = 32 << 10
	maxHeaderLines   = 100
	handshakeTimeout = 10 * time.Second
)

// headers makes header lines of the request so many, or so many bytes, beside
// those that a handshake has.
func headers(lines, bytes int) []string {
	const ownLines, ownBytes = 4, len("/example.comUpgradewebsocketConnectionUpgradeSec-Websocket-Version13Sec-Websocket-Key" + websockettest.SampleKey)
	if bytes > 0 {
		return []string{"X: " + strings.Repeat("x", bytes-ownBytes-1)}
	}
	all := make([]string, lines-ownLines)
	for i := range all {
		all[i] = fmt.Sprintf("X%d: x", i)
	}
	return all
}

// TestHostileHandshakes are refused with a status, and each by one counter.
func TestHostileHandshakes(t *testing.T) {
	t.Parallel()
	session := func(st protocol.Stats) websocket.Stats { return websocket.Stats{Stats: st} }
	good := websockettest.Request("/")
	rows := map[string]struct {
		request string
		status  int
		stats   websocket.Stats
	}{
		"MaxHandshake, just":   {websockettest.Request("/", headers(0, maxHandshake)...), 101, session(protocol.Stats{})},
		"MaxHandshake":         {websockettest.Request("/", headers(0, maxHandshake+1)...), 431, websocket.Stats{Oversized: 1}},
		"MaxHeaderLines, just": {websockettest.Request("/", headers(maxHeaderLines, 0)...), 101, session(protocol.Stats{})},
		"MaxHeaderLines":       {websockettest.Request("/", headers(maxHeaderLines+1, 0)...), 431, websocket.Stats{Oversized: 1}},
		"one header, repeated": {websockettest.Request("/", strings.Split(strings.Repeat("X: x\n", 97), "\n")[:97]...), 431, websocket.Stats{Oversized: 1}},
		"too large for any":    {websockettest.Request("/", headers(0, 2<<20)...), 431, session(protocol.Stats{})}, // net/http's
		"no GET":               {strings.Replace(good, "GET", "POST", 1), 405, websocket.Stats{Malformed: 1}},
		"HTTP/1.0":             {strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1), 501, websocket.Stats{Malformed: 1}},
		"no upgrade":           {strings.Replace(good, "Upgrade: websocket\r\n", "", 1), 426, websocket.Stats{Malformed: 1}},
		"no key":               {strings.Replace(good, websockettest.SampleKey, "", 1), 400, websocket.Stats{Malformed: 1}},
		"a body":               {websockettest.Request("/", "Content-Length: 4") + "body", 400, websocket.Stats{Malformed: 1}},
		"no route":             {websockettest.Request("/nowhere"), 404, websocket.Stats{Unrouted: 1}},
		"no route, too large":  {websockettest.Request("/nowhere", headers(maxHeaderLines+1, 0)...), 431, websocket.Stats{Oversized: 1}},
		"another origin":       {websockettest.Request("/", "Origin: https://evil.example"), 403, websocket.Stats{Forbidden: 1}},
		"refused by Connect":   {websockettest.Request("/", "X-No: no"), 401, session(protocol.Stats{Refused: 1})},
		"refused, late":        {websockettest.Request("/", "X-No: late"), 503, websocket.Stats{Stats: protocol.Stats{Refused: 1}, Late: 1}},
		"Connect fails":        {websockettest.Request("/", "X-No: fail"), 500, session(protocol.Stats{Refused: 1})},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				app := fakes.Echo()
				s := besiegeBehind(t, via, app, decider{app}, nil, func(h http.Handler) http.Handler { return h })
				begun := time.Now()
				p := s.peer(t)
				p.floods([]byte(row.request), 1)
				a := p.ReadAnswer()
				if a.Status != row.status {
					t.Errorf("status %d %q, want %d", a.Status, a.Body, row.status)
				}
				if row.status == 503 {
					within(t, "refused", time.Since(begun), handshakeTimeout, 0)
				}
				row.stats.Accepted = 1
				if a.Status == 101 {
					row.stats.Accepted = 2
					p.closes()
				}
				s.good.served()
				p.Conn.Close()
				<-time.After(time.Second) // net/http lingers
				s.over(row.stats)
			})
		})
	}
}

// decider is an application with one route that refuses as the request's X-No
// says.
type decider struct{ *fakes.Handler }

func (d decider) Find(s *protocol.Scope) error {
	if s.Path() != "/" {
		return protocol.ErrNoRoute
	}
	return nil
}

func (d decider) Open(s *protocol.Scope) (protocol.Handler, error) {
	no := s.Header().Get("X-No")
	if no == "" {
		return d.Handler, nil
	}
	return &fakes.Handler{OnConnect: func(ctx context.Context, _ *protocol.Conn) error {
		switch no {
		case "late":
			<-ctx.Done()
			return context.Cause(ctx)
		case "patient":
			<-time.After(2 * handshakeTimeout)
		case "fail":
			return fmt.Errorf("no: %w", net.ErrClosed)
		}
		return protocol.NewRejectError(http.StatusUnauthorized, "no")
	}}, nil
}

// TestHostileSlowHeader cuts a peer whose request dribbles in, behind a router and
// an http.Server with a ReadHeaderTimeout. Nothing of it is counted.
func TestHostileSlowHeader(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := newServer(fakes.Echo(), nil)
		l := &websockettest.Listener{}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		srv := &http.Server{ReadHeaderTimeout: 7 * time.Second}
		go func() { served <- router.Serve(ctx, l, srv, router.New(http.NotFoundHandler(), s.Server), time.Second) }()
		p := newPeer(t, l.Dial())
		p.Upgrade(websockettest.Request("/"))
		good := behave(p)
		slow, begun := newPeer(t, l.Dial()), time.Now()
		go slow.dribble([]byte("GET / HT"), []byte("T"), time.Second)
		if b, err := io.ReadAll(slow.In); err != nil || strings.Contains(string(b), "101") {
			t.Errorf("got %q and %v, want to be cut", b, err)
		}
		within(t, "cut", time.Since(begun), 7*time.Second, 0)
		good.served()
		good.closes()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		wantStats(t, s.Server, websocket.Stats{Stats: protocol.Stats{Accepted: 1}})
		if left := websocket.Left(s.Server); left != "" {
			t.Errorf("left behind: %s", left)
		}
		<-time.After(2 * time.Second) // dribble ends
	})
}

// TestHostileUnreadAnswer cuts a peer that does not even read our yes.
func TestHostileUnreadAnswer(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), nil)
		p := s.peer(t)
		p.SendBytes([]byte(websockettest.Request("/")))
		s.accepted++
		s.send(<-s.opened, "and more behind it")
		p.waitsFor(writeTimeout)
		s.ended(1006, false, nil)
		s.over(websocket.Stats{WriteTimeouts: 1})
	})
}
