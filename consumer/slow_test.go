package consumer_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// answers is how long the back end of slowly takes for each call.
const answers = 5 * time.Second

// slowly is a connection whose layer has a slow back end, and another node.
type slowly struct {
	here, there *layers.Layer
	peer        *peer
	conn        *consumer.Conn
	calls       sync.WaitGroup
	errs        sync.Map // by name
	stop        map[string]func()
	farewell    chan struct{} // closed by Disconnect
}

func connectSlowly(t *testing.T) *slowly {
	t.Helper()
	b := layertest.NewBroker(nil)
	s := &slowly{stop: map[string]func(){}, farewell: make(chan struct{})}
	for _, l := range []**layers.Layer{&s.here, &s.there} {
		opened, err := layers.Open(t.Context(), b.Node())
		if err != nil {
			t.Fatal(err)
		}
		*l = opened
		t.Cleanup(func() {
			if err := opened.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	s.peer = connected(t, layers.Middleware(s.here)((&stub{
		connect: func(_ context.Context, c *consumer.Conn) error {
			s.conn = c
			return nil
		},
		receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			return enters()[m.Text()](ctx, c)
		},
		disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { close(s.farewell) },
	}).app()))
	b.Slow(answers)
	t.Cleanup(func() { b.Slow(0) })
	return s
}

// enters are the ways into a group.
func enters() map[string]func(ctx context.Context, c *consumer.Conn) error {
	return map[string]func(ctx context.Context, c *consumer.Conn) error{
		"Join": func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, "g") },
		"JoinFrom": func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.JoinFrom(ctx, "g", layers.Range{})
			return err
		},
		"Enter": func(ctx context.Context, c *consumer.Conn) error { return c.Enter(ctx, "g", "ann", nil) },
	}
}

// begin has a call wait.
func (s *slowly) begin(name, way string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop[name] = cancel
	s.calls.Go(func() {
		if err := enters()[way](ctx, s.conn); err != nil {
			s.errs.Store(name, err)
		}
	})
	synctest.Wait()
}

// end ends a call's ctx.
func (s *slowly) end(name string) {
	s.stop[name]()
	synctest.Wait()
}

// wantIn waits for all calls, and for the back end to have heard of what they wanted,
// and fails unless the connection is in the group, or present, or neither.
func (s *slowly) wantIn(t *testing.T, at testkit.Line, in, present bool) {
	t.Helper()
	s.calls.Wait()
	<-time.After(10 * answers)
	var want []string
	if in {
		want = []string{"g"}
	}
	if got := s.conn.Groups(); !slices.Equal(got, want) {
		t.Errorf("%s: in %q, want %q", at, got, want)
	}
	before := s.here.Stats().Received
	if err := s.there.Broadcast(t.Context(), "g", protocol.Text("x")); err != nil {
		t.Error(err)
	}
	synctest.Wait()
	if got := s.here.Stats().Received - before; got != int64(len(want)) {
		t.Errorf("%s: %d broadcasts came to the node, want %d: it has subscribed or not", at, got, len(want))
	}
	all, err := s.there.Present(t.Context(), "g")
	if err != nil || len(all) == 1 != present {
		t.Errorf("%s: present are %v (%v), want it to be: %t", at, all, err, present)
	}
}

// TestNothingWaitsForASlowLayerBehindACall: what needs no answer takes no time, while
// somebody else waits for one.
func TestNothingWaitsForASlowLayerBehindACall(t *testing.T) {
	t.Parallel()
	for way := range enters() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := connectSlowly(t)
				s.begin("it", way)
				start := time.Now()
				s.conn.Channel()
				s.conn.Groups()
				s.conn.Leave("h")
				if err := errors.Join(s.conn.Exit(t.Context(), "h"), s.conn.SendText(t.Context(), "x")); err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d > 0 {
					t.Errorf("what needs no answer has waited for %v", d)
				}
				s.wantIn(t, testkit.Here(), way != "Enter", way == "Enter")
			})
		})
	}
}

// TestAConnectionEndsWhileItWaitsForASlowLayer: it is done at once, whoever waits, and
// nothing is left of it when the back end has answered. Only of who is present must the
// back end be told before.
func TestAConnectionEndsWhileItWaitsForASlowLayer(t *testing.T) {
	t.Parallel()
	for way := range enters() {
		for _, row := range []struct {
			at   testkit.Line
			name string
			wait func(s *slowly)
		}{
			{testkit.Here(), "a callback", func(s *slowly) { s.peer.say(way) }},
			{testkit.Here(), "a goroutine with a ctx of its own", func(s *slowly) { s.begin("it", way) }},
			{testkit.Here(), "both", func(s *slowly) {
				s.begin("it", way)
				s.peer.say(way)
			}},
		} {
			t.Run(way+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := connectSlowly(t)
					row.wait(s)
					start := time.Now()
					s.peer.hangUp(protocol.CloseNormal)
					<-s.farewell
					<-s.peer.over
					if d := time.Since(start); d > 0 && (way != "Enter" || d > 2*answers) {
						t.Errorf("%s: the end has taken %v", row.at, d)
					}
					s.calls.Wait()
					if err, _ := s.errs.Load("it"); s.stop["it"] != nil && !errors.Is(err.(error), protocol.ErrClosed) {
						t.Errorf("%s: who waited was told %v, want ErrClosed", row.at, err)
					}
					s.wantIn(t, row.at, false, false)
				})
			})
		}
	}
}

func TestCallsOfOneConnectionSideBySide(t *testing.T) {
	t.Parallel()
	const comesBack = "it leaves and comes back, and the first gives up"
	rows := []struct {
		at   testkit.Line
		name string
		do   func(s *slowly, way string)
		in   bool
	}{
		{testkit.Here(), "the first gives up", func(s *slowly, way string) {
			s.begin("first", way)
			s.begin("second", way)
			s.end("first")
		}, true},
		{testkit.Here(), "the second gives up", func(s *slowly, way string) {
			s.begin("first", way)
			s.begin("second", way)
			s.end("second")
		}, true},
		{testkit.Here(), "both give up", func(s *slowly, way string) {
			s.begin("first", way)
			s.begin("second", way)
			s.end("first")
			s.end("second")
		}, false},
		{testkit.Here(), "another gives up, later", func(s *slowly, way string) {
			s.begin("first", way)
			s.calls.Wait()
			s.begin("second", way)
			s.end("second")
		}, true},
		{testkit.Here(), "it leaves", func(s *slowly, way string) {
			s.begin("first", way)
			s.leave()
		}, false},
		{testkit.Here(), comesBack, func(s *slowly, way string) {
			s.begin("first", way)
			s.leave()
			s.begin("second", way)
			s.end("first")
		}, true},
		{testkit.Here(), "it leaves and comes back, and gives that up", func(s *slowly, way string) {
			s.begin("first", way)
			s.leave()
			s.begin("second", way)
			s.end("second")
		}, false},
	}
	for _, way := range []string{"Join", "Enter"} {
		for _, row := range rows {
			if way == "Enter" && row.name == comesBack {
				continue // who enters while an Exit is under way may be there or not
			}
			t.Run(way+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := connectSlowly(t)
					row.do(s, way)
					s.wantIn(t, row.at, row.in && way == "Join", row.in && way == "Enter")
				})
			})
		}
	}
}

// leave leaves and exits, without waiting for the back end.
func (s *slowly) leave() {
	s.conn.Leave("g")
	s.calls.Go(func() {
		if err := s.conn.Exit(context.Background(), "g"); err != nil {
			s.errs.Store("exit", err)
		}
	})
	synctest.Wait()
}
