package layers

import (
	"crypto/rand"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/layers/internal/roster"
	"github.com/wye-go/wye/layers/internal/table"
	"github.com/wye-go/wye/protocol"
)

// Layer sends events and messages to groups and channels, within this process and, through
// its [Driver], to other nodes. The zero value is ready for use: it is a layer within this
// process, with a driver of package memory. [Open] makes a Layer with another driver. All
// methods are safe for concurrent use. A Layer must not be copied.
//
// Members in this process receive events and messages of GroupSend and Broadcast at once,
// also while the back end is down.
type Layer struct {
	groups   table.Table[*group]
	channels table.Table[Member]
	counters counters

	opened  atomic.Pointer[backEnd] // nil: a zero Layer that has not been used
	opening sync.Mutex              // of a zero Layer
	closed  atomic.Bool

	naming sync.Once
	node   string // by Node
}

// Node returns the random name of this node, which differs from those of the other nodes
// that the driver connects. The names of the node's channels contain it.
func (l *Layer) Node() string {
	l.naming.Do(func() { l.node = rand.Text()[:16] })
	return l.node
}

// deliverRecorded delivers an event of the group's history, or one that the driver sends
// about the group, to the members of group in this process: those of one group come one
// after the other.
func (l *Layer) deliverRecorded(group string, e *protocol.Event) {
	all, _ := l.walk(group, nil)
	if p := e.Position(); !p.IsZero() {
		l.promote(group, p)
	}
	deliverToAll(all, e, nil)
}

// walk returns the members of group, and the one that is among them for except.
func (l *Layer) walk(group string, except Member) (roster.View[Member], Member) {
	s := l.groups.Shard(group)
	s.RLock()
	defer s.RUnlock()
	if g := s.Get(group); g != nil {
		return g.walk(except)
	}
	return roster.View[Member]{}, nil
}

// promote has members of group take their own place that have caught up with its history.
func (l *Layer) promote(group string, p protocol.Position) {
	s := l.groups.Shard(group)
	s.Lock()
	defer s.Unlock()
	if g := s.Get(group); g != nil {
		g.promote(p)
	}
}
