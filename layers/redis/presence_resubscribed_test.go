package redis_test

import (
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// wantRoster wants the node to tell its members in "room" after an outage what has changed.
func wantRoster(t *testing.T, at testkit.Line, d interface{ HasRoster(string) (bool, bool) }) {
	t.Helper()
	if tells, asks := d.HasRoster("room"); !tells || !asks {
		t.Fatalf("%s: tells %t, asks %t", at, tells, asks)
	}
}

// TestPresentAfterSubscribedAgain has members leave and others join, and ask, before what the
// first ones knew has been forgotten.
func TestPresentAfterSubscribedAgain(t *testing.T) {
	t.Parallel()
	_, d := open(t, options(t, shared.URL()))
	ctx, group := t.Context(), []string{"room"}
	must := func(at testkit.Line, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
	}
	must(testkit.Here(), d.Subscribe(ctx, group, nil))
	_, err := d.Present(ctx, "room", "")
	must(testkit.Here(), err)
	release := d.HoldInbox("room")
	must(testkit.Here(), d.Subscribe(ctx, nil, group))
	must(testkit.Here(), d.Subscribe(ctx, group, nil))
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := d.Present(ctx, "room", ""); err != nil {
			t.Error(err)
		}
	})
	release()
	asking.Wait()
	wantRoster(t, testkit.Here(), d)
}

// TestPresentWhileSubscribedAgain asks at any moment while members leave and others join.
func TestPresentWhileSubscribedAgain(t *testing.T) {
	t.Parallel()
	_, d := open(t, options(t, shared.URL()))
	ctx, group := t.Context(), []string{"room"}
	for range testkit.Count(2000, 300) {
		if err := d.Subscribe(ctx, group, nil); err != nil {
			t.Fatal(err)
		}
		var asking sync.WaitGroup
		for range 3 {
			asking.Go(func() {
				if _, err := d.Present(ctx, "room", ""); err != nil {
					t.Error(err)
				}
			})
		}
		for _, change := range [][2][]string{{nil, group}, {group, nil}} {
			if err := d.Subscribe(ctx, change[0], change[1]); err != nil {
				t.Fatal(err)
			}
		}
		asking.Wait()
		if tells, asks := d.HasRoster("room"); tells != asks {
			t.Fatalf("tells %t, asks %t", tells, asks)
		}
		if err := d.Subscribe(ctx, nil, group); err != nil {
			t.Fatal(err)
		}
	}
}
