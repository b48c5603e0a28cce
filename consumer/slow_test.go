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

// callTime is how long the back end of a slowConn takes for each call.
const callTime = 5 * time.Second

// slowConn is a connection whose layer has a slow back end. there is another node.
type slowConn struct {
	here, there  *layers.Layer
	peer         *peer
	conn         *consumer.Conn
	calls        sync.WaitGroup
	errs         sync.Map // by the name of the call
	stop         map[string]func()
	disconnected chan struct{} // closed by Disconnect
}

func connectSlow(t *testing.T) *slowConn {
	t.Helper()
	b := layertest.NewBroker(nil)
	s := &slowConn{stop: map[string]func(){}, disconnected: make(chan struct{})}
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
		disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { close(s.disconnected) },
	}).app()))
	b.Slow(callTime)
	t.Cleanup(func() { b.Slow(0) })
	return s
}

// enters returns the calls that enter the group "g".
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

// startCall starts a call, which waits for the back end.
func (s *slowConn) startCall(name, way string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop[name] = cancel
	s.calls.Go(func() {
		if err := enters()[way](ctx, s.conn); err != nil {
			s.errs.Store(name, err)
		}
	})
	synctest.Wait()
}

// cancelCall cancels the ctx of a call.
func (s *slowConn) cancelCall(name string) {
	s.stop[name]()
	synctest.Wait()
}

// wantIn waits until all calls have returned and the back end has handled them. Then it
// fails the test unless the connection is in the group, and present there, as wanted.
func (s *slowConn) wantIn(t *testing.T, at testkit.Line, in, present bool) {
	t.Helper()
	s.calls.Wait()
	<-time.After(10 * callTime)
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
		t.Errorf("%s: the node received %d broadcasts, want %d", at, got, len(want))
	}
	all, err := s.there.Present(t.Context(), "g")
	if err != nil || len(all) == 1 != present {
		t.Errorf("%s: present are %v (%v), want the connection: %t", at, all, err, present)
	}
}

// While one call waits for the back end, methods that need no answer return at once.
func TestASlowCallDelaysNoOther(t *testing.T) {
	t.Parallel()
	for way := range enters() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := connectSlow(t)
				s.startCall("it", way)
				start := time.Now()
				s.conn.Channel()
				s.conn.Groups()
				s.conn.Leave("h")
				if err := errors.Join(s.conn.Exit(t.Context(), "h"), s.conn.SendText(t.Context(), "x")); err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d > 0 {
					t.Errorf("methods that need no answer took %v", d)
				}
				s.wantIn(t, testkit.Here(), way != "Enter", way == "Enter")
			})
		})
	}
}

// A connection that closes while a call waits is over at once, and is in no group when the
// back end has answered. Only Enter delays the end, because the back end must handle the
// exit first.
func TestCloseDuringASlowCall(t *testing.T) {
	t.Parallel()
	for way := range enters() {
		for _, row := range []struct {
			at   testkit.Line
			name string
			wait func(s *slowConn)
		}{
			{testkit.Here(), "a callback", func(s *slowConn) { s.peer.say(way) }},
			{testkit.Here(), "a goroutine with a ctx of its own", func(s *slowConn) { s.startCall("it", way) }},
			{testkit.Here(), "both", func(s *slowConn) {
				s.startCall("it", way)
				s.peer.say(way)
			}},
		} {
			t.Run(way+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := connectSlow(t)
					row.wait(s)
					start := time.Now()
					s.peer.hangUp(protocol.CloseNormal)
					<-s.disconnected
					<-s.peer.over
					if d := time.Since(start); d > 0 && (way != "Enter" || d > 2*callTime) {
						t.Errorf("%s: the connection took %v to end", row.at, d)
					}
					s.calls.Wait()
					if err, _ := s.errs.Load("it"); s.stop["it"] != nil && !errors.Is(err.(error), protocol.ErrClosed) {
						t.Errorf("%s: the call returned %v, want ErrClosed", row.at, err)
					}
					s.wantIn(t, row.at, false, false)
				})
			})
		}
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	const comesBack = "it leaves and comes back, and the first is cancelled"
	rows := []struct {
		at   testkit.Line
		name string
		do   func(s *slowConn, way string)
		in   bool
	}{
		{testkit.Here(), "the first is cancelled", func(s *slowConn, way string) {
			s.startCall("first", way)
			s.startCall("second", way)
			s.cancelCall("first")
		}, true},
		{testkit.Here(), "the second is cancelled", func(s *slowConn, way string) {
			s.startCall("first", way)
			s.startCall("second", way)
			s.cancelCall("second")
		}, true},
		{testkit.Here(), "both are cancelled", func(s *slowConn, way string) {
			s.startCall("first", way)
			s.startCall("second", way)
			s.cancelCall("first")
			s.cancelCall("second")
		}, false},
		{testkit.Here(), "a later one is cancelled", func(s *slowConn, way string) {
			s.startCall("first", way)
			s.calls.Wait()
			s.startCall("second", way)
			s.cancelCall("second")
		}, true},
		{testkit.Here(), "it leaves", func(s *slowConn, way string) {
			s.startCall("first", way)
			s.leave()
		}, false},
		{testkit.Here(), comesBack, func(s *slowConn, way string) {
			s.startCall("first", way)
			s.leave()
			s.startCall("second", way)
			s.cancelCall("first")
		}, true},
		{testkit.Here(), "it leaves and comes back, and the second is cancelled", func(s *slowConn, way string) {
			s.startCall("first", way)
			s.leave()
			s.startCall("second", way)
			s.cancelCall("second")
		}, false},
	}
	for _, way := range []string{"Join", "Enter"} {
		for _, row := range rows {
			if way == "Enter" && row.name == comesBack {
				continue // an Enter during an Exit may end present or not
			}
			t.Run(way+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := connectSlow(t)
					row.do(s, way)
					s.wantIn(t, row.at, row.in && way == "Join", row.in && way == "Enter")
				})
			})
		}
	}
}

// leave leaves and exits, without waiting for the back end.
func (s *slowConn) leave() {
	s.conn.Leave("g")
	s.calls.Go(func() {
		if err := s.conn.Exit(context.Background(), "g"); err != nil {
			s.errs.Store("exit", err)
		}
	})
	synctest.Wait()
}
