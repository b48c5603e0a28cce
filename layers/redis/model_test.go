package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// cluster is three nodes on one Redis, of which the nodes die and Redis fails, at random.
type cluster struct {
	t       *testing.T
	options redis.Options
	master  func() (*redistest.Server, error)
	fail    func(random *rand.Rand) string
	spare   *clusterNode // that does not die
	split   bool         // a history that was given up may come back: that of a master which has been replaced
	mu      struct {
		sync.Mutex
		nodes []*clusterNode
		log   []string
		began time.Time
	}
}

// clusterNode is a process.
type clusterNode struct {
	name   int
	layer  *layers.Layer
	driver *redis.Driver
	dead   chan struct{}
}

func newCluster(t *testing.T, o redis.Options) *cluster {
	t.Helper()
	o.Logger = quiet()
	k := &cluster{t: t, options: o}
	k.mu.began = time.Now()
	for i := range 3 {
		k.mu.nodes = append(k.mu.nodes, k.open(i))
	}
	t.Cleanup(k.close)
	return k
}

// open opens a node. Redis may be down for a while.
func (k *cluster) open(name int) *clusterNode {
	for {
		d := redis.New(k.options)
		l, err := layers.Open(context.Background(), d)
		if err == nil {
			return &clusterNode{name: name, layer: l, driver: d, dead: make(chan struct{})}
		}
	}
}

func (k *cluster) close() {
	for _, n := range k.nodes() {
		if err := n.layer.Close(context.Background()); err != nil {
			k.t.Error(err)
		}
	}
	if k.t.Failed() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.t.Log(strings.Join(k.mu.log, "\n"))
	}
}

func (k *cluster) logf(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.log = append(k.mu.log, fmt.Sprintf("%9.3f ", time.Since(k.mu.began).Seconds())+fmt.Sprintf(format, args...))
}

func (k *cluster) errorf(format string, args ...any) {
	k.logf("WRONG "+format, args...)
	k.t.Errorf(format, args...)
}

func (k *cluster) nodes() []*clusterNode {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.mu.nodes)
}

func (k *cluster) pick(random *rand.Rand) *clusterNode {
	all := k.nodes()
	return all[random.IntN(len(all))]
}

// kill has a node die, and another take its place.
func (k *cluster) kill(n *clusterNode) {
	k.logf("node %d dies", n.name)
	n.driver.Kill()
	close(n.dead)
	next := k.open(n.name + 10)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.nodes[slices.Index(k.mu.nodes, n)] = next
}

// newClusterOf returns a cluster on one Redis.
func newClusterOf(t *testing.T, o redis.Options) *cluster {
	t.Helper()
	s := redistest.New(t, redistest.Options{})
	o.URLs = []string{s.URL()}
	k := newCluster(t, o)
	k.master = func() (*redistest.Server, error) { return s, nil }
	k.fail = func(random *rand.Rand) string { return failServer(t, s, random) }
	return k
}

// newClusterOfSentinel returns a cluster on a Redis of which Sentinel replaces the master.
func newClusterOfSentinel(t *testing.T, o redis.Options) *cluster {
	t.Helper()
	st := redistest.NewSentinel(t, redistest.SentinelOptions{Replicas: 1})
	o.URLs = []string{"redis+sentinel://" + strings.Join(st.Addrs(), ",") + "/" + st.Name}
	k := newCluster(t, o)
	k.split = true
	k.master = func() (*redistest.Server, error) { return st.Master(t.Context()) }
	k.fail = func(*rand.Rand) string {
		if _, err := st.Failover(t.Context()); err != nil {
			return err.Error() // one is under way
		}
		return "another server is the master"
	}
	return k
}

// failServer makes Redis fail: it starts again without data, or cuts connections.
func failServer(t *testing.T, s *redistest.Server, random *rand.Rand) string {
	t.Helper()
	switch random.IntN(4) {
	case 0:
		s.Stop()
		pause(random, 300*time.Millisecond)
		if err := s.Start(); err != nil {
			t.Error(err)
		}
		return "Redis has started again without data"
	case 1:
		s.CLI(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		return "the connections of commands have been cut"
	default:
		s.CLI(t, "CLIENT", "KILL", "TYPE", "pubsub")
		return "the connections that receive have been cut"
	}
}

// disturb has things fail for a while.
func (k *cluster) disturb(random *rand.Rand, times int) {
	for range times {
		pause(random, 600*time.Millisecond)
		if random.IntN(5) == 0 {
			if n := k.pick(random); n != k.spare {
				k.kill(n)
			}
		} else {
			k.logf("%s", k.fail(random))
		}
	}
}

// awaitUp waits until all nodes are connected to the master, and to no other server.
func (k *cluster) awaitUp() {
	server, err := k.master()
	if err != nil {
		k.t.Error(err)
		return
	}
	err = server.Wait(k.t.Context(), "all nodes are connected to it", func(do redistest.Do) bool {
		return redistest.Text(do("PUBSUB", "NUMPAT")) == fmt.Sprint(len(k.nodes())) && !slices.ContainsFunc(k.nodes(), isDown)
	})
	if err != nil {
		k.t.Error(err)
	}
	k.logf("all is well")
}

func isDown(n *clusterNode) bool {
	return slices.ContainsFunc(n.driver.Stats().Servers, func(s redis.ServerStats) bool { return s.Down != nil })
}

// pause waits for a random time, or for all of it.
func pause(random *rand.Rand, most time.Duration) {
	if random != nil {
		most = time.Duration(random.Int64N(int64(most)))
	}
	<-time.After(most)
}

// TestModelOfHistory has readers come and go, senders record, and Redis and nodes fail. What
// was recorded reaches each reader once and in order, unless a read has said that something is
// missing.
func TestModelOfHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			liveHistory(newClusterOf(t, redis.Options{}), seed, 8)
		})
	}
}

// TestModelOfHistoryWithSentinel has Sentinel replace the master.
func TestModelOfHistoryWithSentinel(t *testing.T) {
	t.Parallel()
	liveHistory(newClusterOfSentinel(t, redis.Options{}), 1, 2)
}

// liveHistory is the life of a history.
func liveHistory(k *cluster, seed uint64, failures int) {
	random := func(who uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, who)) }
	var over, last atomic.Bool
	var readers, senders sync.WaitGroup
	all := make([]*reader, 5)
	for i := range all {
		all[i] = &reader{cluster: k, name: i, random: random(uint64(i)), seen: make(map[string]string), last: &last}
		readers.Go(all[i].run)
	}
	acks := make(chan [2]string, 100_000)
	for i := range 3 {
		senders.Go(func() {
			r := random(100 + uint64(i))
			for n := 0; !over.Load(); n++ {
				pause(r, 30*time.Millisecond)
				k.record(r, fmt.Sprint(i, "-", n), acks)
			}
		})
	}
	k.disturb(random(200), failures)
	over.Store(true)
	senders.Wait()
	k.awaitUp()
	last.Store(true)
	readers.Wait() // each has joined for the last time
	for n := range 20 {
		k.record(random(300), fmt.Sprint("last-", n), acks)
	}
	close(acks)
	placed := make(map[string]string)
	for a := range acks {
		placed[a[0]] = a[1]
	}
	for _, r := range all {
		r.finish("last-19")
		for at, got := range r.seen {
			if want, ok := placed[at]; ok && got != want {
				k.errorf("reader %d got %q at %s, where %q was recorded", r.name, got, at, want)
			}
		}
		k.logf("reader %d has seen %d of %d", r.name, len(r.seen), len(placed))
	}
}

// record records a text, and notes where if that has been acknowledged.
func (k *cluster) record(random *rand.Rand, s string, acks chan<- [2]string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	p, err := k.pick(random).layer.Record(ctx, "room", said.New(text{s}), layers.Retention{MaxEvents: 200})
	if err == nil {
		acks <- [2]string{p.String(), s}
	} else if strings.HasPrefix(s, "last") {
		k.errorf("recording has failed although all is well: %v", err)
	}
}

// reader is a reader as a program would be one: it keeps the position of what it has processed
// last, and comes back from there, on any node.
type reader struct {
	*cluster

	name   int
	random *rand.Rand
	last   *atomic.Bool // it stays when it has joined

	at      protocol.Position // of the event that was processed last
	next    protocol.Position // which must be the next one; the first of another epoch is right, too
	seen    map[string]string // texts by position
	current watcher
}

// run comes and goes, and returns when the reader has joined for the last time.
func (r *reader) run() {
	for {
		n, stays := r.pick(r.random), r.last.Load()
		m := watcher{make(member, 10_000)}
		if r.join(n, m) {
			if stays {
				r.current = m
				return
			}
			r.visit(n, m)
			n.layer.Leave("room", m)
		} else if stays {
			r.logf("reader %d could not join although all is well", r.name)
		}
		pause(r.random, 200*time.Millisecond)
	}
}

// visit takes what arrives until the reader leaves.
func (r *reader) visit(n *clusterNode, m watcher) {
	left := time.After(time.Duration(r.random.IntN(3000)) * time.Millisecond)
	for {
		select {
		case e := <-m.member:
			if e.Type() == layers.Gap.Name {
				n.layer.Leave("room", m) // what waits is of no use: it is read again
				return
			}
			r.take(e)
		case <-n.dead:
			return
		case <-left:
			return
		}
	}
}

// finish takes what arrives until a last text.
func (r *reader) finish(text string) {
	over := time.After(30 * time.Second)
	for {
		select {
		case e := <-r.current.member:
			r.take(e)
			if e.Type() == said.Name && r.seen[e.Position().String()] == text {
				return
			}
		case <-over:
			r.errorf("reader %d has not got the last event; it is at %s", r.name, r.at)
			return
		}
	}
}

// join joins from where the reader is, and takes what it reads.
func (r *reader) join(n *clusterNode, m watcher) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	h, err := n.layer.JoinFrom(ctx, "room", m, layers.Range{After: r.at})
	if err != nil {
		return false
	}
	r.logf("reader %d, at %s, read %d events up to %s on node %d, complete: %t", r.name, r.at, len(h.Events), h.Last, n.name, h.Complete)
	first := r.at
	if !h.Complete {
		first = h.Last
		if len(h.Events) > 0 {
			first = h.Events[0].Position()
			first.Offset--
		}
	} else if first.IsZero() {
		first.Epoch = h.Last.Epoch
	}
	r.at, r.next = first, protocol.Position{Epoch: first.Epoch, Offset: first.Offset + 1}
	if first.Offset == 0 {
		r.at = protocol.Position{}
	}
	for _, e := range h.Events {
		r.take(e)
	}
	if r.at != h.Last && !h.Last.IsZero() {
		r.errorf("reader %d has read up to %s, and the last is %s", r.name, r.at, h.Last)
	}
	return true
}

// take processes an event that was read or has arrived.
func (r *reader) take(e *protocol.Event) {
	if e.Type() != said.Name {
		return
	}
	p := e.Position()
	v, err := said.Payload(e)
	if err != nil {
		r.errorf("reader %d: %v", r.name, err)
	}
	if p != r.next && (p.Offset != 1 || p.Epoch == r.next.Epoch) {
		r.errorf("reader %d got %q at %s instead of the event at %s", r.name, v.Text, p, r.next)
	}
	if _, double := r.seen[p.String()]; double && !r.split {
		r.errorf("reader %d got %q at %s for the second time", r.name, v.Text, p)
	}
	r.seen[p.String()], r.at = v.Text, p
	r.next = protocol.Position{Epoch: p.Epoch, Offset: p.Offset + 1}
}
