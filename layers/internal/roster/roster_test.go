package roster

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// dot is a member. Pointers to it differ, because it has a size.
type dot struct{ _ byte }

// walk is a view that was given out, and what it held then.
type walk struct {
	given View[*dot]
	then  []*dot
}

func listOf(v View[*dot]) (all []*dot) {
	for chunk := range v.Chunks {
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
	g, model := &Set[*dot]{}, map[*dot]bool{}
	var walks []walk
	for step := range steps {
		m := all[random.IntN(len(all))]
		joins := 3 + 3*(step/5000%2) // it grows and shrinks by turns
		switch n := random.IntN(10); {
		case n < joins:
			if g.Add(m) == model[m] {
				t.Fatalf("step %d: add says the contrary of what was", step)
			}
			model[m] = true
		case n < 9:
			if g.Remove(m) != model[m] {
				t.Fatalf("step %d: remove says the contrary of what was", step)
			}
			delete(model, m)
		default:
			v := g.Walk()
			walks = append(walks, walk{v, listOf(v)})
		}
		if step%16 == 0 && !sameMembers(g, model) || g.Len() != len(model) {
			t.Fatalf("step %d: the roster has %d members, want %d", step, g.Len(), len(model))
		}
		if len(walks) == 50 {
			checkWalks(t, walks)
			walks = nil
		}
	}
}

func sameMembers(g *Set[*dot], model map[*dot]bool) bool {
	for i, m := range listOf(g.view) {
		if !model[m] || g.find(m) != i {
			return false
		}
	}
	return g.Len() == len(model)
}

func checkWalks(t *testing.T, walks []walk) {
	t.Helper()
	for _, w := range walks {
		if !slices.Equal(listOf(w.given), w.then) {
			t.Errorf("a list of %d that was given out has changed", len(w.then))
		}
	}
}

// TestRosterCopiesLittle: a member that leaves a large group that is walked costs
// two chunks, once.
func TestRosterCopiesLittle(t *testing.T) {
	t.Parallel()
	g := &Set[*dot]{}
	for range 4*chunkSize + 10 {
		g.Add(&dot{})
	}
	before := g.Walk()
	gone := before.full[1][7]
	g.Remove(gone)
	after := g.view
	same := func(a, b []*dot) bool { return &a[0] == &b[0] }
	for i := range after.full {
		if same(before.full[i], after.full[i]) != (i != 1) {
			t.Errorf("chunk %d is copied: %t", i, !same(before.full[i], after.full[i]))
		}
	}
	if same(before.last, after.last) {
		t.Error("the last chunk, of which a member has gone, is not copied")
	}
	g.Remove(g.view.full[1][8])
	if !same(after.full[1], g.view.full[1]) || !same(after.last, g.view.last) {
		t.Error("without a walk in between, chunks are copied again")
	}
	if g.view.last[:cap(g.view.last)][len(g.view.last)] != nil {
		t.Error("a member that has left is still referred to")
	}
}

// TestRosterReplaces, and those who walk do not notice.
func TestRosterReplaces(t *testing.T) {
	t.Parallel()
	const seed = 5
	random := rand.New(rand.NewPCG(seed, seed))
	for _, size := range []int{1, searchBelow, searchBelow + 1, chunkSize, 3*chunkSize + 5} {
		g, model := &Set[*dot]{}, map[*dot]bool{}
		for range size {
			d := &dot{}
			g.Add(d)
			model[d] = true
		}
		for range 200 {
			before := g.Walk()
			then := listOf(before)
			for range 1 + random.IntN(3) {
				old, d := listOf(g.view)[random.IntN(size)], &dot{}
				g.Replace(old, d)
				delete(model, old)
				model[d] = true
			}
			checkWalks(t, []walk{{before, then}})
			if !sameMembers(g, model) {
				t.Fatalf("of %d the roster has other members than it should", size)
			}
		}
	}
}
