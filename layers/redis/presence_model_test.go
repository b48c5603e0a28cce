package redis_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// TestModelOfPresence has people come and go on nodes that die, on a Redis that fails. In the end
// those are present who should be, on all nodes.
func TestModelOfPresence(t *testing.T) {
	t.Parallel()
	o := redis.Options{PresenceLease: time.Second}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			livePresence(newClusterOf(t, o), seed, 6)
		})
	}
	t.Run("Sentinel", func(t *testing.T) {
		t.Parallel()
		livePresence(newClusterOfSentinel(t, o), 5, 2)
	})
}

// TestModelOfPresenceHeard has nodes die, Redis fail in the even ones, and a node that has been
// asked who is present: its members hear of each key that it enters and exits in turn, and in
// the end they know who is there.
func TestModelOfPresenceHeard(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			k := newClusterOf(t, redis.Options{PresenceLease: time.Second})
			failServer := k.fail
			k.fail = func(random *rand.Rand) string {
				if n := k.pick(random); n != k.spare {
					k.kill(n)
				}
				if seed%2 == 0 {
					return failServer(random)
				}
				return "that is all"
			}
			k.spare = k.nodes()[0]
			ear := watcher{make(member, 10_000)}
			if err := k.spare.layer.Join(t.Context(), "room", ear); err != nil {
				t.Fatal(err)
			}
			if _, err := k.spare.layer.Present(t.Context(), "room"); err != nil {
				t.Fatal(err)
			}
			c := livePresence(k, seed, 8)
			if err := k.nodes()[1].layer.GroupSend(t.Context(), "room", said.New(text{"that is all"})); err != nil {
				t.Fatal(err)
			}
			c.hear(ear)
			c.await(k.spare)
		})
	}
}

// throng is who should be present.
type throng struct {
	*cluster

	mu struct {
		sync.Mutex
		there map[string]visitor // by ID
	}
}

type visitor struct {
	key  string
	node *clusterNode
}

// hear has a member hear of each key that it enters and exits in turn, until it knows who is
// present and nothing else is under way.
func (c *throng) hear(ear watcher) {
	here, want := make(map[string]bool), make(map[string]bool)
	for _, v := range c.expected() {
		want[v.key] = true
	}
	over, all := time.After(30*time.Second), false
	for !all || !maps.Equal(here, want) {
		select {
		case <-over:
			c.errorf("heard of %v, and present are %v", here, want)
			return
		case e := <-ear.member:
			what := visit(c.t, e)
			c.logf("heard %q", what)
			key := what[1:]
			switch {
			case e.Type() == said.Name:
				all = true
			case what[0] == '+' && here[key], what[0] == '-' && !here[key]:
				c.errorf("heard %q for the second time", what)
			case what[0] == '+':
				here[key] = true
			case what[0] == '-':
				delete(here, key)
			}
		}
	}
}

// livePresence is the life of a group in which people are present.
func livePresence(k *cluster, seed uint64, failures int) *throng {
	c := &throng{cluster: k}
	c.mu.there = make(map[string]visitor)
	var people sync.WaitGroup
	for i := range 6 {
		people.Go(func() { c.comeAndGo(rand.New(rand.NewPCG(seed, uint64(i))), i) })
	}
	k.disturb(rand.New(rand.NewPCG(seed, 100)), failures)
	people.Wait()
	k.awaitUp()
	for _, n := range k.nodes() {
		if n != k.spare { // whose members would hear again of keys that a read has missed
			c.await(n)
		}
	}
	return c
}

// comeAndGo is a few visits of one after the other, of which the last one lasts.
func (c *throng) comeAndGo(random *rand.Rand, who int) {
	for i := range 10 {
		id, key := fmt.Sprint(who, "-", i), fmt.Sprint("key", random.IntN(3))
		n := c.pick(random)
		if !c.enter(n, id, key) {
			continue
		}
		pause(random, 600*time.Millisecond)
		if random.IntN(3) == 0 {
			c.enter(n, id, fmt.Sprint("key", random.IntN(3)))
			pause(random, 300*time.Millisecond)
		}
		if i < 9 {
			c.exit(n, id, time.Duration(random.IntN(2)*random.IntN(500))*time.Millisecond)
		}
	}
}

func (c *throng) enter(n *clusterNode, id, key string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := n.layer.Enter(ctx, "room", layers.Presence{ID: id, Key: key})
	c.logf("%s enters node %d as %s: %v", id, n.name, key, err)
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.there[id] = visitor{key, n}
	return true
}

func (c *throng) exit(n *clusterNode, id string, linger time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := n.layer.ExitAfter(ctx, "room", id, linger)
	c.logf("%s exits after %v: %v", id, linger, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.there, id)
}

// expected are those who should be present. Those of dead nodes should not.
func (c *throng) expected() map[string]visitor {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(c.mu.there)
	maps.DeleteFunc(all, func(_ string, v visitor) bool {
		select {
		case <-v.node.dead:
			return true
		default:
			return false
		}
	})
	return all
}

// await waits until n says who should be present.
func (c *throng) await(n *clusterNode) {
	over := time.After(20 * time.Second)
	for {
		err := c.compare(n)
		if err == nil {
			c.logf("node %d is right", n.name)
			return
		}
		select {
		case <-over:
			c.errorf("node %d: %v", n.name, err)
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *throng) compare(n *clusterNode) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := n.layer.Present(ctx, "room")
	if err != nil {
		return err
	}
	want, keys := c.expected(), make(map[string]bool)
	for _, v := range want {
		keys[v.key] = true
	}
	for _, p := range all {
		if v, ok := want[p.ID]; !ok || v.key != p.Key {
			return fmt.Errorf("%s is present as %q, of %d; want %v", p.ID, p.Key, len(all), slices.Sorted(maps.Keys(want)))
		}
	}
	count, err := n.layer.CountPresent(ctx, "room")
	if err != nil {
		return err
	}
	if len(all) != len(want) || count.Presences != len(want) || count.Keys != len(keys) {
		return fmt.Errorf("%d are present, and counted %+v; want %v", len(all), count, want)
	}
	return nil
}
