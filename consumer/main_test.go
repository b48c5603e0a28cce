package consumer_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// stub is a consumer whose callbacks call the test's functions. For a nil function it does
// what Base does.
type stub struct {
	consumer.Base
	connect    func(ctx context.Context, c *consumer.Conn) error
	receive    func(ctx context.Context, c *consumer.Conn, m consumer.Message) error
	disconnect func(ctx context.Context, c *consumer.Conn, s consumer.CloseStatus)
}

func (s *stub) Connect(ctx context.Context, c *consumer.Conn) error {
	if s.connect == nil {
		return s.Base.Connect(ctx, c)
	}
	return s.connect(ctx, c)
}

func (s *stub) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	if s.receive == nil {
		return s.Base.Receive(ctx, c, m)
	}
	return s.receive(ctx, c, m)
}

func (s *stub) Disconnect(ctx context.Context, c *consumer.Conn, st consumer.CloseStatus) {
	if s.disconnect == nil {
		s.Base.Disconnect(ctx, c, st)
		return
	}
	s.disconnect(ctx, c, st)
}

// app returns an application that serves every connection with s.
func (s *stub) app(opts ...consumer.Option[*stub]) protocol.Application {
	return consumer.New(func(*consumer.Scope) *stub { return s }, opts...)
}

// onLayer returns app with a layer of its own.
func onLayer(app protocol.Application) (protocol.Application, *layers.Layer) {
	l := new(layers.Layer)
	return layers.Middleware(l)(app), l
}

// panicOf returns the value that f panics with, or nil.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// logged is a test whose connections log into a buffer.
type logged struct {
	testing.TB
	testkit.Buffer
}

func (l *logged) Output() io.Writer { return l }

// wantLog fails unless want is in what has been logged, or nothing has been if
// want is empty.
func (l *logged) wantLog(at testkit.Line, want string) {
	l.Helper()
	if got := l.String(); !strings.Contains(got, want) || want == "" && got != "" {
		l.Errorf("%s: logged %q, want %q in it", at, got, want)
	}
}

// peer is the peer of a session that the test drives directly. Unlike a client of
// consumertest, it can send while a callback is busy.
type peer struct {
	*logged
	session  *protocol.Session
	counters protocol.Counters
	over     chan struct{}
}

// dial opens a session of app over tr. accepted is the result of Session.Open.
func dial(t *testing.T, app protocol.Application, tr protocol.Transport) (p *peer, accepted bool) {
	t.Helper()
	p = &peer{logged: &logged{TB: t}, over: make(chan struct{})}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	p.session = protocol.NewSession(context.Background(), app, protocol.NewScope("websocket", r), tr, &protocol.SessionOptions{
		Logger:   slog.New(slog.NewTextHandler(p, nil)),
		Counters: &p.counters,
	})
	p.session.Conn().Defer(func() { close(p.over) })
	return p, p.session.Open()
}

// connected is dial, in a bubble, for an app that must accept.
func connected(t *testing.T, app protocol.Application) *peer {
	t.Helper()
	p, ok := dial(t, app, &sink{})
	if !ok {
		t.Fatal("refused")
	}
	t.Cleanup(func() { p.hangUp(protocol.CloseGoingAway) })
	return p
}

// say sends texts, and returns when all goroutines of the bubble are blocked.
func (p *peer) say(texts ...string) {
	for _, s := range texts {
		go p.session.Receive(protocol.Text(s))
		synctest.Wait()
	}
}

// hangUp closes from the peer's side, or breaks the connection if code is CloseAbnormal.
func (p *peer) hangUp(code protocol.CloseCode) {
	p.session.Ended(protocol.CloseStatus{Code: code, Remote: code != protocol.CloseAbnormal})
}
