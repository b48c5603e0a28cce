package layertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wye-go/wye/layers"
)

// The causes that nodes are told when they lose the broker.
var (
	errStopped     = errors.New("the broker has been stopped")
	errPartitioned = errors.New("the node has been cut off from the broker")
)

// Delay has each event take d to another node; 0 is the default. Callers see
// nothing of it: Publish and Send return at once. Receivers get the events late
// and in the same order: one that is sent after Delay(0) still waits for those
// before it. What waits in named channels is not delayed, but see Slow.
func (b *Broker) Delay(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.delay = d
}

// Slow has the broker take d to answer each call; 0 is the default. Callers wait
// that long, unless their ctx ends before: then they get its error, and the call
// has done nothing. A call that finds the broker stopped when its time has come
// gets ErrDown. Receivers see nothing of it.
func (b *Broker) Slow(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.slow = d
}

// Loss has events get lost on the way to a node or into a named channel, each
// with probability fraction, from 0 to 1; 0 is the default. Nobody is told:
// callers get no error and receivers no Gap. The same seed and the same sends
// lose the same events. Each call begins anew.
func (b *Broker) Loss(fraction float64, seed uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.loss = fraction
	b.mu.faults.random = rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // chance that can be repeated
}

// Lost returns how many events Loss has cost so far; one that is published and
// lost on the way to two nodes counts twice.
func (b *Broker) Lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.faults.lost
}

// Partition cuts these nodes off from the broker, each by itself. They notice:
// their receivers are told State(cause), their calls get ErrDown, those that wait
// in Pull too, and Subscribe remembers. Other nodes notice nothing; what they
// publish or send to a node that is cut off is lost, and so is what was on the
// way to it. Named channels keep what they hold. What a node that is cut off has
// entered is present until its lease ends. A node that has not been started cannot be
// cut off.
func (b *Broker) Partition(ds ...layers.Driver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range ds {
		if n := b.mine(d); n.phase == running {
			n.cut = true
			b.loseLocked(n, errPartitioned)
		}
	}
	b.updateLeasesLocked()
}

// Heal ends what Partition has begun, for all nodes. Their drivers subscribe
// again, and their receivers are told State(nil) and then Gap of all groups. What
// they have entered and the broker has given up, they enter again.
func (b *Broker) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nodesLocked() {
		n.cut = false
	}
	b.regainLocked()
}

// Stop takes the broker down, as a restart of a server does that keeps nothing on
// disk. All nodes see what Partition describes, a driver that is started now gets
// an error from Start, and what waits in named channels is lost, and so are all
// histories: they begin anew, with another epoch. Who was present is so again after
// Start, because the nodes still know; the lease of a dead one begins then.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.stopped = true
	for _, n := range b.nodesLocked() {
		b.loseLocked(n, errStopped)
	}
	b.updateLeasesLocked()
	b.loseStoresLocked()
}

// Start brings the broker back after Stop. All nodes see what Heal describes, but
// those that are still cut off.
func (b *Broker) Start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.stopped = false
	b.regainLocked()
}

// Kill ends a node as a crash of its process does: its receiver is told nothing
// more and its subscriptions go, its calls get ErrClosed, those that wait too.
// What it has entered is present until its lease ends; otherwise other nodes notice
// nothing, and what they send there is lost without an error.
// The driver need not be closed, but may be.
func (b *Broker) Kill(d layers.Driver) {
	if n := b.mine(d); n.end(true) {
		<-n.gone
	}
}

// mine is d, which is a node of b's.
func (b *Broker) mine(d layers.Driver) *node {
	n, ok := d.(*node)
	if !ok || n.broker != b {
		panic(fmt.Sprintf("wye: layertest: %T is no driver that this Broker's Node has returned; if it is wrapped, pass the wrapped one", d))
	}
	return n
}

// loseLocked has n lose its connection.
func (b *Broker) loseLocked(n *node, cause error) {
	if n.phase != running || n.lost != nil {
		return
	}
	n.lost = cause
	n.dropInFlightLocked()
	for group := range n.groups {
		b.unsubscribeLocked(n, group)
	}
	b.mu.queues.Dismiss(n, n.usableLocked())
	n.putLocked(delivery{call: func(r layers.Receiver) { r.State(cause) }})
}

// regainLocked has all nodes connect again that nothing keeps from it. What they
// have to say about who is present, they say when all are there.
func (b *Broker) regainLocked() {
	all := b.nodesLocked()
	for _, n := range all {
		if n.lost != nil && !n.cut && !b.mu.stopped {
			b.connectLocked(n)
		}
	}
	for _, n := range all {
		b.syncPresencesLocked(n)
	}
	b.updateLeasesLocked()
}

// connectLocked has n connect again.
func (b *Broker) connectLocked(n *node) {
	n.lost = nil
	for group := range n.groups {
		b.subscribeLocked(n, group)
	}
	n.putLocked(delivery{call: func(r layers.Receiver) { r.State(nil) }})
	n.putLocked(delivery{call: func(r layers.Receiver) { r.Gap() }})
}
