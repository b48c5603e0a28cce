package layertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wye-go/wye/layers"
)

// The causes that receivers get when their node loses the broker.
var (
	errStopped     = errors.New("the broker has been stopped")
	errPartitioned = errors.New("the node has been cut off from the broker")
)

// Delay delays each event on its way to another node by d; 0 is the default. Callers do not
// notice: Publish and Send return at once. Receivers get the events later and in the same
// order: one that is sent after Delay(0) still waits for those before it. What waits in named
// channels is not delayed, but see Slow.
func (b *Broker) Delay(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.delay = d
}

// Slow has the broker take d to answer each call; 0 is the default. Callers wait that long,
// unless their ctx ends first: then they get its error, and the call has done nothing. A call
// that finds the broker stopped when d has passed gets ErrDown. Receivers do not notice.
func (b *Broker) Slow(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.slow = d
}

// Loss loses events on their way to a node or into a named channel, each with probability
// fraction, from 0 to 1; 0 is the default. Callers get no error and receivers no Gap. The
// same seed and the same sends lose the same events. Each call starts anew.
func (b *Broker) Loss(fraction float64, seed uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.loss = fraction
	b.mu.faults.random = rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // repeatable
}

// Lost returns how many events GapEvent has cost so far; one that is published and
// lost on the way to two nodes counts twice.
func (b *Broker) Lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.faults.lost
}

// Partition cuts these nodes off from the broker, each by itself. They notice: their
// receivers get State(cause), their calls ErrDown, those that wait in Pull too, and Subscribe
// remembers. Other nodes do not notice; what they publish or send to a node that is cut off
// is lost, and so is what was on the way to it. Named channels keep what they hold. What a
// node that is cut off has entered is present until its lease ends. Partition has no effect
// on a node that has not been started.
func (b *Broker) Partition(ds ...layers.Driver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range ds {
		if n := b.nodeOf(d); n.phase == running {
			n.partitioned = true
			b.disconnectLocked(n, errPartitioned)
		}
	}
	b.updateLeasesLocked()
}

// Heal ends all partitions. The drivers subscribe again, and their receivers get State(nil)
// and then Gap of all groups. What they have entered and the broker has given up, they enter
// again.
func (b *Broker) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nodesLocked() {
		n.partitioned = false
	}
	b.reconnectAllLocked()
}

// Stop takes the broker down, as a restart does of a server that keeps nothing on disk. All
// nodes notice as Partition describes, Start of another driver fails, and what waits in named
// channels is lost, and so are all histories: they start anew, with another epoch. What nodes
// have entered is present again after Start, because they still know; the lease of a dead
// node starts then.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.stopped = true
	for _, n := range b.nodesLocked() {
		b.disconnectLocked(n, errStopped)
	}
	b.updateLeasesLocked()
	b.loseStoresLocked()
}

// Start brings the broker back after Stop. All nodes notice as Heal describes, except those
// that are still cut off.
func (b *Broker) Start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.stopped = false
	b.reconnectAllLocked()
}

// Kill ends a node as a crash of its process does: its receiver is no longer called, its
// subscriptions end, and its calls get ErrLayerClosed, those that wait too. What it has entered is
// present until its lease ends; otherwise other nodes do not notice, and what they send there
// is lost without an error. The driver need not be closed, but may be.
func (b *Broker) Kill(d layers.Driver) {
	if n := b.nodeOf(d); n.close(true) {
		<-n.gone
	}
}

// nodeOf returns d as the node of b that it must be.
func (b *Broker) nodeOf(d layers.Driver) *node {
	n, ok := d.(*node)
	if !ok || n.broker != b {
		panic(fmt.Sprintf("wye: layertest: %T is not a driver that this Broker's Node has returned; if it is wrapped, pass the wrapped one", d))
	}
	return n
}

// disconnectLocked has n lose its connection.
func (b *Broker) disconnectLocked(n *node, cause error) {
	if n.phase != running || n.down != nil {
		return
	}
	n.down = cause
	n.dropInFlightLocked()
	for group := range n.groups {
		b.unsubscribeLocked(n, group)
	}
	b.mu.queues.Dismiss(n, n.usableLocked())
	n.putLocked(delivery{call: func(r layers.Receiver) { r.State(cause) }})
}

// reconnectAllLocked has all nodes connect again that can. They sync what they have entered
// when all are connected.
func (b *Broker) reconnectAllLocked() {
	all := b.nodesLocked()
	for _, n := range all {
		if n.down != nil && !n.partitioned && !b.mu.stopped {
			b.reconnectLocked(n)
		}
	}
	for _, n := range all {
		b.syncPresencesLocked(n)
	}
	b.updateLeasesLocked()
}

// reconnectLocked has n connect again.
func (b *Broker) reconnectLocked(n *node) {
	n.down = nil
	for group := range n.groups {
		b.subscribeLocked(n, group)
	}
	n.putLocked(delivery{call: func(r layers.Receiver) { r.State(nil) }})
	n.putLocked(delivery{call: func(r layers.Receiver) { r.Gap() }})
}
