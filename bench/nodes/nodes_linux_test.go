package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestShortRun measures all systems, for a moment.
func TestShortRun(t *testing.T) {
	t.Parallel()
	o := options{dir: "..", rounds: 1, duration: 50 * time.Millisecond, limit: 4 * time.Minute, parts: []string{"layer", "sockets"}, members: []int{1, 2}}
	r, err := measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) > 0 {
		t.Errorf("failures: %q", r.Failures)
	}
	for _, s := range systems {
		if s.layer != nil && !slices.ContainsFunc(r.Layer, func(l layerResult) bool { return l.System == s.name && l.Flood.Deliveries > 0 && l.Paced.P99us > 0 }) {
			t.Errorf("%s: nothing was measured at the layer", s.name)
		}
		if s.sockets != nil && !slices.ContainsFunc(r.Sockets, func(q socketResult) bool { return q.System == s.name && q.Messages > 0 && q.nodesNs() > 0 }) {
			t.Errorf("%s: nothing was measured through sockets", s.name)
		}
	}
	for _, want := range []string{"## At the level of the layer", "## Through sockets", "| 1: deliveries a second |", "times those of channels_redis"} {
		if !strings.Contains(r.markdown(), want) {
			t.Errorf("the report does not have %q:\n%s", want, r.markdown())
		}
	}
}

// TestGroups has many groups while Redis restarts.
func TestGroups(t *testing.T) {
	t.Parallel()
	r, err := measure(t.Context(), options{dir: "..", rounds: 1, duration: time.Second, limit: time.Minute, parts: []string{"groups"}, systems: []string{"wye"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) > 0 || len(r.Groups) != 1 || r.Groups[0].Subscriptions != 1 || r.Groups[0].HeapPerGroup <= 0 {
		t.Errorf("got %+v and the failures %q", r.Groups, r.Failures)
	}
}

// TestStored records events, joins and enters, for a moment.
func TestStored(t *testing.T) {
	t.Parallel()
	r, err := measure(t.Context(), options{dir: "..", rounds: 1, duration: 50 * time.Millisecond, limit: 2 * time.Minute, parts: []string{"stored"}, systems: []string{"wye", "centrifuge"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) > 0 || len(r.Stored) != 2 {
		t.Fatalf("got %+v and the failures %q", r.Stored, r.Failures)
	}
	for _, s := range r.Stored {
		for what, v := range map[string]float64{
			"events a second": s.Record.Sends, "CPU per event": s.perEvent(s.Record.nodesNs()), "bytes per event": s.EventBytes,
			"time of a join": s.Join.WallNs, "time of an entry": s.Enter.WallNs, "bytes per presence": s.PresenceBytes,
			"time of reading all": s.Present.WallNs, "time of counting": s.Count.WallNs,
		} {
			if v <= 0 {
				t.Errorf("%s: %s: got %v", s.System, what, v)
			}
		}
	}
	for _, want := range []string{"## History and presence", "| what: figure | Wye | centrifuge |", "| a presence: bytes in Redis | "} {
		if !strings.Contains(r.markdown(), want) {
			t.Errorf("the report does not have %q:\n%s", want, r.markdown())
		}
	}
}
