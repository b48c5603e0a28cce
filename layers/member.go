package layers

import "github.com/wye-go/wye/protocol"

// Member is what a layer delivers to: a consumer's connection, as a rule.
//
// Its methods are called by the goroutine that sends, or the driver's, many at once, with
// no lock held. They must not block and must run no code of the application. What they
// have no room for they count as lost. Members are compared with ==, so a Member is a
// pointer.
//
// The results say whether the sender should yield, as [protocol.Conn.ShouldYield] does: if
// those of any member do, a send calls runtime.Gosched once, when it has reached all
// members. It never waits.
type Member interface {
	// Deliver takes an event for the consumer. e is sealed, shared, and may be kept.
	Deliver(e *protocol.Event) (yield bool)
	// Offer takes a message for the peer, past the consumer. p must not be kept; what
	// its methods return may be.
	Offer(p *protocol.Prepared) (yield bool)
}

// Watcher is a [Member] that receives the events that the layer itself sends. A Member that
// does not implement it receives none of them. A consumer's connection receives those that
// the consumer declared a handler for.
type Watcher interface {
	// Watches reports whether the member receives events of this type, which is that of
	// Down, Up, Gap, Entered, Changed or Exited.
	Watches(typ string) bool
}

// Closer is a [Member] that [Layer.CloseGroup] can close. Other members are left alone.
type Closer interface {
	Member
	// Close closes the connection. Like all methods of a Member it must not block, and
	// must run no code of the application.
	Close(code protocol.CloseCode, reason string)
}

func watches(m Member, typ string) bool {
	w, ok := m.(Watcher)
	return ok && w.Watches(typ)
}
