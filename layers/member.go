package layers

import "github.com/wye-go/wye/protocol"

// Member receives the events and messages of a layer. It is usually the connection of a
// consumer. Members are compared with ==, so a Member is a pointer.
//
// The goroutine that sends, or one of the driver, calls the methods, without a lock. Several
// goroutines may call them at once. They must not block and must not run code of the
// application. A member that has no room drops the event or message and counts it.
//
// A method returns true if the sender should yield, as [protocol.Conn.ShouldYield] does. If a
// method of any member does, the send calls runtime.Gosched once, after it has reached all
// members. It does not wait.
type Member interface {
	// Deliver queues an event for the consumer. e is shared with other members. The
	// member may keep e, and must not change it.
	Deliver(e *protocol.Event) (yield bool)
	// Offer queues a message for the peer, without the consumer. The member must not keep
	// p, but may keep what the methods of p return.
	Offer(p *protocol.Prepared) (yield bool)
}

// Watcher is a [Member] that receives the events that the layer itself sends, such as Down.
// Other members do not receive them. The connection of a consumer receives those for which
// the consumer declares a handler.
type Watcher interface {
	// Watches reports whether the member receives events of this type, which is that of
	// Down, Up, Gap, Entered, Changed or Exited.
	Watches(typ string) bool
}

// Closer is a [Member] that [Layer.CloseGroup] can close. CloseGroup skips other members.
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
