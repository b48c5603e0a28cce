package websocket

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// TestCapacityDefaults pins the numbers that the documentation names.
func TestCapacityDefaults(t *testing.T) {
	t.Parallel()
	o := (*Options)(nil).withDefaults()
	if want := (Capacity{Conns: 100_000, ConnsPerAddress: 10_000, Handshakes: 4096, QueueBytes: 256 << 20, ReadBytes: 256 << 20}); o.Capacity != want {
		t.Errorf("Capacity is %+v, want %+v", o.Capacity, want)
	}
	negative := (&Options{
		Capacity:     Capacity{Conns: -1, ConnsPerAddress: -1, Handshakes: -1, QueueBytes: -1, ReadBytes: -1},
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
		Overflow: protocol.OverflowClose, EventOverflow: protocol.OverflowClose, InvalidText: protocol.InvalidTextRefuse,
	}
	if o.Limits != want {
		t.Errorf("Limits are %+v, want %+v", o.Limits, want)
	}
	if own := (&Options{Limits: protocol.Limits{MaxMessage: 5}}).withDefaults(); own.Limits.MaxFrame != 5 {
		t.Errorf("MaxFrame is %d with a MaxMessage of 5", own.Limits.MaxFrame)
	}
}

// TestCapacityDefaultsAreReached fills a server with the default capacity, but
// for one place or none, and tries the door.
func TestCapacityDefaultsAreReached(t *testing.T) {
	t.Parallel()
	address := netip.MustParseAddr("203.0.113.1")
	rows := []struct {
		at     testkit.Line
		fill   func(s *Server, one int)
		status int
		count  func(Stats) int64
	}{
		{testkit.Here(), func(s *Server, one int) {
			for c := new(conn); s.mu.conns.Len() < 100_000-one; {
				s.mu.conns.Add(c) // again and again: only their number matters
			}
		}, 503, func(st Stats) int64 { return st.Full }},
		{testkit.Here(), func(s *Server, one int) { s.mu.handshakes = 4096 - one }, 503, func(st Stats) int64 { return st.Full }},
		{testkit.Here(), func(s *Server, one int) { s.mu.addresses[address] = 10_000 - one }, 429, func(st Stats) int64 { return st.Crowded }},
	}
	for _, row := range rows {
		for one := range 2 {
			s := New(&refusing{}, &Options{Logger: slog.New(slog.DiscardHandler)})
			row.fill(s, one)
			r := handshaketest.Request()
			r.RemoteAddr = "203.0.113.1:1234"
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			want, counted := row.status, int64(1)
			if one == 1 {
				want, counted = http.StatusTeapot, 0
			}
			if w.Code != want || row.count(s.Stats()) != counted {
				t.Errorf("%s: with room for %d: status %d and %d counted, want %d and %d", row.at, one, w.Code, row.count(s.Stats()), want, counted)
			}
			if counted == 1 && w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", row.at)
			}
			s.mu.Lock()
			if s.mu.timer != nil {
				s.mu.timer.Stop()
			}
			s.mu.Unlock()
		}
	}
}

// refusing refuses whoever is let in.
type refusing struct{ callbacks }

func (*refusing) Open(*protocol.Scope) (protocol.Handler, error) {
	return nil, protocol.Reject(http.StatusTeapot, "")
}

// TestCapacityBudgetDefault takes 256 MiB for all queues together.
func TestCapacityBudgetDefault(t *testing.T) {
	t.Parallel()
	s := New(&refusing{}, nil)
	if s.queues.all != 256<<20 || s.queues.each != 4<<20 {
		t.Errorf("%d for all and %d for each, want 256 MiB and 4 MiB", s.queues.all, s.queues.each)
	}
}
