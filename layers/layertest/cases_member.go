package layertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// memberCases are about subscribing and what comes after it.
func memberCases() []testCase {
	return []testCase{
		{
			name: "subscribed-at-once",
			rule: "When Subscribe has returned nil the node receives what is published from then on: the call has waited until the back end knew.",
			run:  subscribedAtOnce,
		},
		{
			name: "subscribe-again",
			rule: "Subscribing to a group again is not an error, and events still come once.",
			run:  subscribeAgain,
		},
		{
			name: "drop-before-add",
			rule: "Dropping a group to which the node has not subscribed is not an error, and does not prevent it from subscribing.",
			run:  dropBeforeAdd,
		},
		{
			name: "nothing-after-drop",
			rule: "When Subscribe has returned nil, what is published from then on to a dropped group does not come, not even later.",
			run:  nothingAfterDrop,
		},
		{
			name: "subscribe-storm",
			rule: "After nodes have subscribed and dropped groups at random, each receives exactly the groups it has kept.",
			run:  subscribeStorm,
		},
		{
			name: "ten-thousand-groups",
			rule: "A node may subscribe to ten thousand groups, in one call or many, and drop them.",
			run:  tenThousandGroups,
		},
	}
}

func subscribedAtOnce(s *env) {
	a, b := s.peer(), s.peer()
	for n := range 100 {
		g := s.name(fmt.Sprintf("now%d", n))
		b.subscribe(g)
		a.publish(g, n)
		b.wantNotes(g, n)
	}
}

func subscribeAgain(s *env) {
	g, a, b := s.name("again"), s.peer(), s.peer()
	b.subscribe(g)
	b.subscribe(g, g)
	a.publish(g, 0)
	b.wantNotes(g, 0)
	b.drop(g)
	b.subscribe(g)
	a.publish(g, 1)
	b.wantNotes(g, 0, 1)
}

func dropBeforeAdd(s *env) {
	g, a, b := s.name("drop"), s.peer(), s.peer()
	b.drop(g)
	b.change([]string{g}, []string{s.name("never")})
	a.publish(g, 0)
	b.wantNotes(g, 0)
}

func nothingAfterDrop(s *env) {
	g, a, b, witness := s.name("left"), s.peer(), s.peer(), s.peer()
	witness.subscribe(g)
	b.subscribe(g)
	a.publish(g, 0)
	b.wantNotes(g, 0)
	b.drop(g)
	for n := 1; n < 20; n++ {
		a.publish(g, n)
	}
	witness.wantNotes(g, upTo(20)...) // so they have been on their way
	b.subscribe(g)
	a.publish(g, 20)
	b.wantNotes(g, 0, 20)
	witness.wantNotes(g, upTo(21)...)
}

func subscribeStorm(s *env) {
	const rounds, groups = 60, 12
	sender, all := s.peer(), s.peers(3)
	kept := make([][]bool, len(all))
	name := func(i int) string { return s.name(fmt.Sprintf("storm%d", i)) }
	s.parallel(len(all)+1, func(i int) {
		if i < len(all) {
			kept[i] = all[i].subscribeAtRandom(rounds, groups, name)
			return
		}
		for n := range rounds * groups {
			sender.publish(name(n%groups), -1)
		}
	})
	for g := range groups {
		sender.publish(name(g), 0)
	}
	for i, p := range all {
		s.wantKept(p, kept[i], name)
	}
	for i, p := range all { // those that were dropped once more, so that what should not have come is in front
		for g := range groups {
			if !kept[i][g] {
				p.subscribe(name(g))
				sender.publish(name(g), 1)
				s.wantCalm(p, name(g), 1)
			}
		}
	}
}

// subscribeAtRandom subscribes and drops groups at random, and returns which it has kept.
func (p *peer) subscribeAtRandom(rounds, groups int, name func(int) string) []bool {
	kept := make([]bool, groups)
	random := rand.New(rand.NewPCG(uint64(p.name[0]), uint64(p.name[1]))) //nolint:gosec // it need not be secret
	for range rounds {
		var add, drop []string
		for g := range groups {
			switch random.IntN(3) {
			case 0:
				add, kept[g] = append(add, name(g)), true
			case 1:
				drop, kept[g] = append(drop, name(g)), false
			}
		}
		p.change(add, drop)
	}
	return kept
}

// wantKept wants note 0 in the groups that p has kept.
func (s *env) wantKept(p *peer, kept []bool, name func(int) string) {
	for g, in := range kept {
		if in {
			s.wantCalm(p, name(g), 0)
		}
	}
}

// wantCalm waits for note n in a group, which must be the first after the storm.
func (s *env) wantCalm(p *peer, group string, n int) {
	var calm []int
	read := func() []int {
		calm = nil
		for _, e := range p.mu.groups[group] {
			if got, err := noteOf(e); err == nil && got.N >= 0 {
				calm = append(calm, got.N)
			}
		}
		return calm
	}
	p.until(fmt.Sprintf("note %d of a group", n),
		func() bool { return slices.Contains(read(), n) },
		func() string { return fmt.Sprintf("after the storm came %v", read()) })
	if !slices.Equal(calm, []int{n}) {
		s.fatalf("after the storm a node got notes %v of a group, want [%d]", calm, n)
	}
}

func tenThousandGroups(s *env) {
	const many = 10_000
	a, b := s.peer(), s.peer()
	groups := make([]string, many)
	for i := range groups {
		groups[i] = s.name(fmt.Sprintf("g%d", i))
	}
	b.subscribe(groups[:many/2]...)
	for some := range slices.Chunk(groups[many/2:], 500) {
		b.subscribe(some...)
	}
	for n, g := range groups {
		a.publish(g, n)
	}
	for n, g := range groups {
		b.wantNotes(g, n)
	}
	b.drop(groups[1:]...)
	for _, g := range groups[1:50] {
		a.publish(g, -1)
	}
	a.publish(groups[0], 1)
	b.wantNotes(groups[0], 0, 1)
	b.subscribe(groups[1:]...)
	a.publish(groups[1], 2)
	b.wantNotes(groups[1], 1, 2)
}
