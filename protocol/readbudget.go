package protocol

import (
	"log/slog"
	"sync"
)

// DefaultReadBytes is the default of [ReadBudget].Bytes.
const DefaultReadBytes = 256 << 20

// freeRead is how much of each kind a connection holds that is not counted: most never
// need more, and small messages do not touch the budget.
const freeRead = 4 << 10

// ReadBudget bounds what all connections of a protocol server hold of the messages of
// their peers: of incomplete ones, as the transport reports it with [Session.Hold], and
// of those that wait in mailboxes for a callback. Up to 4 KiB of each of the two are not
// counted, and neither is the message that a callback is handling.
//
// When they hold more, the connection that has held its part for the longest time is
// closed with CloseTryAgainLater, and what it holds is dropped. So a peer that keeps
// messages incomplete makes room for those that complete theirs: nobody waits, and to
// get others closed a peer must send as much as the budget in the time that they need
// for a message.
//
// The zero value is ready for use. All methods are safe for concurrent use; a ReadBudget
// must not be copied.
type ReadBudget struct {
	// Bytes is the bound. Default DefaultReadBytes. It must not change after the
	// first use.
	Bytes int

	mu struct {
		sync.Mutex
		used        int
		first, last *holding // since when they hold more than what is free, the longest first
	}
}

// holding is what a connection holds, from when it is counted. It is guarded by the
// budget's lock.
type holding struct {
	session    *Session
	prev, next *holding
	bytes      [heldKinds]int
}

// The kinds of what a connection holds.
const (
	heldIncomplete = iota
	heldWaiting
	heldKinds
)

// Held returns how many bytes are counted now.
func (b *ReadBudget) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.used
}

func (b *ReadBudget) limit() int { return positive(b.Bytes, DefaultReadBytes) }

// set replaces what s holds of a kind. It returns the sessions for which there is no
// room any more, which have to be closed.
func (b *ReadBudget) set(s *Session, kind, n int) (evicted []*Session) {
	if n <= freeRead {
		n = 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h := s.holding.Load()
	if h == nil {
		if n == 0 {
			return nil
		}
		h = &holding{session: s}
		s.holding.Store(h)
		b.linkLocked(h)
	}
	b.mu.used += n - h.bytes[kind]
	h.bytes[kind] = n
	if h.bytes == [heldKinds]int{} {
		b.forgetLocked(h)
	}
	for b.mu.used > b.limit() && b.mu.first != nil {
		h := b.mu.first
		evicted = append(evicted, h.session)
		b.forgetLocked(h)
	}
	return evicted
}

// linkLocked puts h behind the others.
func (b *ReadBudget) linkLocked(h *holding) {
	h.prev = b.mu.last
	if h.prev == nil {
		b.mu.first = h
	} else {
		h.prev.next = h
	}
	b.mu.last = h
}

// forgetLocked counts h no more.
func (b *ReadBudget) forgetLocked(h *holding) {
	for _, n := range h.bytes {
		b.mu.used -= n
	}
	if h.prev == nil {
		b.mu.first = h.next
	} else {
		h.prev.next = h.next
	}
	if h.next == nil {
		b.mu.last = h.prev
	} else {
		h.next.prev = h.prev
	}
	h.session.holding.Store(nil)
}

// Hold tells how many bytes of incomplete messages the transport keeps in memory for this
// connection, and of what it has read beyond. It costs nothing as long as that is little.
// When it is too much for the [ReadBudget], a connection is closed, which may be this one.
func (s *Session) Hold(n int) { s.hold(heldIncomplete, n) }

// mailHeldLocked counts what waits in the mailbox. It is called when that has changed.
func (s *Session) mailHeldLocked() { s.hold(heldWaiting, s.mu.mail.bytes) }

func (s *Session) hold(kind, n int) {
	b := s.shared.Reads
	if b == nil || n <= freeRead && s.holding.Load() == nil {
		return
	}
	for _, s := range b.set(s, kind, n) {
		go s.evict() // it takes the session's lock, and the caller may have one
	}
}

// evict closes a connection that has held messages for too long.
func (s *Session) evict() {
	if s.end(CloseStatus{Code: CloseTryAgainLater, Reason: "message not completed in time", Err: errHeld}, true).first() {
		s.log(slog.LevelWarn, "wye: the read budget was used up; the connection that had held messages the longest was closed with 1013",
			[]any{"bytes", s.shared.Reads.limit()})
	}
}
