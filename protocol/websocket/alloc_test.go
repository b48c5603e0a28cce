package websocket

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
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

// TestAllocParse is about messages that lie in what was read, and about
// fragmented ones.
func TestAllocParse(t *testing.T) {
	rows := map[string][]byte{
		"whole messages":  stream(framed(fin|1, "hello"), framed(fin|2, strings.Repeat("x", 3000)), framed(fin|9, "ping")),
		"fragments":       stream(framed(1, "hel"), framed(fin|9, "ping"), framed(fin, "lo")),
		"a large message": framed(fin|1, strings.Repeat("x", 60000)),
	}
	for name, in := range rows {
		p := parser{maxMessage: 1 << 20}
		b := make([]byte, len(in))
		wantNoAllocs(t, name, func() {
			copy(b, in)
			for rest := b; len(rest) > 0; {
				it, r, ok, err := p.next(rest)
				if !ok || err != nil || it.op == ws.OpContinuation {
					t.Fatal("not parsed")
				}
				rest = r
			}
			p.rest()
		})
	}
}

// TestAllocParseSplit is about a message that comes in two reads.
func TestAllocParseSplit(t *testing.T) {
	in := framed(fin|1, strings.Repeat("x", 1000))
	p := parser{maxMessage: 1 << 20}
	b := make([]byte, len(in))
	wantNoAllocs(t, "two reads", func() {
		copy(b, in)
		p.next(b[:500]) //nolint:errcheck // it is not complete
		if _, _, ok, err := p.next(b[500:]); !ok || err != nil {
			t.Fatal("not parsed")
		}
		p.rest()
	})
}

// TestAllocSend is about a message through the outbox to the socket, written by
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
				c.out.hold()
				if err := send(); err != nil {
					t.Fatal(err)
				}
				c.flush()
			})
		}
		nc.wrote = make(chan struct{}, 1)
		for name, send := range sends {
			wantNoAllocs(t, fmt.Sprintf("%s of %d from elsewhere", name, size), func() {
				if err := send(); err != nil {
					t.Fatal(err)
				}
				<-nc.wrote
				for isHeld(&c.out) { // until the writer has given up
				}
			})
		}
		nc.wrote = nil
	}
}

// isHeld reports whether somebody writes, or will.
func isHeld(o *outbox) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.held
}

// TestAllocSendAfterQuietTurn is about a connection whose messages cause no
// answers of their own, as in a chat: its turns must not cost the next send
// anything.
func TestAllocSendAfterQuietTurn(t *testing.T) {
	c, _ := alone(t)
	pong := framed(fin|10, "")
	b := make([]byte, len(pong))
	m := protocol.Message{Data: make([]byte, 64)}
	wantNoAllocs(t, "a quiet turn, and a send", func() {
		copy(b, pong)
		turnOf(t, c, b)
		c.out.hold()
		if err := c.Send(m); err != nil {
			t.Fatal(err)
		}
		c.flush()
	})
}

// TestAllocEcho is a message from what was read to what is written, through
// parser, session, application and outbox.
func TestAllocEcho(t *testing.T) {
	c, _ := alone(t)
	in := framed(fin|1, strings.Repeat("x", 64))
	b := make([]byte, len(in))
	wantNoAllocs(t, "an echo", func() {
		copy(b, in)
		turnOf(t, c, b)
	})
	long := framed(fin|2, strings.Repeat("x", 16<<10))
	b = make([]byte, len(long))
	wantNoAllocs(t, "an echo of 16 KiB", func() {
		copy(b, long)
		turnOf(t, c, b)
	})
	ping := framed(fin|9, "ping")
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
	l := memory.New()
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
