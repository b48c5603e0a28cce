package websocket

import (
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/router"
)

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
