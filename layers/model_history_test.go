package layers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
)

// TestModelOfHistory lets readers come and go, senders record, and a broker and its
// nodes fail, all at random and in fake time, and checks what the history promises:
// each event that was recorded reaches each reader once and in order, unless a read
// has said that something is missing, and then something is.
func TestModelOfHistory(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name              string
		seeds             uint64
		broker, consumers bool
		sights            []string
	}{
		{"process", 40, false, false, []string{"complete", "incomplete"}},
		{"members", 100, true, false, []string{
			"complete", "incomplete", "joined again", "a join failed", "a record failed", "a gap", "a node died", "a restart",
		}},
		{"consumers", 25, true, true, []string{
			"complete", "incomplete", "joined again", "a join failed", "a record failed", "a gap", "a node died", "a restart",
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			try(t, kind.seeds, kind.sights, func(t *testing.T, seed uint64) *chronicle { //nolint:thelper // it is the test
				return (&archivesLife{withBroker: kind.broker, consumers: kind.consumers}).live(t, seed)
			})
		})
	}
}

// archivesLife is one life of a history: a few seconds in which everything happens,
// half a minute in which nothing fails, and then the readers must have everything.
type archivesLife struct {
	*chronicle
	*cluster

	withBroker, consumers bool // what it is about

	seed  uint64
	keeps layers.Retention
	slow  bool          // delivery is
	flood bool          // more is recorded at once than may wait
	over  chan struct{} // readers come to an end

	mu struct {
		sync.Mutex
		acks   []ack
		failed map[int]error
	}
}

func (f *archivesLife) live(t *testing.T, seed uint64) *chronicle {
	t.Helper()
	f.seed, f.chronicle, f.over = seed, newChronicle(), make(chan struct{})
	f.mu.failed = make(map[int]error)
	random := f.random("all")
	f.keeps = layers.Retention{MaxEvents: 5 + random.IntN(60), MaxAge: time.Hour}
	f.slow, f.flood = random.IntN(3) == 0, random.IntN(40) == 0
	if random.IntN(3) == 0 {
		f.keeps.MaxAge = time.Duration(200+random.IntN(2000)) * time.Millisecond
	}
	f.cluster = newCluster(t, f.chronicle, random, f.withBroker, func(d layers.Driver) layers.Driver {
		return &reluctant{Historian: d.(layers.Historian), random: f.random("driver")}
	})
	f.logf("keeping %+v, slow: %t", f.keeps, f.slow)
	witnesses := make([]*witness, 4)
	var readers, others sync.WaitGroup
	for i := range witnesses {
		w := newWitness(f.chronicle, fmt.Sprint("reader ", i))
		witnesses[i] = w
		readers.Go(func() { (&reader{life: f, witness: w, random: f.random(w.name)}).run(t) })
	}
	for i := range 3 {
		others.Go(func() { f.record(f.random(fmt.Sprint("sender ", i)), i, 40) })
	}
	others.Go(func() { f.drift(f.random("drifter")) })
	others.Go(func() { f.fail(f.random("faults")) })
	others.Wait()
	f.heal()
	<-time.After(30 * time.Second)
	close(f.over)
	<-time.After(5 * time.Second)
	f.record(f.random("last sender"), 9, 5) // of which all must hear live
	readers.Wait()
	f.close(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range witnesses {
		w.judge(f.mu.acks, f.mu.failed, f.keeps)
	}
	return f.chronicle
}

// random is chance for somebody of this life.
func (f *archivesLife) random(name string) *rand.Rand {
	var hash uint64
	for _, c := range name {
		hash = hash*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(f.seed, hash))
}

// pause waits for a while.
func pause(random *rand.Rand, most time.Duration) {
	<-time.After(time.Duration(random.Int64N(int64(most))))
}

// record records, and sends what is not recorded in between.
func (f *archivesLife) record(random *rand.Rand, sender, times int) {
	for i := range times {
		if f.flood && sender == 0 && i == times/2 {
			f.logf("a flood")
			for j := range 300 {
				f.recordOne(random, 10_000*(sender+1)+j)
			}
		}
		switch random.IntN(30) {
		case 0:
			pause(random, 3*time.Second)
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
		default:
			pause(random, 200*time.Millisecond)
		}
		f.recordOne(random, 1000*sender+i)
	}
}

func (f *archivesLife) recordOne(random *rand.Rand, n int) {
	l := f.pick(random).layer
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+random.IntN(300))*time.Millisecond)
	if random.IntN(5) == 0 {
		_ = l.GroupSend(ctx, "g", noted().New(note{"x", n}))
	}
	began := time.Now()
	p, err := l.Record(ctx, "g", noted().New(note{"x", n}), f.keeps)
	cancel()
	f.mu.Lock()
	if err == nil {
		f.logf("recorded %d at %q", n, p)
		f.mu.acks = append(f.mu.acks, ack{n: n, at: p, began: began, ended: time.Now(), stops: f.stops()})
	} else {
		f.logf("recording %d has failed: %v", n, err)
		f.saw("a record failed")
		f.mu.failed[n] = err
	}
	f.mu.Unlock()
}

// drift joins and leaves without history, so that groups are not empty when others
// join.
func (f *archivesLife) drift(random *rand.Rand) {
	for range 10 {
		pause(random, time.Second)
		m, l := &member{}, f.pick(random).layer
		if err := l.Join(context.Background(), "g", m); err == nil && random.IntN(3) > 0 {
			pause(random, time.Second)
			l.Leave("g", m)
		}
	}
}

// reluctant is a driver that takes its time to read.
type reluctant struct {
	layers.Historian

	mu     sync.Mutex
	random *rand.Rand
}

func (d *reluctant) Read(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	d.wait()
	h, err := d.Historian.Read(ctx, group, r)
	d.wait()
	return h, err
}

func (d *reluctant) wait() {
	d.mu.Lock()
	long := time.Duration(1)
	if d.random.IntN(2) == 0 {
		long = time.Duration(d.random.IntN(100)) * time.Millisecond
	}
	d.mu.Unlock()
	<-time.After(long)
}

// cluster is the nodes of a life, and the broker between them, if there is one.
type cluster struct {
	*chronicle

	broker *layertest.Broker
	wrap   func(layers.Driver) layers.Driver
	down   atomic.Bool // somebody may be cut off
	spare  bool        // nothing happens to the first node, and the broker does not stop
	mu     struct {
		sync.Mutex
		nodes []*clusterNode
		stops int
	}
}

// clusterNode is a process.
type clusterNode struct {
	name   int
	layer  *layers.Layer
	driver layers.Driver
	dead   chan struct{}
}

func newCluster(t *testing.T, c *chronicle, random *rand.Rand, broker bool, wrap func(layers.Driver) layers.Driver) *cluster {
	t.Helper()
	k := &cluster{chronicle: c, wrap: wrap}
	if !broker {
		k.mu.nodes = []*clusterNode{{layer: new(layers.Layer)}}
		return k
	}
	k.broker = layertest.NewBroker(&layertest.Options{Lease: time.Duration(1+random.IntN(3000)) * time.Millisecond})
	for i := range 3 {
		n, err := k.open(i)
		if err != nil {
			t.Fatal(err)
		}
		k.mu.nodes = append(k.mu.nodes, n)
	}
	return k
}

func (k *cluster) open(name int) (*clusterNode, error) {
	n := &clusterNode{name: name, driver: k.broker.Node(), dead: make(chan struct{})}
	var err error
	n.layer, err = layers.Open(context.Background(), k.wrap(n.driver))
	return n, err
}

func (k *cluster) pick(random *rand.Rand) *clusterNode {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.nodes[random.IntN(len(k.mu.nodes))]
}

// stops is how often the broker has been stopped.
func (k *cluster) stops() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.stops
}

// fail has things fail.
func (k *cluster) fail(random *rand.Rand) {
	if k.broker == nil {
		return
	}
	for range random.IntN(12) {
		pause(random, time.Second)
		n := k.pick(random)
		switch what := random.IntN(7); {
		case what < 4 && k.spare && n.name == 0:
		case what == 0 && !k.spare:
			k.restart(random)
		case what < 3:
			k.logf("node %d is cut off", n.name)
			k.down.Store(true)
			k.broker.Partition(n.driver)
			if random.IntN(3) > 0 {
				pause(random, 500*time.Millisecond)
				k.logf("healed")
				k.broker.Heal()
				k.down.Store(false)
			}
		case what == 3:
			k.kill(random, n)
		case what == 4:
			k.broker.Delay(time.Duration(random.IntN(300)) * time.Millisecond)
		case what == 5:
			k.broker.Slow(time.Duration(random.IntN(200)) * time.Millisecond)
		case what == 6:
			k.broker.Delay(0)
			k.broker.Slow(0)
		}
	}
}

func (k *cluster) restart(random *rand.Rand) {
	k.down.Store(true)
	defer k.down.Store(false)
	k.logf("the broker stops")
	k.saw("a restart")
	k.mu.Lock()
	k.mu.stops++
	k.broker.Stop()
	k.mu.Unlock()
	pause(random, 400*time.Millisecond)
	k.logf("the broker starts")
	k.broker.Start()
}

// kill has a node die, and another take its place.
func (k *cluster) kill(random *rand.Rand, n *clusterNode) {
	k.logf("node %d dies", n.name)
	k.saw("a node died")
	k.broker.Kill(n.driver)
	close(n.dead)
	pause(random, 300*time.Millisecond)
	next, err := k.open(n.name + 10)
	if err != nil {
		k.wrongf("a node cannot be started: %v", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.mu.nodes {
		if k.mu.nodes[i] == n {
			k.mu.nodes[i] = next
		}
	}
}

// heal ends all that fails.
func (k *cluster) heal() {
	if k.broker == nil {
		return
	}
	k.logf("all is well")
	k.broker.Delay(0)
	k.broker.Slow(0)
	k.broker.Start()
	k.broker.Heal()
}

func (k *cluster) close(t *testing.T) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.mu.nodes {
		if err := n.layer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if k.broker != nil {
		k.broker.Close()
	}
}
