package fanout

import "testing"

// The benchmarks mean nothing if a hub does less.

func TestAllHubsDeliverTheSame(t *testing.T) {
	t.Parallel()
	for _, made := range append(hubs(), make1{"centrifuge-queued", newQueued}) {
		t.Run(made.name, func(t *testing.T) {
			t.Parallel()
			h := made.make(t)
			const n = 600 // chunks and maps grow
			all := h.enter(t, "g", n)
			for i, m := range all {
				if i%3 == 0 {
					h.leave("g", m)
				}
			}
			for what, send := range h.sends {
				before := counts(all)
				if err := send("g"); err != nil {
					t.Fatal(err)
				}
				for i, now := range counts(all) {
					if got, in := now-before[i], i%3 != 0; got == 1 != in || got > 1 {
						t.Fatalf("%s: member %d, in the group: %t, has got it %d times", what, i, in, got)
					}
				}
			}
		})
	}
}

func counts(all []member) []int64 {
	n := make([]int64, len(all))
	for i, m := range all {
		n[i] = m.count()
	}
	return n
}

func TestHubsTellGroupsApart(t *testing.T) {
	t.Parallel()
	for _, made := range hubs() {
		t.Run(made.name, func(t *testing.T) {
			t.Parallel()
			h := made.make(t)
			both := h.make(t, 2)
			h.mustJoin(t, "g", both[0])
			h.mustJoin(t, "other", both[1])
			before := counts(both)
			if err := h.sends[broadcast]("g"); err != nil {
				t.Fatal(err)
			}
			if now := counts(both); now[0] != before[0]+1 || now[1] != before[1] {
				t.Errorf("a send to one group: its member has %d, another's %d; want 1 and 0", now[0]-before[0], now[1]-before[1])
			}
		})
	}
}
