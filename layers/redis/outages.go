package redis

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// outages are the servers that are down. It reports to the receiver.
type outages struct {
	mu struct {
		sync.Mutex // also held while the receiver is called, so that reports arrive in order
		down       map[*server]struct{}
		early      map[*server]struct{} // are up again while others are down
	}
}

// noteDown reports that a server is down. Only the first one is reported until all are up
// again.
func (d *Driver) noteDown(s *server, cause error) {
	o := &d.outages
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.down == nil {
		o.mu.down, o.mu.early = make(map[*server]struct{}), make(map[*server]struct{})
	}
	o.mu.down[s] = struct{}{}
	delete(o.mu.early, s)
	if len(o.mu.down) == 1 {
		d.receiver.State(fmt.Errorf("wye: redis: %s: %w", s.target.name, cause))
	}
}

// noteUp reports that a server is up again, and that events of its groups may have been lost. When
// it is the last one, it reports that for the others as well: a gap follows the report that all
// are up.
func (d *Driver) noteUp(s *server) {
	o := &d.outages
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.mu.down, s)
	up := []*server{s}
	if len(o.mu.down) > 0 {
		o.mu.early[s] = struct{}{}
	} else {
		d.receiver.State(nil)
		up = slices.AppendSeq(up, maps.Keys(o.mu.early))
		clear(o.mu.early)
	}
	if len(up) == len(d.servers) || slices.ContainsFunc(up, d.transport.carriesAll) {
		d.receiver.Gap()
		return
	}
	var groups []string
	for _, s := range up {
		groups = append(groups, s.groups()...)
	}
	if len(groups) > 0 {
		d.receiver.Gap(groups...)
	}
}

// noteFirst reports a gap ahead of the first recorded event of a group if the group's server has
// been down, and noteUp has not reported that: the event may not be the next one for members
// that have read the history.
func (d *Driver) noteFirst(group string) {
	o := &d.outages
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, down := o.mu.down[d.serverOf(group)]; down {
		d.receiver.Gap(group)
	}
}
