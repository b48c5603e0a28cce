package websocket

import "github.com/wye-go/wye/protocol"

// TurnedAway counts handshakes that were refused because of Capacity or a shutdown. They are
// well-formed, have a route, and come from a page that may connect.
type TurnedAway struct {
	ShuttingDown int64 // 503
	Full         int64 // 503: Capacity.Conns, Capacity.Handshakes
	Crowded      int64 // 429: Capacity.ConnsPerAddress
	RateLimited  int64 // 503: Capacity.HandshakesPerSecond
}

// Loops are the counters of the event loops of a [Server]; all are 0 without loops.
type Loops struct {
	OnLoops int64 // connections that loops run now; goroutines run the others
	// LeftBehind is how often another goroutine has taken over a loop, because a callback
	// blocked or was about to wait. If it grows by many each second, declare the routes
	// whose callbacks block with router.Blocking.
	LeftBehind int64
}

// Stats are the counters of a [Server] since it was made: those of its sessions, and those
// of handshakes and connections that the server refused or closed itself. All but Open,
// OnLoops, HeldBytes and QueuedBytes only grow.
type Stats struct {
	protocol.Stats
	TurnedAway // checked after Malformed to Forbidden
	Loops

	// Handshakes that did not reach the application, in the order of the checks. Refused
	// counts neither them nor those of TurnedAway.
	Malformed   int64 // not a valid WebSocket handshake: 400, 405, 426, 501
	Oversized   int64 // 431: MaxHandshake, MaxHeaderLines
	Unrouted    int64 // 404: the router has no route
	Misdirected int64 // 421: for a host that is not in Options.Hosts
	Forbidden   int64 // 403: from an origin that is not allowed

	Late int64 // handshakes refused with 503 because of HandshakeTimeout; Refused counts them too

	// Connections that closed because of their peer. Only CloseTimeouts counts connections
	// that were closing already.
	Violations    int64 // broke the protocol, or sent text that is not UTF-8: 1002, 1007
	TooBig        int64 // Limits.MaxMessage, MaxFrame: 1009
	TooManyFrames int64 // Limits.MaxFragments, MaxControlFrames: 1008
	SlowSenders   int64 // Limits.MinRate: 1008
	Unanswered    int64 // PongTimeout
	WriteTimeouts int64 // WriteTimeout
	CloseTimeouts int64 // CloseTimeout

	Compression CompressionStats

	HeldBytes   int64 // charged to Capacity.ReadBytes now
	QueuedBytes int64 // charged to Capacity.QueueBytes now
	QueuesFull  int64 // sends that found no room because of Capacity.QueueBytes
	Pauses      int64 // how often reading stopped because of Limits.ReadAhead or Limits.Rate
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	c, e, gate := &s.stats, s.engine.Stats(), s.gate.Stats()
	return Stats{
		Stats:       s.counters.Stats(),
		Malformed:   c.malformed.Load(),
		Oversized:   c.oversized.Load(),
		Unrouted:    c.unrouted.Load(),
		Misdirected: gate.Misdirected,
		Forbidden:   gate.Forbidden,
		TurnedAway: TurnedAway{
			ShuttingDown: gate.ShuttingDown,
			Full:         gate.Full,
			Crowded:      gate.AddressFull,
			RateLimited:  gate.RateLimited,
		},
		Loops:         Loops{OnLoops: e.OnLoops, LeftBehind: e.LeftBehind},
		Late:          c.late.Load(),
		Violations:    e.Violations,
		TooBig:        e.TooBig,
		TooManyFrames: e.TooManyFrames,
		SlowSenders:   e.SlowSenders,
		Unanswered:    e.PongTimeouts,
		WriteTimeouts: e.WriteTimeouts,
		CloseTimeouts: e.CloseTimeouts,
		Compression:   newCompressionStats(e.Deflate),
		HeldBytes:     int64(s.counters.HeldBytes()),
		QueuedBytes:   e.QueuedBytes,
		QueuesFull:    e.QueuesFull,
		Pauses:        e.Pauses,
	}
}
