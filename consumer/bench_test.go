package consumer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// sink is a transport that counts the bytes it is given and discards them, so that a
// benchmark measures session, consumer and layer.
type sink struct{ bytes int }

func (t *sink) Accept(protocol.AcceptOptions) error { return nil }
func (t *sink) Reject(*protocol.RejectError)        {}
func (t *sink) Close(protocol.CloseStatus)          {}
func (t *sink) Send(m protocol.Message) error       { t.bytes += len(m.Data); return nil }
func (t *sink) SendPrepared(p *protocol.Prepared) error {
	t.bytes += len(p.Message().Data)
	return nil
}

type benchMember struct {
	consumer.Base
	room string
}

func (m *benchMember) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.Join(ctx, m.room)
}

func (m *benchMember) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	return c.Send(ctx, msg)
}

func benchApp(l *layers.Layer) protocol.Application {
	return router.Use(router.NewURLRouter(router.RePath(`^ws/(?P<group>\w+)/$`, consumer.New(
		func(s *consumer.Scope) *benchMember { return &benchMember{room: s.Param("group")} }))), layers.Middleware(l))
}

func benchSession(tb testing.TB, app protocol.Application) *protocol.Session {
	tb.Helper()
	scope := protocol.NewScope("websocket", httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/ws/a/", nil))
	s := protocol.NewSession(context.Background(), app, scope, &sink{}, nil)
	if !s.Open() {
		tb.Fatal("refused")
	}
	return s
}

// BenchmarkEcho sends one message of 64 bytes through session, consumer and Conn back to
// the transport, without framing and socket.
func BenchmarkEcho(b *testing.B) {
	s := benchSession(b, benchApp(new(layers.Layer)))
	m := protocol.Message{Data: make([]byte, 64)}
	b.ReportAllocs()
	for b.Loop() {
		s.Receive(m)
	}
}

// BenchmarkBroadcast sends one message of 128 bytes to the transports of 1000 members.
func BenchmarkBroadcast(b *testing.B) {
	l := new(layers.Layer)
	app := benchApp(l)
	for range 1000 {
		benchSession(b, app)
	}
	m := protocol.Message{Data: make([]byte, 128)}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Broadcast(context.Background(), "a", m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/member")
}
