package protocol_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// stuckLog is a slog.Handler that says when it has a record, and returns when it may.
type stuckLog struct {
	slog.Handler
	has, may chan struct{}
}

func (h *stuckLog) Enabled(context.Context, slog.Level) bool { return true }
func (h *stuckLog) Handle(context.Context, slog.Record) error {
	close(h.has)
	<-h.may
	return nil
}

// TestTheContextHasEndedBeforeDisconnect has one goroutine end the connection, and stay
// in the log, while the one that runs callbacks comes to Disconnect.
func TestTheContextHasEndedBeforeDisconnect(t *testing.T) {
	t.Parallel()
	busy, free, alive, over := make(chan struct{}), make(chan struct{}), make(chan bool, 1), make(chan struct{})
	h := &fakes.Handler{
		OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
			close(busy)
			<-free
			return nil
		},
		OnDisconnect: func(_ context.Context, c *protocol.Conn, _ protocol.CloseStatus) {
			alive <- c.Context().Err() == nil
		},
	}
	log := &stuckLog{has: make(chan struct{}), may: make(chan struct{})}
	s := protocol.NewSession(t.Context(), h, protocol.NewScope("websocket", request()), &wire{},
		&protocol.SessionOptions{Logger: slog.New(log)})
	s.Conn().Defer(func() { close(over) })
	if !s.Open() {
		t.Fatal("the connection was refused")
	}
	received := make(chan struct{})
	go func() {
		defer close(received)
		s.Receive(text("keeps the callback busy"))
	}()
	<-busy
	go s.Conn().Close(protocol.CloseNoStatus, "a code that cannot be sent is logged")
	<-log.has
	close(free)
	if <-alive {
		t.Error("Disconnect was called while the connection's context had not ended")
	}
	close(log.may)
	<-received
	<-over
}
