package layers_test

import (
	"slices"
	"testing"
	"testing/synctest"

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
		record(t, other, 1, layers.Keep{})
		synctest.Wait()
		if got := m.heard("x"); !slices.Equal(got, []int{1}) {
			t.Errorf("delivered %v, want [1]", got)
		}
	})
}
