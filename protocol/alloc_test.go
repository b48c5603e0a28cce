package protocol_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// sink is a transport that takes everything, so that what is counted is the
// session's. It is a loop as well: work waits in one place until the test runs
// it.
type sink struct {
	sent int
	due  bool
	run  func(limit int) (more bool) // of the session
}

func (s *sink) Accept(protocol.AcceptOptions) error { return nil }
func (s *sink) Reject(*protocol.RejectError)        {}
func (s *sink) Close(protocol.CloseStatus)          {}
func (s *sink) Schedule()                           { s.due = true }
func (s *sink) Send(m protocol.Message) error       { s.sent += len(m.Data); return nil }
func (s *sink) SendPrepared(p *protocol.Prepared) error {
	s.sent += p.Len()
	return nil
}

func (s *sink) loop() {
	for s.due {
		s.due = s.run(1)
	}
}

// wantNoAllocs counts the allocations of f. Such tests do not run beside others,
// whose allocations would be counted as well.
func wantNoAllocs(t *testing.T, f func()) {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates too")
	}
	if got := testing.AllocsPerRun(200, f); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

// allocSession is an open connection to a sink.
func allocSession(t *testing.T, h *fakes.Handler, limits protocol.Limits) (*protocol.Session, *sink) {
	t.Helper()
	tr := &sink{}
	s := protocol.NewSession(context.Background(), h, protocol.NewScope("websocket", request()), tr, &protocol.SessionOptions{Limits: limits})
	tr.run = s.Run
	if !s.Open() {
		t.Fatal("refused")
	}
	t.Cleanup(func() {
		s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		tr.loop()
	})
	return s, tr
}

func TestAllocReceive(t *testing.T) {
	heard := 0
	s, _ := allocSession(t, &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		heard += len(m.Data)
		return nil
	}}, protocol.Limits{})
	m := protocol.Message{Data: make([]byte, 64)}
	wantNoAllocs(t, func() {
		if !s.Receive(m) {
			t.Error("told to stop reading")
		}
	})
	if heard == 0 {
		t.Error("nothing was heard")
	}
}

// TestAllocEnqueue allows one allocation: the copy of the message.
func TestAllocEnqueue(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates too")
	}
	s, tr := allocSession(t, &fakes.Handler{}, protocol.Limits{})
	m := protocol.Message{Data: make([]byte, 64)}
	got := testing.AllocsPerRun(200, func() {
		if !s.Enqueue(m) {
			t.Error("told to stop reading")
		}
		tr.loop()
	})
	if got > 1 {
		t.Errorf("%v allocations, want 1", got)
	}
}

func TestAllocSend(t *testing.T) {
	shared := protocol.Prepare(text("shared"))
	for _, policy := range []protocol.Overflow{protocol.OverflowClose, protocol.OverflowDropNewest, protocol.OverflowBlock} {
		s, tr := allocSession(t, &fakes.Handler{}, protocol.Limits{Overflow: policy})
		c, ctx, m := s.Conn(), t.Context(), protocol.Message{Data: make([]byte, 64)}
		for _, send := range []func() error{
			func() error { return c.Send(ctx, m) },
			func() error { return c.SendPrepared(ctx, shared) },
			func() error { return c.Offer(shared) },
		} {
			before := tr.sent
			wantNoAllocs(t, func() {
				if err := send(); err != nil {
					t.Error(err)
				}
			})
			if tr.sent == before {
				t.Error("nothing was sent")
			}
		}
	}
}

// TestAllocEcho is the whole way of a message in and its answer out.
func TestAllocEcho(t *testing.T) {
	s, tr := allocSession(t, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		return c.Send(ctx, m)
	}}, protocol.Limits{})
	m := protocol.Message{Data: make([]byte, 64)}
	wantNoAllocs(t, func() { s.Receive(m) })
	if tr.sent == 0 {
		t.Error("nothing was sent")
	}
}

func TestAllocPost(t *testing.T) {
	heard := 0
	s, tr := allocSession(t, &fakes.Handler{OnEvent: func(_ context.Context, _ *protocol.Conn, e *protocol.Event) error {
		if _, err := said.Payload(e); err != nil {
			return err
		}
		heard++
		return nil
	}}, protocol.Limits{})
	e := said.New(map[string]int{"n": 1})
	wantNoAllocs(t, func() {
		if err := s.Conn().Post(e); err != nil {
			t.Error(err)
		}
		tr.loop()
	})
	if heard == 0 {
		t.Error("nothing was heard")
	}
}

// TestAllocPreparedFrame: a caller that finds a message encoded allocates nothing.
func TestAllocPreparedFrame(t *testing.T) {
	p := protocol.Prepare(text("x"))
	var plain any = variant(1)
	encode := func(b []byte, m protocol.Message) []byte { return append(b, m.Data...) }
	var large any = variant(2)
	share := func(any, protocol.Message) any { return p }
	p.AppendFrame(nil, plain, encode)
	p.Share(large, share)
	buf := make([]byte, 0, 100)
	wantNoAllocs(t, func() {
		if p.Share(large, share) != any(p) || len(p.AppendFrame(buf, plain, encode)) != 1 {
			t.Error("not encoded")
		}
	})
}

// TestAllocPrepare: a message for many is made of memory that is used again.
func TestAllocPrepare(t *testing.T) {
	var plain any = variant(1)
	m := protocol.Message{Data: make([]byte, 64)}
	encode := func(b []byte, m protocol.Message) []byte { return append(b, m.Data...) }
	buf := make([]byte, 0, 100)
	wantNoAllocs(t, func() {
		p := protocol.Prepare(m)
		if len(p.AppendFrame(buf, plain, encode)) != 64 {
			t.Error("not encoded")
		}
		p.Release()
	})
}
