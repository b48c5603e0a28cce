package redis

import "time"

// Stats are counters and measurements of a driver. The counters only grow.
type Stats struct {
	// Servers are those of Options.URLs, in their order, or the partitions of a cluster.
	Servers []ServerStats
	// Malformed is how many messages could not be decoded, and were dropped.
	Malformed int64
	// OverCapacity is how many queues of nodes or processes of Django were full when an event
	// for a group was to be added, with Core: each of them has lost an event.
	OverCapacity int64
}

// ServerStats are those of one server, or of one partition of a cluster.
type ServerStats struct {
	// Name is the server's address, without user and password.
	Name string
	// Down is why the server is down, nil if it is up.
	Down error
	// Lag is how long the last probe took from this node to Redis and back. A probe is
	// published every two seconds and waits in the same queue as all events for this node.
	Lag time.Duration
	// Groups is how many groups this node has subscribed to on the server.
	Groups int
	// Outages is how often the server was down.
	Outages int64
}

// Stats returns the driver's counters as they are now. It is all zero before the driver has
// been started.
func (d *Driver) Stats() Stats {
	all := Stats{Malformed: d.malformed.count.Load()}
	if !d.ready.Load() {
		return all
	}
	if t, ok := d.transport.(*core); ok {
		all.OverCapacity = t.full.count.Load()
	}
	for _, s := range d.servers {
		all.Servers = append(all.Servers, s.stats())
	}
	return all
}

func (s *server) stats() ServerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ServerStats{
		Name: s.target.name, Down: s.mu.cause, Lag: time.Duration(s.lag.Load()),
		Groups: len(s.mu.wanted), Outages: s.outages.Load(),
	}
}
