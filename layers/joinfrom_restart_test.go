package layers_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// TestJoinFromWhereSomebodyJoinedWhileDown: what the driver said then is past.
func TestJoinFromWhereSomebodyJoinedWhileDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		d := b.Node()
		l, other := open(t, d), open(t, b.Node())
		b.Partition(d)
		join(t, l, "g", &member{})
		b.Heal()
		m := &member{}
		joinFrom(t, l, m, protocol.Position{})
		record(t, other, 1, layers.Retention{})
		synctest.Wait()
		if got := m.heard("x"); !slices.Equal(got, []int{1}) {
			t.Errorf("delivered %v, want [1]", got)
		}
	})
}

// TestHistoryBeginsAnewWhileItIsRead: what waits of one that is lost is not handed on
// behind the new one, where its place would tell nothing.
func TestHistoryBeginsAnewWhileItIsRead(t *testing.T) {
	t.Parallel()
	const lose = -1
	for _, row := range []struct {
		at         testkit.Line
		name       string
		after      bool
		meanwhile  []int
		kept, live []int // 1 was recorded before, 9 is recorded afterwards
	}{
		{testkit.Here(), "before it is looked at", false, []int{2, lose, 3}, []int{3}, []int{9}},
		{testkit.Here(), "twice", false, []int{2, lose, 3, lose, 4, 5}, []int{4, 5}, []int{9}},
		{testkit.Here(), "and nothing is recorded", false, []int{2, lose}, nil, []int{9}},
		{testkit.Here(), "after it was looked at", true, []int{2, lose, 3}, []int{3}, []int{9}},
		{testkit.Here(), "not at all", true, []int{2, 3}, []int{1}, []int{2, 3, 9}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &archive{}
				l, m := open(t, d), &member{}
				var once sync.Once
				meanwhile := func(context.Context) error {
					once.Do(func() {
						for _, n := range row.meanwhile {
							if n == lose {
								d.lose()
							} else {
								record(t, l, n, layers.Retention{})
							}
							synctest.Wait()
						}
					})
					return nil
				}
				if d.before = meanwhile; row.after {
					d.before, d.after = nil, meanwhile
				}
				record(t, l, 1, layers.Retention{})
				h := joinFrom(t, l, m, protocol.Position{})
				record(t, l, 9, layers.Retention{})
				synctest.Wait()
				if got := numbers(t, h.Events); !slices.Equal(got, row.kept) {
					t.Errorf("%s: read %v, want %v", row.at, got, row.kept)
				}
				if got := m.heard("x"); !slices.Equal(got, row.live) {
					t.Errorf("%s: delivered %v, want %v", row.at, got, row.live)
				}
			})
		})
	}
}
