package layers

import (
	"context"
	"runtime"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/roster"
	"github.com/wye-go/wye/protocol"
)

// Closing is the payload of [Close].
type Closing struct {
	Code   int    `json:"code"`
	Reason string `json:"reason,omitempty"`
}

// Close is what [Layer.CloseGroup] and [Layer.CloseChannel] send. The layer of each node
// acts on it; no consumer handles it. Other programs on the same back end may send it too,
// as {"type": "wye.close", "code": 4003, "reason": "banned"}.
var Close = protocol.EventType[Closing]{Name: "wye.close"}

const (
	// manyMembers is the size from which a group takes longer to send to than a callback
	// should hold up other connections: about a millisecond.
	manyMembers = 8192
	// longMessage is the size in bytes from which a message takes long to compress, if the
	// protocol server does. It is that from which package websocket hands a loop over.
	longMessage = 64 << 10
	// yieldAfter is how many chunks of members are sent to before other goroutines may run.
	yieldAfter = 16
)

// announce tells the transport of the connection whose callback sends, if there is one,
// that a send of n bytes to all will take long.
func announce(ctx context.Context, all *roster.View[Member], n int) {
	if all.Len() >= manyMembers || n > longMessage {
		plumbing.WillWork(ctx)
	}
}

// deliverTo delivers e to one member, as what it is: a ready message, a Close, or an event.
func deliverTo(m Member, e *protocol.Event) {
	yield := false
	switch p := e.Prepared(); {
	case p != nil:
		yield = m.Offer(p)
	case e.Type() == Close.Name:
		closeMember(m, e)
	default:
		yield = m.Deliver(e)
	}
	if yield {
		runtime.Gosched()
	}
}

// deliverToAll delivers e to all members but one, and returns how many those are. An event
// of the layer's own is for members that watch it.
func deliverToAll(all roster.View[Member], e *protocol.Event, except Member) (reached int) {
	if p := e.Prepared(); p != nil {
		return offerToAll(all, p, except)
	}
	typ := e.Type()
	closes, watched, yield := typ == Close.Name, driver.IsLayerEvent(typ), false
	chunks := 0
	for chunk := range all.Chunks {
		chunks++
		if chunks%yieldAfter == 0 {
			runtime.Gosched()
		}
		for _, m := range chunk {
			if m == except || watched && !watches(m, typ) {
				continue
			}
			reached++
			if closes {
				closeMember(m, e)
			} else if m.Deliver(e) {
				yield = true
			}
		}
	}
	if yield {
		runtime.Gosched()
	}
	return reached
}

// offerToAll offers p to all members but one, and returns how many those are.
func offerToAll(all roster.View[Member], p *protocol.Prepared, except Member) (reached int) {
	yield, chunks := false, 0
	for chunk := range all.Chunks {
		chunks++
		if chunks%yieldAfter == 0 {
			runtime.Gosched()
		}
		for _, m := range chunk {
			if m == except {
				continue
			}
			reached++
			if m.Offer(p) {
				yield = true
			}
		}
	}
	if yield {
		runtime.Gosched()
	}
	return reached
}

// closeMember closes m as e, a Close event, says. The session checks the code, which
// another program may have chosen.
func closeMember(m Member, e *protocol.Event) {
	c, ok := m.(Closer)
	if !ok {
		return
	}
	if closing, err := Close.Payload(e); err == nil {
		c.Close(protocol.CloseCode(closing.Code), closing.Reason) //nolint:gosec // the session checks it
	}
}
