package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// refusalSite is a program that refuses for every reason there is, each at a path
// of its own, and one plain page.
type refusalSite struct {
	http.Handler
	page atomic.Int32 // how often it was served
}

const pageRequest = "GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"

func newRefusalSite(tb testing.TB) *refusalSite {
	tb.Helper()
	quiet := slog.New(slog.DiscardHandler)
	server := func(app protocol.Application, o websocket.Options) *websocket.Server {
		o.Logger = quiet
		return websocket.New(app, &o)
	}
	connect := func(err error) protocol.Application {
		return &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return err }}
	}
	nobody := router.Auth(func(context.Context, *protocol.Scope) (int, error) { return 0, router.ErrUnauthenticated })
	mux, s := http.NewServeMux(), &refusalSite{}
	mux.Handle("/ws/", server(router.NewURLRouter(router.RePath("^ws/$", connect(protocol.NewRejectError(401, "who are you?")))), websocket.Options{}))
	mux.Handle("/open/", server(&fakes.Handler{OnOpen: func(*protocol.Scope) error { return protocol.NewRejectError(402, "pay") }}, websocket.Options{}))
	mux.Handle("/close/", server(connect(protocol.NewCloseError(4000, "no")), websocket.Options{}))
	mux.Handle("/host/", server(fakes.Echo(), websocket.Options{Hosts: []string{"example.org"}}))
	mux.Handle("/fails/", server(connect(errors.New("a fault")), websocket.Options{}))
	mux.Handle("/panics/", server(&fakes.Handler{OnOpen: func(*protocol.Scope) error { panic("a fault") }}, websocket.Options{}))
	mux.Handle("/moved/", server(&fakes.Handler{OnOpen: func(*protocol.Scope) error {
		return &protocol.RejectError{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"/ws/"}}}
	}}, websocket.Options{}))
	mux.Handle("/auth/", server(nobody(fakes.Echo()), websocket.Options{}))
	most := router.MaxConns(1)
	mux.Handle("/route/", server(most(most(fakes.Echo())), websocket.Options{})) // the second one has no place left
	over := server(fakes.Echo(), websocket.Options{})
	if err := over.Shutdown(tb.Context()); err != nil {
		tb.Error(err)
	}
	mux.Handle("/over/", over)
	mux.Handle("/other/", router.New(nil, server(fakes.Echo(), websocket.Options{})))
	mux.Handle("/middleware/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol.AsRejectError(protocol.NewRejectError(410, "gone")).ServeHTTP(w, r)
	}))
	mux.Handle("/page", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.page.Add(1) }))
	s.Handler = mux
	return s
}

type refusalRow struct {
	at       testkit.Line
	path     string
	old, now string // what is replaced in a good request
	status   int
}

// refusalRows are all reasons to refuse, in the order of ServeHTTP's checks.
func refusalRows() []refusalRow {
	return []refusalRow{
		{testkit.Here(), "/ws/", "GET", "POST", 405},
		{testkit.Here(), "/ws/", "HTTP/1.1", "HTTP/1.0", 501},
		{testkit.Here(), "/ws/", "Host:", "X-Long: " + strings.Repeat("x", 40<<10) + "\r\nHost:", 431},
		{testkit.Here(), "/ws/nowhere/", "", "", 404},
		{testkit.Here(), "/ws/nowhere/", "GET", "PUT", 405},
		{testkit.Here(), "/ws/", "Upgrade: websocket\r\n", "", 426},
		{testkit.Here(), "/ws/", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "", 426}, // a browser's address line
		{testkit.Here(), "/ws/nowhere/", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "", 404},
		{testkit.Here(), "/ws/", "Version: 13", "Version: 8", 426},
		{testkit.Here(), "/ws/", "Connection: Upgrade", "Connection: keep-alive", 400},
		{testkit.Here(), "/ws/", websockettest.SampleKey, "c2hvcnQ=", 400},
		{testkit.Here(), "/ws/", "Host:", "Origin: https://evil.example\r\nHost:", 403},
		{testkit.Here(), "/host/", "", "", 421},
		{testkit.Here(), "/over/", "", "", 503},
		{testkit.Here(), "/ws/", "", "", 401},
		{testkit.Here(), "/open/", "", "", 402},
		{testkit.Here(), "/close/", "", "", 403},
		{testkit.Here(), "/fails/", "", "", 500},
		{testkit.Here(), "/panics/", "", "", 500},
		{testkit.Here(), "/moved/", "", "", 307},
		{testkit.Here(), "/auth/", "", "", 401},
		{testkit.Here(), "/route/", "", "", 503},
		{testkit.Here(), "/other/", "websocket", "h2c", 404},
		{testkit.Here(), "/other/", "GET", "POST", 405},
		{testkit.Here(), "/middleware/", "", "", 410},
	}
}

// rests are what follows the headers of a request that is refused: lines, and what
// is behind them. Whatever declares a body is 400 where nothing else is the matter.
func rests() map[string][2]string {
	return map[string][2]string{
		"nothing":             {"", ""},
		"a second request":    {"", pageRequest},
		"frames":              {"", string(frame(finText, "GET /page HTTP/1.1\r\n\r\n"))},
		"Content-Length: 5":   {"Content-Length: 5\r\n", ""},
		"most of a body":      {"Content-Length: 5\r\n", "body"},
		"a body":              {"Content-Length: 5\r\n", "body!" + pageRequest},
		"a huge body":         {"Content-Length: 1000000000000\r\n", "body"},
		"chunked":             {"Transfer-Encoding: chunked\r\n", ""},
		"half a chunk":        {"Transfer-Encoding: chunked\r\n", "8\r\nhalf"},
		"all chunks":          {"Transfer-Encoding: chunked\r\n", "4\r\nbody\r\n0\r\n\r\n" + pageRequest},
		"Expect":              {"Expect: 100-continue\r\nContent-Length: 5\r\n", ""},
		"Expect, and chunked": {"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", ""},
	}
}

// request is the row's, with a rest, and the statuses that would do.
func (row *refusalRow) request(rest [2]string) (raw string, statuses []int) {
	raw = strings.Replace(websockettest.Request(row.path), row.old, row.now, 1)
	raw = strings.TrimSuffix(raw, "\r\n") + rest[0] + "\r\n" + rest[1]
	return raw, []int{row.status, http.StatusBadRequest}[:1+min(1, len(rest[0]))]
}

// checkRefused looks at all that was sent until the connection was closed.
func checkRefused(raw []byte, statuses []int) (problem string) {
	br := bufio.NewReader(bytes.NewReader(raw))
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	switch {
	case err != nil || len(body) == 0:
		return "the body is broken"
	case resp.StatusCode != statuses[0] && resp.StatusCode != statuses[len(statuses)-1]:
		return "the status is another"
	case !resp.Close: // HTTP/1.0 or Connection: close
		return "the answer does not close the connection"
	case resp.StatusCode == http.StatusUpgradeRequired && !bytes.Contains(raw, []byte("\r\nConnection: close\r\nConnection: Upgrade\r\n")):
		return "the answer has Upgrade without Connection: Upgrade"
	case br.Buffered() > 0:
		return "there is a second answer"
	}
	return ""
}

// TestRefusalsAnswerAndClose refuses for every reason, whatever the request has
// behind it: the answer comes at once, the connection is closed soon, and nothing
// more is served.
func TestRefusalsAnswerAndClose(t *testing.T) {
	t.Parallel()
	for name, rest := range rests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				site := newRefusalSite(t)
				s := newServer(fakes.Echo(), nil)
				s.listenOver(t, via, site)
				for _, row := range refusalRows() {
					raw, statuses := row.request(rest)
					nc, begun := s.dial(), time.Now()
					sent := make(chan struct{})
					go func() { defer close(sent); _, _ = nc.Write([]byte(raw)) }()
					br := bufio.NewReader(nc)
					if _, err := br.Peek(1); err != nil || time.Since(begun) > 0 {
						t.Errorf("%s: answered after %v, %v; want at once", row.at, time.Since(begun), err)
					}
					all, err := io.ReadAll(br)
					if problem := checkRefused(all, statuses); problem != "" || err != nil {
						t.Errorf("%s: got %q and %v, want %d: %s", row.at, all, err, statuses, problem)
					}
					if took := time.Since(begun); took > 2*time.Second {
						t.Errorf("%s: closed after %v", row.at, took)
					}
					nc.Close()
					<-sent
				}
				if n := site.page.Load(); n > 0 {
					t.Errorf("%d requests behind a refused one were served", n)
				}
			})
		})
	}
}

// TestRefusalsOnSockets is the same where a reset could eat the answer.
func TestRefusalsOnSockets(t *testing.T) {
	t.Parallel()
	site := newRefusalSite(t)
	s := newServer(fakes.Echo(), nil)
	s.listen(t, site)
	type try struct {
		what     string
		nc       net.Conn
		statuses []int
	}
	var all []try
	for name, rest := range rests() {
		for _, row := range refusalRows() {
			raw, statuses := row.request(rest)
			p := s.peer(t)
			p.SendBytes([]byte(raw))
			all = append(all, try{string(row.at) + ", " + name, p.Conn, statuses})
		}
	}
	for _, it := range all {
		raw, err := io.ReadAll(it.nc)
		if problem := checkRefused(raw, it.statuses); problem != "" || err != nil {
			t.Errorf("%s: got %q and %v, want %d: %s", it.what, raw, err, it.statuses, problem)
		}
	}
	if n := site.page.Load(); n > 0 {
		t.Errorf("%d requests behind a refused one were served", n)
	}
}
