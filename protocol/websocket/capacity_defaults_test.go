package websocket

import (
	"net/http"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestCapacityDefaults pins the numbers that the documentation names.
func TestCapacityDefaults(t *testing.T) {
	t.Parallel()
	o := (*Options)(nil).withDefaults()
	if want := (Capacity{QueueBytes: 256 << 20, ReadBytes: 256 << 20}); o.Capacity != want { // package admission has the others
		t.Errorf("Capacity is %+v, want %+v", o.Capacity, want)
	}
	negative := (&Options{
		Capacity:     Capacity{QueueBytes: -1, ReadBytes: -1},
		MaxHandshake: -1, MaxHeaderLines: -1, HandshakeTimeout: -1, WriteTimeout: -1, CloseTimeout: -1, PongTimeout: -1,
	}).withDefaults()
	if negative.Capacity != o.Capacity {
		t.Errorf("negative fields mean %+v", negative.Capacity)
	}
	for _, o := range []Options{o, negative} {
		if o.MaxHandshake != 32<<10 || o.MaxHeaderLines != 100 {
			t.Errorf("MaxHandshake %d, MaxHeaderLines %d, want 32768 and 100", o.MaxHandshake, o.MaxHeaderLines)
		}
		times := [...]time.Duration{o.HandshakeTimeout, o.WriteTimeout, o.CloseTimeout, o.PingInterval, o.PongTimeout}
		if want := [...]time.Duration{10e9, 15e9, 5e9, 25e9, 20e9}; times != want {
			t.Errorf("timeouts %v, want %v", times, want)
		}
	}
	want := protocol.Limits{
		MaxMessage: 1 << 20, MaxFrame: 1 << 20, MaxFragments: 100_000, MaxControlFrames: 1000, MinRate: 240,
		ReadAhead: 64 << 10, QueueBytes: 4 << 20, QueueEvents: 4096, QueueEventBytes: 4 << 20, Groups: 500, Goroutines: 100,
		Overflow: protocol.OverflowClose, EventOverflow: protocol.OverflowClose,
	}
	if o.Limits != want {
		t.Errorf("Limits are %+v, want %+v", o.Limits, want)
	}
	if own := (&Options{Limits: protocol.Limits{MaxMessage: 5}}).withDefaults(); own.Limits.MaxFrame != 5 {
		t.Errorf("MaxFrame is %d with a MaxMessage of 5", own.Limits.MaxFrame)
	}
}

// TestCapacityBudgetDefault takes 256 MiB for all queues together.
func TestCapacityBudgetDefault(t *testing.T) {
	t.Parallel()
	refuse := func(*protocol.Scope) error { return protocol.NewRejectError(http.StatusTeapot, "") }
	s := New(&fakes.Handler{OnOpen: refuse}, nil)
	if s.engine.QueueBytes != 256<<20 || s.engine.Limits.QueueBytes != 4<<20 {
		t.Errorf("%d for all and %d for each, want 256 MiB and 4 MiB", s.engine.QueueBytes, s.engine.Limits.QueueBytes)
	}
}
