package protocol_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestModel lets random lives of a connection happen, in fake time, and checks
// them against everything that package protocol promises. A failure prints its
// seed and the smallest plan that still fails. WYE_SEED=n runs that one seed
// again, WYE_SEEDS=n those from 1 to n.
func TestModel(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 800)
	seen, failed := map[string]bool{}, 0
	for seed := first; seed <= last; seed++ {
		p := newPlan(seed)
		log, wrong := live(t, p)
		for _, s := range sights() {
			seen[s.name] = seen[s.name] || slices.ContainsFunc(log, func(e *entry) bool { return s.is(p, log, e) })
		}
		if len(wrong) == 0 {
			continue
		}
		report(t, p, log, wrong)
		failed++
		if failed == 3 {
			t.Fatalf("giving up after %d failures, at seed %d of %d", failed, seed, last)
		}
	}
	if last-first < 100 || testing.Short() {
		return
	}
	for _, s := range sights() {
		if !seen[s.name] {
			t.Errorf("no plan has led to %q: the generator no longer reaches all that the model checks", s.name)
		}
	}
}

// report fails the test, with the smallest plan that is still wrong.
func report(t *testing.T, p *plan, log []*entry, wrong []string) {
	t.Helper()
	small := shrink(t, p)
	if again, faults := live(t, small); len(faults) > 0 {
		p, log, wrong = small, again, faults
	}
	var lines []string
	for _, e := range log {
		lines = append(lines, e.String())
	}
	t.Errorf("WYE_SEED=%d: %s\n\nthe plan, made small if that could be done:\n%v\n\nwhat happened:\n%s\n",
		p.seed, strings.Join(wrong, "\n"), p, strings.Join(lines, "\n"))
}

// shrink leaves out of the plan what it fails without.
func shrink(t *testing.T, p *plan) *plan {
	t.Helper()
	for again, tries := true, 300; again; {
		again = false
		for _, smaller := range p.without() {
			tries--
			if tries < 0 {
				return p
			}
			if _, wrong := live(t, smaller); len(wrong) > 0 {
				p, again = smaller, true
				break
			}
		}
	}
	return p
}

// without are the plans that are smaller by one thing.
func (p *plan) without() (all []*plan) {
	change := func(f func(c *plan)) {
		c := *p
		c.acts, c.messages = slices.Clone(p.acts), slices.Clone(p.messages)
		c.connect.does, c.connect.then = slices.Clone(p.connect.does), slices.Clone(p.connect.then)
		f(&c)
		all = append(all, &c)
	}
	for i := range p.messages {
		change(func(c *plan) { c.messages = slices.Delete(c.messages, i, i+1) })
		if s := p.messages[i].script; len(s.does)+len(s.then) > 0 {
			change(func(c *plan) { c.messages[i].script.does, c.messages[i].script.then = nil, nil })
		}
	}
	for i := range p.acts {
		change(func(c *plan) { c.acts = slices.Delete(c.acts, i, i+1) })
	}
	for i := range p.connect.does {
		change(func(c *plan) { c.connect.does = slices.Delete(c.connect.does, i, i+1) })
	}
	for i := range p.connect.then {
		change(func(c *plan) { c.connect.then = slices.Delete(c.connect.then, i, i+1) })
	}
	if p.end != nil {
		change(func(c *plan) { c.end = nil })
	}
	if len(p.farewell.does) > 0 || p.farewell.result != goesOn {
		change(func(c *plan) { c.farewell = script{} })
	}
	if p.looped {
		change(func(c *plan) { c.looped = false })
	}
	return all
}
