package layertest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// groupCases are about the nodes that receive what is published.
func groupCases() []testCase {
	return []testCase{
		{
			name: "fan-out",
			rule: "What a node publishes to a group reaches every other node that has subscribed to it, once.",
			run:  fanOut,
		},
		{
			name: "no-echo",
			rule: "A node that has subscribed to a group does not receive what it publishes there itself: its layer has delivered that already.",
			run:  noEcho,
		},
		{
			name: "own-groups-only",
			rule: "A node receives nothing of groups to which it has not subscribed, however similar their names are.",
			run:  ownGroupsOnly,
		},
		{
			name: "names",
			rule: "Every name that layers.ValidName allows works, from 1 byte to layers.MaxName, and names differ in each byte.",
			run:  names,
		},
		{
			name: "groups-are-no-channels",
			rule: "A group and a named channel of the same name are independent.",
			asks: asksQueues,
			run:  groupsAreNoChannels,
		},
	}
}

func fanOut(s *env) {
	g, all := s.name("fan"), s.peers(4)
	for _, p := range all[1:] {
		p.subscribe(g)
	}
	for n := range 10 {
		all[0].publish(g, n)
	}
	for _, p := range all[1:] {
		p.wantNotes(g, upTo(10)...)
	}
}

func noEcho(s *env) {
	g, a, b := s.name("echo"), s.peer(), s.peer()
	a.subscribe(g)
	b.subscribe(g)
	a.publish(g, 0)
	a.publish(g, 1)
	b.wantNotes(g, 0, 1)
	b.publish(g, 2) // behind any echo
	a.wantNotes(g, 2)
}

func ownGroupsOnly(s *env) {
	g, a, b, witness := s.name("room"), s.peer(), s.peer(), s.peer()
	others := []string{g + ".", g + ".x", g + "0", "x" + g, g[1:], g[:len(g)-1], strings.ToUpper(g), "." + g, strings.Replace(g, "-", ".", 1)}
	witness.subscribe(others...)
	b.subscribe(g)
	for n, other := range others {
		a.publish(other, n)
	}
	for n, other := range others {
		witness.wantNotes(other, n)
	}
	a.publish(g, 100)
	b.wantNotes(g, 100)
	s.must("Close", b.close())
	if n := b.total(); n != 1 {
		s.fatalf("a node that has subscribed to one group, to which one event was published, received %d calls", n)
	}
}

func names(s *env) {
	a, b := s.peer(), s.peer()
	long := strings.Repeat("x", layers.MaxName)
	all := []string{
		"a", "A", "0", "-", "_", ".", "..", ".-", "a.b", "a..b", "a-b", "a_b", "A.b", "-a", "a-", "...a",
		long, long[1:], long[1:] + "y", long[1:] + "X", "X" + long[1:], strings.Repeat(".", layers.MaxName),
	}
	b.subscribe(all...)
	for n, g := range all {
		a.publish(g, n)
	}
	for n, g := range all {
		b.wantNotes(g, n)
	}
}

func groupsAreNoChannels(s *env) {
	name, a, b := s.name("both"), s.peer(), s.peer()
	b.subscribe(name)
	a.publish(name, 1)
	a.send(name, 2)
	if n := s.oneNote(b.pull(name)); n != 2 {
		s.fatalf("note %d was pulled, which has been published to the group", n)
	}
	a.publish(name, 3)
	b.wantNotes(name, 1, 3)
}

// orderCases are about order.
func orderCases() []testCase {
	return []testCase{
		{
			name: "order",
			rule: "What one goroutine publishes to one group arrives in that order, nothing missing, nothing twice.",
			run:  order,
		},
		{
			name: "order-of-many",
			rule: "The order of each sender holds also when many on all nodes publish to one group at once.",
			run:  orderOfMany,
		},
		{
			name: "order-of-groups",
			rule: "The order in each group holds when a goroutine publishes to many by turns.",
			run:  orderOfGroups,
		},
		{
			name: "order-of-kinds",
			rule: "Events and ready messages (protocol.SendType) that one goroutine publishes by turns arrive in that order.",
			run:  orderOfKinds,
		},
	}
}

func order(s *env) {
	const many = 1000
	g, a, b := s.name("order"), s.peer(), s.peer()
	b.subscribe(g)
	for n := range many {
		a.publish(g, n)
	}
	b.wantNotes(g, upTo(many)...)
}

func orderOfKinds(s *env) {
	const many = 300
	g, a, b := s.name("kinds"), s.peer(), s.peer()
	b.subscribe(g)
	for n := range many {
		if n%2 == 0 {
			a.publish(g, n)
		} else {
			a.publishEvent(g, protocol.Prepare(protocol.Text(strconv.Itoa(n))).Event())
		}
	}
	for n, e := range b.events(g, many) {
		got := -1
		if p := e.Prepared(); p != nil {
			got, _ = strconv.Atoi(p.Message().Text()) //nolint:errcheck // then it is another number
		} else if note, err := noteOf(e); err == nil {
			got = note.N
		}
		if got != n {
			s.fatalf("of events and messages by turns, number %d has come in the place of %d", got, n)
		}
	}
}

func orderOfMany(s *env) {
	const each, perNode = 100, 4
	g, all := s.name("many"), s.peers(3)
	for _, p := range all {
		p.subscribe(g)
	}
	s.parallel(len(all)*perNode, func(i int) {
		p := all[i%len(all)]
		for n := range each {
			p.publishEvent(g, newNote(fmt.Sprintf("%s/%d", p.name, i), n))
		}
	})
	for at, p := range all {
		from := map[string][]int{}
		for _, e := range p.events(g, (len(all)-1)*perNode*each) {
			n, err := noteOf(e)
			s.must("Reading what has arrived", err)
			from[n.From] = append(from[n.From], n.N)
		}
		for i := range len(all) * perNode {
			sender, want := all[i%len(all)], upTo(each)
			if i%len(all) == at {
				want = nil // its own
			}
			if got := from[fmt.Sprintf("%s/%d", sender.name, i)]; !slices.Equal(got, want) {
				s.fatalf("a node got %s from one of %d senders, want %s", shorten(got), len(all)*perNode, shorten(want))
			}
		}
	}
}

func orderOfGroups(s *env) {
	a, b := s.peer(), s.peer()
	groups := make([]string, 20)
	for i := range groups {
		groups[i] = s.name(fmt.Sprintf("g%d", i))
	}
	b.subscribe(groups...)
	for n := range 20 {
		for _, g := range groups {
			a.publish(g, n)
		}
	}
	for _, g := range groups {
		b.wantNotes(g, upTo(20)...)
	}
}
