package layers

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// dot is a member that is nothing but itself.
type dot struct{ _ byte }

func (*dot) Deliver(*protocol.Event) bool  { return false }
func (*dot) Offer(*protocol.Prepared) bool { return false }

// walk is a view that was given out, and what it held then.
type walk struct {
	given view
	then  []Member
}

func listOf(v view) (all []Member) {
	for chunk := range v.chunks {
		all = append(all, chunk...)
	}
	return all
}

// TestRosterKeepsTheListsItHasGivenOut does thousands of random steps on a
// roster beside a map, and looks again at all that was given out since.
func TestRosterKeepsTheListsItHasGivenOut(t *testing.T) {
	t.Parallel()
	const seed, steps = 7, 20000
	random := rand.New(rand.NewPCG(seed, seed))
	all := make([]*dot, 3*chunkSize/2)
	for i := range all {
		all[i] = &dot{}
	}
	g, model := &roster{}, map[Member]bool{}
	var walks []walk
	for step := range steps {
		m := all[random.IntN(len(all))]
		joins := 3 + 3*(step/5000%2) // it grows and shrinks by turns
		switch n := random.IntN(10); {
		case n < joins:
			if g.add(m) == model[m] {
				t.Fatalf("step %d: add says the contrary of what was", step)
			}
			model[m] = true
		case n < 9:
			if g.remove(m) != model[m] {
				t.Fatalf("step %d: remove says the contrary of what was", step)
			}
			delete(model, m)
		default:
			v := g.walk()
			walks = append(walks, walk{v, listOf(v)})
		}
		if step%16 == 0 && !sameMembers(g, model) || g.len() != len(model) {
			t.Fatalf("step %d: the roster has %d members, want %d", step, g.len(), len(model))
		}
		if len(walks) == 50 {
			checkWalks(t, walks)
			walks = nil
		}
	}
}

func sameMembers(g *roster, model map[Member]bool) bool {
	if g.index != nil && len(g.index) != len(model) {
		return false
	}
	for i, m := range listOf(g.view) {
		if !model[m] || g.find(m) != i {
			return false
		}
	}
	return g.len() == len(model)
}

func checkWalks(t *testing.T, walks []walk) {
	t.Helper()
	for _, w := range walks {
		if !slices.Equal(listOf(w.given), w.then) {
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
	groups, channels := 0, 0
	for i := range shards {
		groups += len(l.groups[i].names)
		channels += len(l.channels[i].names)
	}
	if groups != 0 || channels != 0 {
		t.Errorf("%d groups and %d channels are left of none", groups, channels)
	}
}

// TestRosterCopiesLittle: a member that leaves a large group that is walked costs
// two chunks, once.
func TestRosterCopiesLittle(t *testing.T) {
	t.Parallel()
	g := &roster{}
	for range 4*chunkSize + 10 {
		g.add(&dot{})
	}
	before := g.walk()
	gone := before.full[1][7]
	g.remove(gone)
	after := g.view
	same := func(a, b []Member) bool { return &a[0] == &b[0] }
	for i := range after.full {
		if same(before.full[i], after.full[i]) != (i != 1) {
			t.Errorf("chunk %d is copied: %t", i, !same(before.full[i], after.full[i]))
		}
	}
	if same(before.last, after.last) {
		t.Error("the last chunk, of which a member has gone, is not copied")
	}
	g.remove(g.full[1][8])
	if !same(after.full[1], g.full[1]) || !same(after.last, g.last) {
		t.Error("without a walk in between, chunks are copied again")
	}
	if g.last[:cap(g.last)][len(g.last)] != nil {
		t.Error("a member that has left is still referred to")
	}
}
