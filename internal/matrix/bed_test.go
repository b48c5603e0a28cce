package matrix_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// full is the text of a refusal, long enough for every middleware to compress it.
//
//nolint:gochecknoglobals // a constant that is made
var full = strings.Repeat("there is no room in here; ", 200)

// markKey is the context key of what middleware in front of Wye has found out.
type markKey struct{}

// bed is what every router and proxy of the matrix has behind it: a room that
// echoes at /live/{room}, the same beside a plain page at /both/{room}, and the
// means to see what becomes of it.
type bed struct {
	tb   testing.TB
	ws   *websocket.Server
	both http.Handler
	log  *testkit.Buffer

	// What a test may change before the first request.
	room    func(*protocol.Scope) string                                          // how a consumer gets its room
	page    http.HandlerFunc                                                      // the plain page
	connect func(context.Context, *protocol.Scope, *protocol.AcceptOptions) error // is called in Connect

	wrapped bool // connections are, by TLS for example, so that no loop can run them

	returned chan struct{}             // one for every request whose handler has returned
	ended    chan protocol.CloseStatus // one for every Disconnect
}

func newBed(tb testing.TB, opts *websocket.Options) *bed {
	tb.Helper()
	b := &bed{
		tb:       tb,
		log:      &testkit.Buffer{},
		room:     byParam,
		page:     page,
		connect:  nothing,
		returned: make(chan struct{}, 1000),
		ended:    make(chan protocol.CloseStatus, 100),
	}
	var o websocket.Options
	if opts != nil {
		o = *opts
	}
	o.Logger = slog.New(slog.NewTextHandler(b.log, nil))
	if runtime.GOOS == "linux" {
		o.Engine = websocket.EngineLoop
	}
	b.ws = websocket.New(consumer.New(func(s *consumer.Scope) *guest {
		return &guest{bed: b, scope: s, room: b.room(s), offered: s.Subprotocols()}
	}), &o)
	b.both = router.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.page(w, r) }), b.ws)
	tb.Cleanup(b.shutdown)
	return b
}

// page is the plain handler that shares a URL with a socket.
func page(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a page") }

func byParam(s *protocol.Scope) string { return s.Param("room") }

func nothing(context.Context, *protocol.Scope, *protocol.AcceptOptions) error { return nil }

// shutdown fails the test if a connection does not end.
func (b *bed) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), patience/3)
	defer cancel()
	if err := b.ws.Shutdown(ctx); err != nil {
		b.tb.Errorf("shutdown: %v", err)
	}
	if n := b.ws.Stats().Open; n != 0 {
		b.tb.Errorf("after shutdown, %d connections are open", n)
	}
	if offLoop := strings.Contains(b.log.String(), "cannot be on an event loop"); offLoop && !b.wrapped {
		b.tb.Errorf("a connection was not on a loop:\n%s", b.log.String())
	}
}

// watched is h with a mark in the context of its requests; its returns are
// counted.
func (b *bed) watched(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { b.returned <- struct{}{} }()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), markKey{}, "marked")))
	})
}

// serve serves h on the loopback, and returns its address.
func (b *bed) serve(h http.Handler) (addr string) {
	b.tb.Helper()
	srv := httptest.NewUnstartedServer(b.watched(h))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(b.log, nil), slog.LevelError)
	srv.Start()
	b.tb.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// serveOn serves h on l.
func (b *bed) serveOn(l net.Listener, h http.Handler) {
	b.tb.Helper()
	srv := &http.Server{Handler: b.watched(h), ReadHeaderTimeout: patience}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = srv.Serve(l)
	}()
	b.tb.Cleanup(func() {
		_ = srv.Close()
		<-over
	})
}

// mux is the rooms without anything in front.
func (b *bed) mux() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /live/{room}", b.ws)
	mux.Handle("/both/{room}", b.both)
	return mux
}

// guest is the consumer. It keeps its scope, as nobody should, so that the tests
// see what is left of it.
type guest struct {
	consumer.Base
	bed     *bed
	scope   *consumer.Scope
	room    string // taken when it should be
	again   string // taken in Connect
	offered []string
	mark    any
}

func (g *guest) Connect(ctx context.Context, c *consumer.Conn) error {
	g.mark, g.again = ctx.Value(markKey{}), g.bed.room(g.scope)
	if strings.HasSuffix(g.scope.Path(), "/full") {
		return &protocol.RejectError{Status: http.StatusForbidden, Body: full, Header: http.Header{"X-Why": {"full"}}}
	}
	o := &protocol.AcceptOptions{Header: http.Header{"X-Room": {g.scope.Path()}}}
	if len(g.offered) > 0 {
		o.Subprotocol = g.offered[len(g.offered)-1]
	}
	if err := g.bed.connect(ctx, g.scope, o); err != nil {
		return err
	}
	return c.Accept(o)
}

// report is what a guest knows when it is asked.
type report struct {
	Room  string `json:"room"`  // as the factory saw it
	Again string `json:"again"` // as Connect saw it
	Param string `json:"param"` // as Scope.Param has it now
	Mark  string `json:"mark"`  // as Connect saw it
	Path  string `json:"path"`
	Peer  string `json:"peer"`

	// The request, and its context's values, are still there.
	Request   bool `json:"request"`
	MarkLater bool `json:"mark_later"`
}

// Receive echoes, and does what a few words say.
func (g *guest) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	switch m.Text() {
	case "report":
		mark, _ := g.mark.(string)
		return c.SendJSON(ctx, report{
			Room: g.room, Again: g.again, Param: g.scope.Param("room"), Mark: mark, Path: g.scope.Path(), Peer: g.scope.RemoteAddr(),
			Request:   g.scope.Request() != nil,
			MarkLater: g.scope.Context().Value(markKey{}) != nil || ctx.Value(markKey{}) != nil,
		})
	case "leave":
		return protocol.NewCloseError(4321, "as you wish")
	}
	return c.Send(ctx, m)
}

func (g *guest) Disconnect(_ context.Context, _ *consumer.Conn, s consumer.CloseStatus) {
	g.bed.ended <- s
}

// report asks the guest at the other end.
func (p *peer) report() report {
	p.tb.Helper()
	p.SendText("report")
	var r report
	if err := json.Unmarshal([]byte(p.Text()), &r); err != nil {
		p.tb.Fatalf("the report: %v", err)
	}
	return r
}
