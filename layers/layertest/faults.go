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

// Delay delays each event that is sent to another node by d; 0 is the default. Publish and
// Send still return at once. Receivers get the events later, in the order of the sends: an
// event that is sent after Delay(0) waits for those before it. Named channels are not
// delayed: see Slow.
func (b *Broker) Delay(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.delay = d
}

// Slow makes the broker answer each call after the time d; 0 is the default. If the ctx of
// a call ends first, the call returns its error and has no effect. If the broker is stopped
// when d has passed, the call returns ErrDown. Delivery to receivers is not delayed.
func (b *Broker) Slow(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.slow = d
}

// Loss drops events that are sent to another node or to a named channel, each with
// probability fraction, from 0 to 1; 0 is the default. Callers get no error, and receivers
// get no Gap. The same seed and the same sends drop the same events. Each call of Loss
// starts a new random sequence.
func (b *Broker) Loss(fraction float64, seed uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.faults.loss = fraction
	b.mu.faults.random = rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // repeatable
}

// Lost returns how many events Loss has dropped so far. An event that is published and
// dropped for two nodes counts twice.
func (b *Broker) Lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.faults.lost
}

// Partition disconnects the nodes of these drivers from the broker. Their receivers get
// State(cause), and their calls return ErrDown, also a Pull that waits; Subscribe remembers
// its groups. Other nodes are not notified. Events that they publish or send to a
// disconnected node are lost, and so are events that were being sent to it. Named channels
// keep their events. The presences of a disconnected node stay until its lease ends.
// Partition has no effect on a node that has not been started.
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
// and then Gap of all groups. The drivers enter those of their presences again that the
// broker has removed.
func (b *Broker) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nodesLocked() {
		n.partitioned = false
	}
	b.reconnectAllLocked()
}

// Stop stops the broker, like a server that keeps its data in memory only. All nodes are
// disconnected as by Partition, and Start of another driver fails. The events in named
// channels are lost, and so are all histories: they start anew, with another epoch. After
// Start, the nodes enter their presences again; the lease of a dead node starts then.
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

// Start starts the broker again after Stop. All nodes connect again as by Heal, except those
// that Partition has disconnected.
func (b *Broker) Start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.stopped = false
	b.reconnectAllLocked()
}

// Kill ends a node as a crash of its process does. Its receiver is no longer called, its
// subscriptions end, and its calls return ErrLayerClosed, also those that wait. Its presences
// stay until its lease ends. Other nodes are not notified, and events that they send to it
// are lost without an error. The driver need not be closed, but may be.
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
