package layers

import (
	"context"
	"sync"

	"github.com/wye-go/wye/layers/internal/catchup"
	"github.com/wye-go/wye/protocol"
)

// catchingUp stands in a group for a member whose JoinFrom reads the history. Until that
// has been read live events wait; then those that were read are omitted, and the others
// delivered.
//
// It stays until the next event is recorded, because an event that was read may still be
// on its way, from the driver or another node. (If the history starts anew before that it
// stays for good: slower by a lock, and correct.)
type catchingUp struct {
	Member

	mu struct {
		sync.Mutex
		buffer catchup.Buffer
	}
}

// with calls f with the buffer locked.
func (w *catchingUp) with(f func(b *catchup.Buffer)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.mu.buffer)
}

// Deliver delivers e, keeps it for later, or omits it.
func (w *catchingUp) Deliver(e *protocol.Event) (yield bool) {
	return w.add(e) && w.Member.Deliver(e)
}

// Offer is Deliver for messages.
func (w *catchingUp) Offer(p *protocol.Prepared) (yield bool) {
	return w.add(p.Event()) && w.Member.Offer(p)
}

func (w *catchingUp) add(e *protocol.Event) (deliver bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.buffer.Add(e)
}

// Close closes the member.
func (w *catchingUp) Close(code protocol.CloseCode, reason string) {
	if c, ok := w.Member.(Closer); ok {
		c.Close(code, reason)
	}
}

// Watches asks the member.
func (w *catchingUp) Watches(typ string) bool { return watches(w.Member, typ) }

// deliverWaiting delivers what waits and was not read, and settles the buffer.
func (w *catchingUp) deliverWaiting(ctx context.Context, last protocol.Position) error {
	for {
		var events []*protocol.Event
		var more bool
		var err error
		w.with(func(b *catchup.Buffer) { events, more, err = b.Next(last) })
		if err != nil || !more {
			return err
		}
		for _, e := range events {
			deliverTo(w.Member, e)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func (w *catchingUp) isSettled() (settled bool) {
	w.with(func(b *catchup.Buffer) { settled = b.IsSettled() })
	return settled
}

// isDone reports whether the member can take its own place when the event at p is being
// delivered.
func (w *catchingUp) isDone(p protocol.Position) (done bool) {
	w.with(func(b *catchup.Buffer) { done = b.IsDone(p) })
	return done
}

// original returns the member that m stands for, or m.
func original(m Member) Member {
	if w, ok := m.(*catchingUp); ok {
		return w.Member
	}
	return m
}
