package layers

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// dot is a member that is nothing but itself.
type dot struct{ _ byte }

func (*dot) Deliver(*protocol.Event)  {}
func (*dot) Offer(*protocol.Prepared) {}

// walk is a list that was given out, and what it held then.
type walk struct{ given, then []Member }

// TestRosterKeepsTheListsItHasGivenOut does thousands of random steps on a
// roster beside a map, and looks again at all that was given out since.
func TestRosterKeepsTheListsItHasGivenOut(t *testing.T) {
	t.Parallel()
	const seed, steps = 7, 5000
	random := rand.New(rand.NewPCG(seed, seed))
	all := make([]*dot, 12)
	for i := range all {
		all[i] = &dot{}
	}
	g, model := newRoster(), map[Member]bool{}
	var walks []walk
	for step := range steps {
		m := all[random.IntN(len(all))]
		switch random.IntN(5) {
		case 0, 1:
			g.add(m)
			model[m] = true
		case 2, 3:
			g.remove(m)
			delete(model, m)
		case 4:
			list := g.members()
			walks = append(walks, walk{list, slices.Clone(list)})
		}
		if !sameMembers(g, model) {
			t.Fatalf("step %d: the roster has %d members, want %d", step, len(g.list), len(model))
		}
		if len(walks) == 50 {
			checkWalks(t, walks)
			walks = nil
		}
	}
}

func sameMembers(g *roster, model map[Member]bool) bool {
	if len(g.list) != len(model) || len(g.index) != len(model) || g.empty() != (len(model) == 0) {
		return false
	}
	for i, m := range g.list {
		if !model[m] || g.index[m] != i {
			return false
		}
	}
	return true
}

func checkWalks(t *testing.T, walks []walk) {
	t.Helper()
	for _, w := range walks {
		if !slices.Equal(w.given, w.then) {
			t.Errorf("a list of %d that was given out has changed", len(w.then))
		}
	}
}

func TestALayerForgetsWhatIsEmpty(t *testing.T) {
	t.Parallel()
	var l Layer
	d := &dot{}
	for _, group := range []string{"a", "b", "a"} {
		if err := l.Join(t.Context(), group, d); err != nil {
			t.Fatal(err)
		}
	}
	unbind, err := l.Bind("c", d)
	if err != nil {
		t.Fatal(err)
	}
	unbind()
	l.Leave("a", d)
	l.Leave("b", d)
	if groups, channels := len(l.mu.groups), len(l.mu.channels); groups != 0 || channels != 0 {
		t.Errorf("%d groups and %d channels are left of none", groups, channels)
	}
}

func TestRosterCopiesOncePerWalk(t *testing.T) {
	t.Parallel()
	g := newRoster()
	for range 100 {
		g.add(&dot{})
	}
	before := g.members()
	g.remove(before[0])
	copied := g.list
	g.remove(before[1])
	if &g.list[0] == &before[0] || &g.list[0] != &copied[0] {
		t.Error("the first change after a walk copies the list, and the next one does not")
	}
	if g.list[:cap(g.list)][len(g.list)] != nil {
		t.Error("a member that has left is still referred to")
	}
}
