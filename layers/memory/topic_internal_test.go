package memory

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/layers/internal/table"
	"github.com/wye-go/wye/protocol"
)

// deaf is the receiver of a layer that has no members.
type deaf struct{}

func (deaf) Node() string                    { return "NODE" }
func (deaf) Group(string, *protocol.Event)   {}
func (deaf) Channel(string, *protocol.Event) {}
func (deaf) State(error)                     {}
func (deaf) Gap(...string)                   {}

// started returns a driver that has been started.
func started(t *testing.T) *Driver {
	t.Helper()
	d := New(nil)
	if err := d.Start(t.Context(), deaf{}); err != nil {
		t.Fatal(err)
	}
	return d
}

func empty() *protocol.Event {
	return protocol.EventType[struct{}]{Name: "x"}.New(struct{}{})
}

// TestHistoriesThatNobodyUsesAreRemoved: calls for one group sweep the others.
func TestHistoriesThatNobodyUsesAreRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, ctx := started(t), context.Background()
		record := func(group string) {
			t.Helper()
			if _, err := d.Append(ctx, group, empty(), driver.Retention{MaxEvents: 100, MaxAge: time.Minute}); err != nil {
				t.Fatal(err)
			}
		}
		read := func(group string) {
			t.Helper()
			if _, err := d.Read(ctx, group, driver.Range{}); err != nil {
				t.Error(err)
			}
		}
		const groups = 1000
		for i := range groups {
			record(fmt.Sprint("g", i))
		}
		left := func() (histories, events int) {
			for i := range d.hub.topics.table {
				for _, topic := range d.hub.topics.table[i].All {
					histories++
					events += topic.history.Len()
				}
			}
			return histories, events
		}
		// sweepAll lets the time pass in which all shards are swept.
		sweepAll := func(use func()) {
			for range table.Shards {
				<-time.After(sweepEvery)
				use()
			}
		}
		sweepAll(func() { record("used") }) // the first sweeps come too early
		sweepAll(func() { record("used") })
		if n, events := left(); n != groups+1 || events > table.Shards {
			t.Errorf("after two minutes %d histories are left with %d events, want all and those of the last minute", n, events)
		}
		// Now the others are forgotten, whose last event was an hour and a minute ago,
		// and the used one is not yet, whatever shard it is in.
		<-time.After(store.Linger - time.Minute)
		read("g1")
		sweepAll(func() { read("nothing") })
		if _, there := d.hub.topics.table.Get("used"); !there {
			t.Error("the history that was used until just now has been removed")
		}
		if n, events := left(); n != 1 || events != 0 {
			t.Errorf("after an hour %d histories are left with %d events, want the one that was used until just now", n, events)
		}
	})
}

func TestGroupsWithoutPresencesAreRemoved(t *testing.T) {
	t.Parallel()
	d, ctx := started(t), t.Context()
	for i := range 100 {
		group, p := fmt.Sprint("g", i), driver.Presence{ID: "1", Key: "ann"}
		for _, err := range []error{
			d.Enter(ctx, group, p), d.Enter(ctx, group, p), d.Exit(ctx, group, "1", 0), d.Exit(ctx, group, "2", 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(d.hub.topics.table.Names()); n > 0 {
		t.Errorf("%d groups are left", n)
	}
}
