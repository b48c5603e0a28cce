package engine

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
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

// TestAllocSend is about a message through the queue to the socket, written at the end of
// a batch and by a goroutine that a send has started.
func TestAllocSend(t *testing.T) {
	for _, size := range []int{64, 1500, 16 << 10, 40 << 10} {
		c, nc := alone(t)
		m := protocol.Message{Data: make([]byte, size)}
		p := protocol.Prepare(m)
		sends := map[string]func() error{
			"Send":         func() error { return c.Send(m) },
			"SendPrepared": func() error { return c.SendPrepared(p) },
		}
		for name, send := range sends {
			wantNoAllocs(t, fmt.Sprintf("%s of %d in a batch", name, size), func() {
				c.out.startBatch()
				if err := send(); err != nil {
					t.Fatal(err)
				}
				c.endBatch()
			})
		}
		nc.Wrote = make(chan struct{}, 1)
		for name, send := range sends {
			wantNoAllocs(t, fmt.Sprintf("%s of %d from elsewhere", name, size), func() {
				if err := send(); err != nil {
					t.Fatal(err)
				}
				<-nc.Wrote
				for isOwned(&c.out) { // until the writer has given up
				}
			})
		}
		nc.Wrote = nil
	}
}

// isOwned reports whether a writer is active, or about to be.
func isOwned(o *outgoing) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.owned
}

// TestAllocSendAfterQuietRead is about a connection whose messages cause no answers of
// their own, as in a chat: reading them must not cost the next send anything.
func TestAllocSendAfterQuietRead(t *testing.T) {
	c, _ := alone(t)
	pong := frametest.Frame(frametest.Fin|10, "")
	b := make([]byte, len(pong))
	m := protocol.Message{Data: make([]byte, 64)}
	wantNoAllocs(t, "a quiet read, and a send", func() {
		copy(b, pong)
		handleRead(t, c, b)
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
		handleRead(t, c, b)
	})
	long := frametest.Frame(frametest.Fin|2, strings.Repeat("x", 16<<10))
	b = make([]byte, len(long))
	wantNoAllocs(t, "an echo of 16 KiB", func() {
		copy(b, long)
		handleRead(t, c, b)
	})
	ping := frametest.Frame(frametest.Fin|9, "ping")
	b = make([]byte, len(ping))
	wantNoAllocs(t, "a pong", func() {
		copy(b, ping)
		handleRead(t, c, b)
	})
}

// TestConnIsSmall makes sure that a connection at rest fits into 256 bytes, a size class of
// the allocator.
func TestConnIsSmall(t *testing.T) {
	t.Parallel()
	if size := reflect.TypeFor[Conn]().Size(); size > 256 {
		t.Errorf("a connection has %d bytes, want at most 256", size)
	}
}
