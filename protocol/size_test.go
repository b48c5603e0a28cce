package protocol_test

import (
	"context"
	"log/slog"
	"runtime"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestIdleSessionSize checks how many bytes of heap a session has while nothing happens, with
// everything that it refers to alone: when it is open, and after messages, events and
// sends. Transport and handler are shared, and not counted.
func TestIdleSessionSize(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector changes the sizes")
	}
	const sessions, want = 2000, 140
	tr := &sink{}
	h := &fakes.Handler{
		OnConnect: func(ctx context.Context, c *protocol.Conn) error { return c.Send(ctx, text("early")) },
		OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error { return c.Send(ctx, m) },
	}
	o := &protocol.SessionOptions{}
	all := make([]*protocol.Session, sessions)
	first := text("x")
	event := namedEvent("x")
	before := heap()
	for i := range all {
		all[i] = protocol.NewSession(context.Background(), h, protocol.NewScope("websocket", request()), tr, withDefaults(o))
		all[i].Open()
	}
	opened := heap()
	for _, s := range all {
		s.Receive(first)
		for range 3 {
			if err := s.Conn().Post(event); err != nil {
				t.Error(err)
			}
		}
		s.Enqueue(first)
		for s.Run(0) {
		}
	}
	after := heap()
	for name, size := range map[string]int{"open": (opened - before) / sessions, "after traffic": (after - before) / sessions} {
		t.Logf("%s: %d B", name, size)
		if size > want {
			t.Errorf("%s: a session has %d B, want at most %d", name, size, want)
		}
	}
	runtime.KeepAlive(all)
}

// withDefaults returns o with what NewSession would otherwise make for each session.
func withDefaults(o *protocol.SessionOptions) *protocol.SessionOptions {
	if o.Counters == nil {
		o.Limits, o.Counters, o.Logger = o.Limits.WithDefaults(), &protocol.Counters{}, slog.Default()
	}
	return o
}

// heap returns how many bytes of the heap are in use.
func heap() int {
	var m runtime.MemStats
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
