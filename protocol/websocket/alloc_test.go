package websocket

import (
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
	"github.com/wye-go/wye/router"
)

// TestAllocHandshake bounds what a connection allocates without net/http: from the parsed
// request to the answer, and to its end after the peer has hung up.
func TestAllocHandshake(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	app := &fakes.Handler{}
	ends := app.Ends()
	s := New(app, nil)
	t.Cleanup(func() { finish(t, s) })
	r := handshaketest.Request()
	r.RemoteAddr = "192.0.2.1:4711"
	ofTest := testing.AllocsPerRun(100, func() {
		w := &hijacker{nc: enginetest.NewSink()}
		w.Header()
		if _, _, err := w.Hijack(); err != nil {
			t.Fatal(err)
		}
	})
	got := testing.AllocsPerRun(1000, func() {
		w := &hijacker{nc: enginetest.NewSink()}
		s.ServeHTTP(w, r)
		w.nc.Close()
		<-ends
	}) - ofTest
	if got > maxHandshakeAllocs {
		t.Errorf("%v allocations, want %v at most", got, maxHandshakeAllocs)
	}
}

// maxHandshakeAllocs are for a connection with a goroutine, which needs one more than one on
// a loop.
const maxHandshakeAllocs = 22

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
		consumer.Groups[consumer.Base]("all")), layers.Middleware(l)), nil)
	t.Cleanup(func() { finish(t, s) })
	wrote := make(chan struct{}, members)
	for range members {
		nc := enginetest.NewSink()
		nc.Wrote = wrote
		join(t, s, nc)
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
