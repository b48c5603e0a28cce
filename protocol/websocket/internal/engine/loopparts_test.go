package engine

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestSlots: a key that was removed leads to no connection, also when its slot has another.
func TestSlots(t *testing.T) {
	t.Parallel()
	var s slots
	a, b, c := &Conn{}, &Conn{}, &Conn{}
	place, ka := s.add(a)
	_, kb := s.add(b)
	if ka == kb || s.find(ka) != a || s.find(kb) != b {
		t.Error("not found")
	}
	s.remove(place)
	if s.find(ka) != nil || s.find(kb) != b {
		t.Error("found after the removal")
	}
	_, kc := s.add(c)
	if s.find(ka) != nil || s.find(kc) != c || len(s.list) != 2 {
		t.Errorf("a key that was removed leads to another connection, or %d slots for two", len(s.list))
	}
	if s.find(^uint64(0)) != nil || s.find(99) != nil {
		t.Error("found what was never added")
	}
}

// TestLoopPost: a connection is on the list once, whatever is posted, until its work is
// taken.
func TestLoopPost(t *testing.T) {
	t.Parallel()
	l := &loop{}
	l.mu.driven = true
	c, d := &Conn{}, &Conn{}
	l.post(c, workRead)
	l.post(d, workRun)
	l.post(c, workWrite)
	l.post(c, workRead)
	if len(l.mu.inbox) != 2 || c.looped.work.Load() != workRead|workWrite {
		t.Errorf("%d entries, work %b", len(l.mu.inbox), c.looped.work.Load())
	}
	if l.nextTodo(true) != c || c.looped.work.Swap(0) == 0 {
		t.Error("not the first")
	}
	l.post(c, workShut) // it is off the list
	if l.nextTodo(false) != d || l.nextTodo(false) != nil || l.nextTodo(true) != c || l.nextTodo(true) != nil {
		t.Error("not in order")
	}
}

// TestRoute goes through what a route learns.
func TestRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine(Config{})
		var r route
		blocks := func(want bool, after time.Duration) {
			t.Helper()
			<-time.After(after)
			if got := r.isBlocking(e.Engine); got != want {
				t.Errorf("after %v: %v, want %v", e.now(), got, want)
			}
		}
		block := func() { r.noteBlocked(e.now()) }
		<-time.After(time.Minute)
		blocks(false, 0)
		block()
		blocks(true, minApart-1)
		blocks(false, 1)
		block() // soon again: twice as long
		blocks(true, 2*minApart-1)
		block() // while it is one: it stays one, for no longer
		blocks(true, 2*minApart-1)
		blocks(false, 1)
		for range 10 {
			block()
			blocks(true, time.Duration(r.last.Load())-1)
			blocks(false, 1)
		}
		if d := time.Duration(r.last.Load()); d != maxApart {
			t.Errorf("it is one for %v, want maxApart", d)
		}
		blocks(false, maxApart)
		block() // long ago: from the start
		blocks(true, minApart-1)
		blocks(false, 1)

		r.blocks = protocol.BlockingYes
		blocks(true, time.Hour)
		r.blocks = protocol.BlockingNo
		block()
		blocks(false, 0)
	})
}

// refusing is a kernel that takes no sockets.
type refusing struct{ kernel }

func (refusing) take(net.Conn) (int, error) { return -1, errors.New("too many open files") }

// TestLoopWithout is about a loop that has no poller, or whose poller takes no socket: a
// goroutine runs the connection.
func TestLoopWithout(t *testing.T) {
	t.Parallel()
	for _, poller := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e, n := newLoopEngine(t)
			off := 0
			e.OffLoop = func(*protocol.Conn, error) { off++ }
			l := e.loops[0]
			l.newKernel = func() (kernel, error) {
				if !poller {
					return nil, errors.New("too many open files")
				}
				k, err := n.newKernel()
				return refusing{k}, err
			}
			ours, theirs := net.Pipe()
			c := e.NewConn(&Opening{Handshake: handover{ours}}, "")
			h := fakes.Echo()
			h.OnConnect = func(ctx context.Context, c *protocol.Conn) error { return c.Send(ctx, protocol.Text("hi")) }
			session := e.session(h, c)
			go c.Open(session)
			buf := make([]byte, 100)
			if _, err := theirs.Read(buf); err != nil || off != 1 || c.runner == runner(e.loops[0]) {
				t.Errorf("poller %v: read %v, OffLoop %d times", poller, err, off)
			}
			theirs.Close()
			e.finish()
			synctest.Wait()
			if l.load.Load() != 0 || l.mu.driven {
				t.Errorf("poller %v: load %d, driven %v", poller, l.load.Load(), l.mu.driven)
			}
		})
	}
}
