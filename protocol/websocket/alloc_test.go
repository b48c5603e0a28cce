package websocket

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
	"github.com/wye-go/wye/router"
)

// wantNoAllocs fails if f allocates.
func wantNoAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	if got := testing.AllocsPerRun(200, f); got > 0 {
		t.Errorf("%s: %v allocations, want none", what, got)
	}
}

// TestAllocSend is about a message through the queue to the socket, written by
// the turn's end and by a goroutine that a send has started.
func TestAllocSend(t *testing.T) {
	for _, size := range []int{64, 1500, 16 << 10} {
		c, nc := alone(t)
		m := protocol.Message{Data: make([]byte, size)}
		p := protocol.Prepare(m)
		sends := map[string]func() error{
			"Send":         func() error { return c.Send(m) },
			"SendPrepared": func() error { return c.SendPrepared(p) },
		}
		for name, send := range sends {
			wantNoAllocs(t, fmt.Sprintf("%s of %d in a turn", name, size), func() {
				c.out.startBatch()
				if err := send(); err != nil {
					t.Fatal(err)
				}
				c.endBatch()
			})
		}
		nc.wrote = make(chan struct{}, 1)
		for name, send := range sends {
			wantNoAllocs(t, fmt.Sprintf("%s of %d from elsewhere", name, size), func() {
				if err := send(); err != nil {
					t.Fatal(err)
				}
				<-nc.wrote
				for isOwned(&c.out) { // until the writer has given up
				}
			})
		}
		nc.wrote = nil
	}
}

// isOwned reports whether a writer is active, or about to be.
func isOwned(o *outgoing) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.owned
}

// TestAllocSendAfterQuietTurn is about a connection whose messages cause no
// answers of their own, as in a chat: its turns must not cost the next send
// anything.
func TestAllocSendAfterQuietTurn(t *testing.T) {
	c, _ := alone(t)
	pong := frametest.Frame(frametest.Fin|10, "")
	b := make([]byte, len(pong))
	m := protocol.Message{Data: make([]byte, 64)}
	wantNoAllocs(t, "a quiet turn, and a send", func() {
		copy(b, pong)
		turnOf(t, c, b)
		c.out.startBatch()
		if err := c.Send(m); err != nil {
			t.Fatal(err)
		}
		c.endBatch()
	})
}

// TestAllocEcho is a message from what was read to what is written, through
// parser, session, application and queue.
func TestAllocEcho(t *testing.T) {
	c, _ := alone(t)
	in := frametest.Frame(frametest.Fin|1, strings.Repeat("x", 64))
	b := make([]byte, len(in))
	wantNoAllocs(t, "an echo", func() {
		copy(b, in)
		turnOf(t, c, b)
	})
	long := frametest.Frame(frametest.Fin|2, strings.Repeat("x", 16<<10))
	b = make([]byte, len(long))
	wantNoAllocs(t, "an echo of 16 KiB", func() {
		copy(b, long)
		turnOf(t, c, b)
	})
	ping := frametest.Frame(frametest.Fin|9, "ping")
	b = make([]byte, len(ping))
	wantNoAllocs(t, "a pong", func() {
		copy(b, ping)
		turnOf(t, c, b)
	})
}

// TestAllocBroadcast makes sure that a member more costs no allocation more.
func TestAllocBroadcast(t *testing.T) {
	for _, size := range []int{128, 8 << 10} {
		few, many := broadcastAllocs(t, 2, size), broadcastAllocs(t, 102, size)
		if perMember := (many - few) / 100; perMember > 0.01 {
			t.Errorf("%d bytes: %v allocations for 2 members and %v for 102, want no more per member", size, few, many)
		}
	}
}

// broadcastAllocs is what a broadcast to so many members allocates.
func broadcastAllocs(t *testing.T, members, size int) float64 {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	l := new(layers.Layer)
	s := New(router.Use(consumer.New(func(*consumer.Scope) consumer.Base { return consumer.Base{} },
		consumer.Groups[consumer.Base]("all")), layers.Use(l)), nil)
	t.Cleanup(func() { finish(t, s) })
	wrote := make(chan struct{}, members)
	for range members {
		nc := newDiscard()
		nc.wrote = wrote
		joined(t, s, nc)
		<-wrote // the answer
	}
	m := protocol.Message{Data: make([]byte, size)}
	return testing.AllocsPerRun(100, func() {
		if err := l.Broadcast(t.Context(), "all", m); err != nil {
			t.Fatal(err)
		}
		for range members {
			<-wrote
		}
	})
}
