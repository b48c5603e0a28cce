package layertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wye-go/wye/layers"
)

// presenceCases are for drivers that are layers.Presencer.
func presenceCases() []testCase {
	all := append([]testCase{
		{
			name: "presence-present",
			rule: "Present returns on any node who is in the group on all nodes, as they have entered, ordered by Since and then by ID.",
			run:  presencePresent,
		},
		{
			name: "presence-events",
			rule: "All nodes that have subscribed, the sender too, receive Entered with the first of a Key and Exited with the last, " +
				"whichever nodes they are on, once and in order; Exit of what is not there is not an error.",
			run: presenceEvents,
		},
		{
			name: "presence-replaced",
			rule: "Enter with an ID that is there replaces it: with the same Key it is there since as long, " +
				"with another Key the old one exits and the new one enters.",
			run: presenceReplaced,
		},
		{
			name: "presence-changed",
			rule: "Enter with an ID and a Key that are there and another Meta, of whichever of a Key's presences, tells all nodes Changed, " +
				"once and in order; with the same Meta it tells nobody.",
			run: presenceChanged,
		},
		{
			name: "presence-storm",
			rule: "When many nodes enter and exit at once, every node receives the same events, and of each Key Entered and Exited in turn.",
			run:  presenceStorm,
		},
		{
			name: "presence-key",
			rule: "Present with a key returns, on any node, those of that key only, and Count how many there are in the whole group.",
			run:  presenceKey,
		},
		{
			name: "presence-linger",
			rule: "A presence that exits with a linger stays so long; until then another one of its Key, on any node, replaces it, " +
				"which sends no event but Changed; Exit without a linger ends it at once.",
			run: presenceLinger,
		},
		{
			name: "presence-ctx",
			rule: "Enter, Exit, Present and Count with a ctx that has ended return its error, and nothing changes.",
			run:  presenceCtx,
		},
	}, presenceFaultCases()...)
	for i := range all {
		all[i].asks = asksPresence
	}
	return all
}

// presenceFaultCases are about nodes that end and a back end that is down.
func presenceFaultCases() []testCase {
	return []testCase{
		{
			name: "presence-node-leaves",
			rule: "What a node has entered that is closed exits after the lease at the latest; what others have entered stays.",
			run:  func(s *env) { s.presenceWithout(func(p *peer) { s.must("Close", p.close()) }) },
		},
		{
			name:  "presence-node-dies",
			rule:  "What a node has entered that dies exits when its lease has ended; what others have entered stays.",
			needs: needsKill,
			run:   func(s *env) { s.presenceWithout(s.kill) },
		},
		{
			name: "presence-down",
			rule: "While the back end is down Enter, Exit and Present return ErrDown; when it is back, who had entered is there again, " +
				"and who has exited meanwhile is not.",
			needs: needsStop,
			run:   presenceDown,
		},
	}
}

// presencer is the driver, which is one, or the case is skipped.
func (p *peer) presencer() layers.Presencer {
	d, ok := p.driver.(layers.Presencer)
	if !ok {
		p.env.fatalf("%T is no layers.Presencer, although another driver of New's was", p.driver)
	}
	return d
}

func (p *peer) tryEnter(group string, who layers.Presence) error {
	return p.env.call("Enter", func(ctx context.Context) error { return p.presencer().Enter(ctx, group, who) })
}

func (p *peer) tryExit(group, id string) error { return p.tryExitAfter(group, id, 0) }

func (p *peer) tryExitAfter(group, id string, linger time.Duration) error {
	return p.env.call("Exit", func(ctx context.Context) error { return p.presencer().Exit(ctx, group, id, linger) })
}

func (p *peer) tryPresent(group string) (all []layers.Presence, err error) {
	return p.tryPresentKey(group, "")
}

func (p *peer) tryPresentKey(group, key string) (all []layers.Presence, err error) {
	err = p.env.call("Present", func(ctx context.Context) error {
		all, err = p.presencer().Present(ctx, group, key)
		return err
	})
	return all, err
}

// enter enters, or fails.
func (p *peer) enter(group string, who layers.Presence) {
	p.env.must("Enter", p.tryEnter(group, who))
}

func (p *peer) exit(group, id string) { p.env.must("Exit", p.tryExit(group, id)) }

// exitAfter exits with a linger, or fails.
func (p *peer) exitAfter(group, id string, linger time.Duration) {
	p.env.must("Exit with a linger", p.tryExitAfter(group, id, linger))
}

// some is a presence of key at a second after a time that all have in common.
func some(id, key string, second int) layers.Presence {
	return layers.Presence{
		ID: id, Key: key, Meta: json.RawMessage(fmt.Sprintf(`{"id":%q}`, id)),
		Since: time.Date(2020, 1, 1, 0, 0, second, 123e6, time.UTC),
	}
}

// shown is a presence for a comparison.
func shown(p layers.Presence) string {
	return fmt.Sprintf("%s=%s %s %s", p.ID, p.Key, p.Meta, p.Since.UTC().Format("15:04:05.000"))
}

func allShown(all []layers.Presence) []string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = shown(p)
	}
	return texts
}

// wantPresent wants these and no others, in this order.
func (p *peer) wantPresent(group string, want ...layers.Presence) {
	got, err := p.tryPresent(group)
	p.env.must("Present", err)
	if !slices.Equal(allShown(got), allShown(want)) {
		p.env.fatalf("present are\n%q, want\n%q", allShown(got), allShown(want))
	}
}

// awaitPresent is wantPresent for what need not be so at once.
func (p *peer) awaitPresent(group string, want ...layers.Presence) {
	over, stop := p.env.patience()
	defer stop()
	for {
		got, err := p.tryPresent(group)
		p.env.must("Present", err)
		if slices.Equal(allShown(got), allShown(want)) {
			return
		}
		select {
		case <-time.After(p.env.suite.patience() / 500):
		case <-over:
			p.env.fatalf("present are, for long,\n%q, want\n%q", allShown(got), allShown(want))
		}
	}
}

// visits waits for n presence events and returns them: "+ann/1" if ann
// has entered, with the ID 1, "~ann/1" if that has changed.
func (p *peer) visits(group string, n int) []string {
	events := p.events(group, n)
	all := make([]string, 0, len(events))
	for _, e := range events {
		sign, typ := "+", layers.Entered
		switch e.Type() {
		case layers.Exited.Name:
			sign, typ = "-", layers.Exited
		case layers.Changed.Name:
			sign, typ = "~", layers.Changed
		}
		v, err := typ.Payload(e)
		p.env.must("Reading an event about who is present", err)
		if v.Group != group || v.Presence.Since.IsZero() || !strings.Contains(string(v.Presence.Meta), v.Presence.ID) {
			p.env.fatalf("an event of group %q tells of group %q and %q", group, v.Group, shown(v.Presence))
		}
		all = append(all, sign+v.Presence.Key+"/"+v.Presence.ID)
	}
	return all
}

// wantVisits wants these and no others, in this order.
func (p *peer) wantVisits(group string, want ...string) {
	if got := p.visits(group, len(want)); !slices.Equal(got, want) {
		p.env.fatalf("a node received %q, want %q", got, want)
	}
	p.only(group, len(want))
}

func presencePresent(s *env) {
	g, other, a, b := s.name("present"), s.name("other"), s.peer(), s.peer()
	a.wantPresent(g)
	a.enter(g, some("3", "ann", 1))
	b.enter(g, some("4", "ann", 0))
	b.enter(g, some("1", "bob", 2))
	a.enter(g, some("2", "cid", 1))
	a.enter(other, some("5", "dan", 0))
	for _, p := range []*peer{a, b, s.peer()} {
		p.wantPresent(g, some("4", "ann", 0), some("2", "cid", 1), some("3", "ann", 1), some("1", "bob", 2))
		p.wantPresent(other, some("5", "dan", 0))
	}
	b.exit(g, "1")
	a.exit(g, "2")
	for _, p := range []*peer{a, b} {
		p.wantPresent(g, some("4", "ann", 0), some("3", "ann", 1))
	}
	a.exit(g, "3")
	b.exit(g, "4")
	a.wantPresent(g)
}

func presenceEvents(s *env) {
	g, a, b, c := s.name("visit"), s.peer(), s.peer(), s.peer()
	for _, p := range []*peer{a, b, c} {
		p.subscribe(g)
	}
	a.enter(g, some("1", "ann", 0))
	b.enter(g, some("2", "ann", 1))
	b.enter(g, some("3", "bob", 2))
	a.exit(g, "1")
	a.exit(g, "9")
	b.exit(g, "2")
	b.exit(g, "2")
	a.enter(g, some("4", "ann", 3))
	b.exit(g, "3")
	a.exit(g, "4")
	for _, p := range []*peer{a, b, c} {
		p.wantVisits(g, "+ann/1", "+bob/3", "-ann/2", "+ann/4", "-bob/3", "-ann/4")
	}
}

func presenceReplaced(s *env) {
	g, a, b := s.name("again"), s.peer(), s.peer()
	b.subscribe(g)
	a.enter(g, some("1", "ann", 1))
	a.enter(g, some("2", "bob", 2))
	again := changed(some("1", "ann", 3), "another")
	a.enter(g, again)
	again.Since = some("1", "ann", 1).Since
	b.wantPresent(g, again, some("2", "bob", 2))
	a.enter(g, some("1", "cid", 4))
	b.wantPresent(g, some("2", "bob", 2), some("1", "cid", 4))
	a.exit(g, "1")
	a.exit(g, "2")
	b.wantVisits(g, "+ann/1", "+bob/2", "~ann/1", "-ann/1", "+cid/1", "-cid/1", "-bob/2")
}

// changed is p with other metadata.
func changed(p layers.Presence, how string) layers.Presence {
	p.Meta = json.RawMessage(fmt.Sprintf("%q", how+" "+p.ID))
	return p
}

func presenceChanged(s *env) {
	g, a, b, c := s.name("changed"), s.peer(), s.peer(), s.peer()
	for _, p := range []*peer{a, b, c} {
		p.subscribe(g)
	}
	first, second := some("1", "ann", 1), some("2", "ann", 2)
	a.enter(g, first)
	b.enter(g, second)
	a.enter(g, changed(first, "away"))
	a.enter(g, changed(first, "away"))
	b.enter(g, changed(second, "renamed"))
	a.enter(g, changed(first, "back"))
	b.enter(g, changed(second, "renamed"))
	b.exit(g, "2")
	a.exit(g, "1")
	for _, p := range []*peer{a, b, c} {
		p.wantVisits(g, "+ann/1", "~ann/1", "~ann/2", "~ann/1", "-ann/1")
		events := p.events(g, 5)
		for i, want := range map[int]layers.Presence{
			1: changed(first, "away"), 2: changed(second, "renamed"), 3: changed(first, "back"), 4: changed(first, "back"),
		} {
			if v, err := layers.Changed.Payload(events[i]); err != nil || shown(v.Presence) != shown(want) {
				s.fatalf("event %d tells of %s (%v), want %s", i, shown(v.Presence), err, shown(want))
			}
		}
	}
}

func presenceStorm(s *env) {
	const rounds = 15
	g, all := s.name("storm"), s.peers(3)
	for _, p := range all {
		p.subscribe(g)
	}
	s.parallel(2*len(all), func(i int) {
		id := fmt.Sprint("id", i)
		for range rounds {
			all[i/2].enter(g, some(id, fmt.Sprint("key", i%2), i))
			all[i/2].exit(g, id)
		}
	})
	all[0].wantPresent(g)
	all[0].enter(g, some("end", "end", 0))
	var first []string
	for _, p := range all {
		p.until("The last Entered", func() bool {
			events := p.mu.groups[g]
			if len(events) == 0 {
				return false
			}
			v, err := layers.Entered.Payload(events[len(events)-1])
			return err == nil && v.Presence.ID == "end"
		}, func() string { return fmt.Sprintf("%d events have", len(p.mu.groups[g])) })
		visits := p.visits(g, 0)
		if first == nil {
			first = visits
		}
		if !slices.Equal(visits, first) {
			s.fatalf("a node received %d events, and another one %d others, or in another order", len(visits), len(first))
		}
		p.only(g, len(first)+1) // "end" will exit
	}
	here := map[string]bool{}
	for i, v := range first {
		key, _, _ := strings.Cut(v[1:], "/")
		if here[key] == (v[0] == '+') {
			s.fatalf("event %d, %q, tells what was so before", i, v)
		}
		here[key] = v[0] == '+'
	}
}

func presenceCtx(s *env) {
	g, a := s.name("ended"), s.peer()
	d := a.presencer()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	a.enter(g, some("1", "ann", 0))
	s.wantErr("Enter with a ctx that has ended",
		s.watch("Enter", func() error { return d.Enter(ctx, g, some("2", "bob", 0)) }), context.Canceled)
	s.wantErr("Exit with a ctx that has ended", s.watch("Exit", func() error { return d.Exit(ctx, g, "1", 0) }), context.Canceled)
	s.wantErr("Present with a ctx that has ended", s.watch("Present", func() error {
		_, err := d.Present(ctx, g, "")
		return err
	}), context.Canceled)
	s.wantErr("Count with a ctx that has ended", s.watch("Count", func() error {
		_, err := d.Count(ctx, g)
		return err
	}), context.Canceled)
	a.wantPresent(g, some("1", "ann", 0))
}

// wantKey wants those of one key, and a count of the whole group.
func (p *peer) wantKey(group, key string, count layers.PresenceCount, want ...layers.Presence) {
	got, err := p.tryPresentKey(group, key)
	p.env.must("Present with a key", err)
	if !slices.Equal(allShown(got), allShown(want)) {
		p.env.fatalf("of %q are present\n%q, want\n%q", key, allShown(got), allShown(want))
	}
	var counted layers.PresenceCount
	p.env.must("Count", p.env.call("Count", func(ctx context.Context) error {
		counted, err = p.presencer().Count(ctx, group)
		return err
	}))
	if counted != count {
		p.env.fatalf("counted %+v, want %+v", counted, count)
	}
}

func presenceKey(s *env) {
	g, a, b := s.name("key"), s.peer(), s.peer()
	a.wantKey(g, "ann", layers.PresenceCount{})
	a.enter(g, some("1", "ann", 2))
	b.enter(g, some("2", "ann", 1))
	b.enter(g, some("3", "bob", 0))
	a.enter(s.name("other"), some("4", "ann", 0))
	for _, p := range []*peer{a, b} {
		all := layers.PresenceCount{Keys: 2, Presences: 3}
		p.wantKey(g, "ann", all, some("2", "ann", 1), some("1", "ann", 2))
		p.wantKey(g, "bob", all, some("3", "bob", 0))
		p.wantKey(g, "cid", all)
	}
	b.exit(g, "2")
	b.exit(g, "3")
	a.wantKey(g, "ann", layers.PresenceCount{Keys: 1, Presences: 1}, some("1", "ann", 2))
	a.exit(g, "1")
	b.wantKey(g, "ann", layers.PresenceCount{})
}

// presenceLinger has people come back in time, from another node too, and not.
func presenceLinger(s *env) {
	g, a, b := s.name("linger"), s.peer(), s.peer()
	for _, p := range []*peer{a, b} {
		p.subscribe(g)
	}
	brief := s.suite.patience() / 10
	a.enter(g, some("1", "ann", 1))
	a.exitAfter(g, "1", layers.MaxLinger)
	b.wantPresent(g, some("1", "ann", 1))
	b.enter(g, some("2", "ann", 2)) // comes back, elsewhere
	a.wantPresent(g, some("2", "ann", 2))
	b.exitAfter(g, "2", layers.MaxLinger)
	b.exit(g, "2") // and goes for good
	a.enter(g, some("3", "bob", 3))
	a.enter(g, some("4", "bob", 4))
	a.exitAfter(g, "3", layers.MaxLinger)
	a.exit(g, "4")
	a.wantPresent(g, some("3", "bob", 3))
	a.exit(g, "3")
	a.enter(g, some("5", "cid", 5))
	a.exitAfter(g, "5", brief)
	want := []string{"+ann/1", "~ann/2", "-ann/2", "+bob/3", "-bob/3", "+cid/5", "-cid/5"}
	for _, p := range []*peer{a, b} {
		p.until("Exited when the linger is over", func() bool { return len(p.mu.groups[g]) >= len(want) },
			func() string {
				return fmt.Sprintf("%d events about who is present have, want %d", len(p.mu.groups[g]), len(want))
			})
		p.wantVisits(g, want...)
	}
	a.wantPresent(g)
}

// presenceWithout sees that what a node has entered goes with it.
func (s *env) presenceWithout(goes func(*peer)) {
	g, a, gone := s.name("gone"), s.peer(), s.peer()
	a.subscribe(g)
	gone.enter(g, some("1", "ann", 0))
	gone.enter(g, some("2", "bob", 1))
	a.enter(g, some("3", "bob", 2))
	a.enter(g, some("4", "cid", 3))
	goes(gone)
	a.untilWithin(s.suite.lease()+s.suite.patience(), "Exited", func() bool { return len(a.mu.groups[g]) >= 4 },
		func() string { return fmt.Sprintf("%d events about who is present have, want 4", len(a.mu.groups[g])) })
	a.wantVisits(g, "+ann/1", "+bob/2", "+cid/4", "-ann/1")
	a.awaitPresent(g, some("3", "bob", 2), some("4", "cid", 3))
	a.exit(g, "3")
	a.wantVisits(g, "+ann/1", "+bob/2", "+cid/4", "-ann/1", "-bob/3")
}

func presenceDown(s *env) {
	g, a, b := s.name("down"), s.peer(), s.peer()
	a.enter(g, some("1", "ann", 0))
	a.enter(g, some("2", "bob", 1))
	b.enter(g, some("3", "cid", 2))
	s.goDown(a, b)
	entered, exited := b.tryEnter(g, some("4", "dan", 3)), a.tryExit(g, "1")
	_, present := a.tryPresent(g)
	s.goUp(a, b)
	s.wantErr("Enter while the back end is down", entered, layers.ErrDown)
	s.wantErr("Exit while the back end is down", exited, layers.ErrDown)
	s.wantErr("Present while the back end is down", present, layers.ErrDown)
	for _, p := range []*peer{a, b} {
		p.awaitPresent(g, some("2", "bob", 1), some("3", "cid", 2))
	}
	b.exit(g, "3")
	a.awaitPresent(g, some("2", "bob", 1))
}
