package layers

// Stats are the counters of a layer since it was made. They only grow. Events and messages
// for which members had no room are counted by the protocol server, in protocol.Stats. If
// the layer has no other nodes, Published, Unpublished and Received stay 0.
type Stats struct {
	Published   int64 // events that the driver has taken for other nodes and for named channels
	Unpublished int64 // events that it has not taken: they are lost for other nodes
	Received    int64 // events that the driver has delivered
	Downs       int64 // how often the back end went down
	Gaps        int64 // how often events of other nodes may have been lost
	Unheard     int64 // sends to a group or a consumer's channel that has no member in this process; without other nodes they were lost
	Full        int64 // events that a named channel had no room for
	Expired     int64 // events that have waited in a named channel for too long, if the driver counts them
}

// Stats returns the counters as they are now.
func (l *Layer) Stats() Stats {
	c := &l.counters
	s := Stats{
		Published:   c.published.Load(),
		Unpublished: c.unpublished.Load(),
		Received:    c.received.Load(),
		Downs:       c.downs.Load(),
		Gaps:        c.gaps.Load(),
		Unheard:     c.unheard.Load(),
		Full:        c.full.Load(),
	}
	if d, ok := l.backEnd().driver.(interface{ Expired() int64 }); ok {
		s.Expired = d.Expired()
	}
	return s
}
