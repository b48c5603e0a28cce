package layers_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
)

// TestModelOfPresence lets people come and go on nodes that fail, at random and in
// fake time. In the end those are present who should be, on whatever node one asks;
// and whoever was never cut off has heard of each key that it came and went in turn.
func TestModelOfPresence(t *testing.T) {
	t.Parallel()
	usual := []string{"entered", "exited", "could not enter", "exited while down", "a node died", "died present"}
	for _, kind := range []struct {
		name      string
		consumers bool
		calm      bool // no restarts, and a node that is never cut off
		sights    []string
	}{
		{"members", false, false, append(usual, "moved", "a restart")},
		{"somebody hears all", false, true, append(usual, "moved", "heard")},
		{"consumers", true, false, append(usual, "a restart")},
		{"consumers that are heard", true, true, append(usual, "heard")},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			n := uint64(60)
			if kind.consumers {
				n = 25
			}
			try(t, n, kind.sights, func(t *testing.T, seed uint64) *chronicle { //nolint:thelper // it is the test
				return (&crowdsLife{consumers: kind.consumers, calm: kind.calm, seed: seed}).live(t)
			})
		})
	}
}

// crowdsLife is one life of a group in which people are present.
type crowdsLife struct {
	*cluster

	seed            uint64
	consumers, calm bool
	over            chan struct{} // the last have exited
	mu              struct {
		sync.Mutex
		there map[string]visitor // by ID
	}
}

// visitor is somebody who should be present.
type visitor struct {
	key  string
	node *clusterNode
}

func (f *crowdsLife) live(t *testing.T) *chronicle {
	t.Helper()
	random := f.random(0)
	f.cluster = newCluster(t, newChronicle(), random, true, func(d layers.Driver) layers.Driver { return d })
	f.mu.there, f.over = make(map[string]visitor), make(chan struct{})
	f.spare = f.calm
	ear := &mailbox{news: make(chan struct{}, 1)}
	join(t, f.cluster.mu.nodes[0].layer, "g", ear)
	var people, all sync.WaitGroup
	for i := range 6 {
		people.Go(func() { f.comeAndGo(t, &all, f.random(1+uint64(i)), i) })
	}
	people.Go(func() { f.fail(f.random(100)) })
	people.Wait()
	f.heal()
	<-time.After(time.Minute)
	f.judge(t, ear)
	close(f.over)
	all.Wait()
	<-time.After(time.Minute)
	f.judge(t, ear)
	f.close(t)
	return f.chronicle
}

func (f *crowdsLife) random(who uint64) *rand.Rand { return rand.New(rand.NewPCG(f.seed, who)) }

// comeAndGo is a few visits of one after the other, of which the last one lasts.
func (f *crowdsLife) comeAndGo(t *testing.T, all *sync.WaitGroup, random *rand.Rand, who int) {
	t.Helper()
	for i := range 8 {
		pause(random, 500*time.Millisecond)
		id, key := fmt.Sprint(who, "-", i), fmt.Sprint("key", random.IntN(3))
		until := time.After(time.Duration(random.IntN(2000)) * time.Millisecond)
		visit := f.visit
		if f.consumers {
			visit = f.connect
		}
		if i == 7 {
			all.Go(func() { visit(t, random, stay{id: id, key: key}) })
		} else {
			visit(t, random, stay{id: id, key: key, until: until})
		}
	}
}

// stay is who is there, and until when; nil is the end of all.
type stay struct {
	id, key string
	until   <-chan time.Time
}

// wait waits for the end of v. It reports false if that is the node's.
func (f *crowdsLife) wait(v stay, n *clusterNode) bool {
	over := f.over
	if v.until != nil {
		over = nil
	}
	select {
	case <-n.dead:
		f.saw("died present")
		return false
	case <-v.until:
	case <-over:
	}
	return true
}

func (f *crowdsLife) visit(t *testing.T, random *rand.Rand, v stay) {
	t.Helper()
	n, ctx := f.pick(random), context.Background()
	if !f.entered(n, v.id, v.key, n.layer.Enter(ctx, "g", layers.Presence{ID: v.id, Key: v.key})) {
		return
	}
	if random.IntN(3) == 0 {
		pause(random, 500*time.Millisecond)
		key := fmt.Sprint("key", random.IntN(3))
		if f.entered(n, v.id, key, n.layer.Enter(ctx, "g", layers.Presence{ID: v.id, Key: key})) {
			f.saw("moved")
		}
	}
	if f.wait(v, n) {
		f.exited(v.id, n.layer.Exit(ctx, "g", v.id))
	}
}

// connect is visit as a connection.
func (f *crowdsLife) connect(t *testing.T, random *rand.Rand, v stay) {
	t.Helper()
	n := f.pick(random)
	var in bool
	g := &guest{enter: func(ctx context.Context, c *consumer.Conn) {
		in = f.entered(n, v.id, v.key, c.Enter(ctx, "g", v.key, v.id))
	}}
	app := consumer.New(func(*consumer.Scope) *guest { return g })
	c := consumertest.Connect(t, layers.Middleware(n.layer)(app), "/", nil)
	if in && !f.wait(v, n) {
		in = false
	}
	c.Vanish()
	c.WantOver()
	if in {
		f.exited(v.id, nil)
	}
}

// guest is present while it is connected.
type guest struct {
	consumer.Base

	enter func(ctx context.Context, c *consumer.Conn)
}

func (g *guest) Connect(ctx context.Context, c *consumer.Conn) error {
	g.enter(ctx, c)
	return nil
}

func (f *crowdsLife) entered(n *clusterNode, id, key string, err error) bool {
	f.logf("%s enters node %d as %s: %v", id, n.name, key, err)
	if err != nil {
		f.saw("could not enter")
		return false
	}
	f.saw("entered")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.there[id] = visitor{key, n}
	return true
}

func (f *crowdsLife) exited(id string, err error) {
	f.logf("%s exits: %v", id, err)
	f.saw("exited")
	if f.down.Load() {
		f.saw("exited while down")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mu.there, id)
}

// expected are who should be present: keys by ID. Those of dead nodes are not.
func (f *crowdsLife) expected() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]string)
	for id, v := range f.mu.there {
		select {
		case <-v.node.dead:
		default:
			all[id] = v.key
		}
	}
	return all
}

func (f *crowdsLife) judge(t *testing.T, ear *mailbox) {
	t.Helper()
	want := f.expected()
	keys := make(map[string]bool)
	for _, key := range want {
		keys[key] = true
	}
	for _, n := range f.cluster.mu.nodes {
		present, err := n.layer.Present(context.Background(), "g")
		got := make(map[string]string)
		for i, p := range present {
			id := p.ID
			if f.consumers {
				id = string(p.Meta[1 : len(p.Meta)-1])
			}
			got[id] = p.Key
			if i > 0 && p.Since.Before(present[i-1].Since) {
				f.wrongf("node %d has %q before %q, who is there for longer", n.name, present[i-1].ID, p.ID)
			}
		}
		if err != nil || !maps.Equal(got, want) {
			f.wrongf("node %d says that %v are present, want %v; %v", n.name, got, want, err)
		}
	}
	if !f.calm {
		return
	}
	if got, want := f.hears(t, ear), slices.Sorted(maps.Keys(keys)); !slices.Equal(got, want) {
		f.wrongf("who was never cut off has heard of %q, and present are %q", got, want)
	}
}

// hears are the keys that are present by what a member has been told up to now.
func (f *crowdsLife) hears(t *testing.T, ear *mailbox) []string {
	t.Helper()
	here := make(map[string]bool)
	for _, e := range ear.mu.waiting {
		v, err := layers.Entered.Payload(e) // both have the same
		if e.Type() == layers.Exited.Name {
			v, err = layers.Exited.Payload(e)
		}
		if err != nil {
			t.Error(err)
		}
		key, came := v.Presence.Key, e.Type() == layers.Entered.Name
		if here[key] == came {
			f.wrongf("a member was told for the second time that %s has come: %t", key, came)
		}
		f.saw("heard")
		if here[key] = came; !came {
			delete(here, key)
		}
	}
	return slices.Sorted(maps.Keys(here))
}
