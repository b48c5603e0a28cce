package admission

import "sync/atomic"

// Stats are what a [Gate] holds now, and the refusals that it has counted since it was
// made.
type Stats struct {
	Conns      int // connections that have entered and have not left
	Handshakes int // of these, the ones that are not answered yet
	Addresses  int // that Capacity.ConnsPerAddress counts connections of

	Misdirected  int64 // 421: for a host that is not in Options.Hosts
	Forbidden    int64 // 403: from an origin that is not allowed
	ShuttingDown int64 // 503
	Full         int64 // 503: Capacity.Conns, Capacity.Handshakes
	AddressFull  int64 // 429: Capacity.ConnsPerAddress
	RateLimited  int64 // 503: Capacity.HandshakesPerSecond
}

// counters are the refusals of Stats.
type counters struct {
	misdirected, forbidden, shuttingDown, full, addressFull, rateLimited atomic.Int64
}
