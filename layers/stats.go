package layers

import (
	"errors"
	"sync/atomic"
)

// Stats are the counters of a layer since it was made. They only grow. What
// members had no room for is counted where their limits are, by the protocol
// server.
type Stats struct {
	Published   int64 // events that the driver has taken for other nodes and for named channels
	Unpublished int64 // that it has not: those for whom they were on other nodes have missed them
	Received    int64 // events that came from other nodes
	Downs       int64 // how often the back end went down
	Gaps        int64 // how often events of other nodes may have been lost
	Unheard     int64 // sends to a group or a consumer's channel that nobody in this process has; without a driver they were lost
	Full        int64 // events that a named channel had no room for
	Expired     int64 // events that have waited in a named channel for too long, if there is no driver
}

type counters struct {
	published, unpublished, received, downs, gaps, full, unheard atomic.Int64
}

// publish counts what the driver has said to an event.
func (c *counters) publish(err error) {
	switch {
	case err == nil:
		c.published.Add(1)
	case errors.Is(err, ErrFull):
		c.full.Add(1)
	default:
		c.unpublished.Add(1)
	}
}

// Stats returns the counters as they are now.
func (l *Layer) Stats() Stats {
	c := &l.counters
	return Stats{
		Published:   c.published.Load(),
		Unpublished: c.unpublished.Load(),
		Received:    c.received.Load(),
		Downs:       c.downs.Load(),
		Gaps:        c.gaps.Load(),
		Unheard:     c.unheard.Load(),
		Full:        l.queues.full.Load() + c.full.Load(),
		Expired:     l.queues.expired.Load(),
	}
}
