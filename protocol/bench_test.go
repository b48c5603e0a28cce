package protocol_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// The benchmarks of this file measure what a session costs by itself: its transport
// takes everything and its handler does next to nothing.

// benchSession returns an open connection to a sink.
func benchSession(b *testing.B, h *fakes.Handler) (*protocol.Session, *sink) {
	b.Helper()
	tr := &sink{}
	s := protocol.NewSession(context.Background(), h, protocol.NewScope("websocket", request()), tr, nil)
	tr.run = s.Run
	if !s.Open() {
		b.Fatal("refused")
	}
	b.Cleanup(func() {
		s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		tr.loop()
	})
	return s, tr
}

// BenchmarkSessionEcho is a message in and its answer out.
func BenchmarkSessionEcho(b *testing.B) {
	s, _ := benchSession(b, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		return c.Send(ctx, m)
	}})
	m := protocol.Binary(make([]byte, 64))
	b.ReportAllocs()
	for b.Loop() {
		s.Receive(m)
	}
}

// BenchmarkSessionReceive is a message that the handler ignores.
func BenchmarkSessionReceive(b *testing.B) {
	s, _ := benchSession(b, &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { return nil }})
	m := protocol.Binary(make([]byte, 64))
	b.ReportAllocs()
	for b.Loop() {
		s.Receive(m)
	}
}

// BenchmarkSessionEvent is an event that is posted and handled.
func BenchmarkSessionEvent(b *testing.B) {
	s, tr := benchSession(b, &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error { return nil }})
	e := said.New(map[string]int{"n": 1})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Conn().Post(e); err != nil {
			b.Fatal(err)
		}
		tr.loop()
	}
}
