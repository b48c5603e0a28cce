package protocol

import (
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/protocol/internal/ledger"
)

// defaultReadBytes is the default of [ReadBudget].Bytes.
const defaultReadBytes = 256 << 20

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
	// Bytes is the bound. Default 256 MiB. It must not change after the
	// first use.
	Bytes int

	mu struct {
		sync.Mutex
		ledger ledger.Ledger[holder]
	}
}

// The kinds of what a connection holds.
const (
	heldIncomplete = iota
	heldWaiting
)

// holder is a connection as the budget sees it.
type holder interface {
	// account is where the holder keeps its account: nil while nothing of it is
	// counted. It changes with the budget's lock held.
	account() *atomic.Pointer[account]
	// evict closes the connection.
	evict()
}

type account = ledger.Account[holder]

// Held returns how many bytes are counted now.
func (b *ReadBudget) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.ledger.Used()
}

func (b *ReadBudget) limit() int { return positive(b.Bytes, defaultReadBytes) }

// set replaces what h holds of a kind. It returns the holders for which there is no room
// any more, which have to be closed.
func (b *ReadBudget) set(h holder, kind, n int) (evicted []holder) {
	if n <= freeRead {
		n = 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := h.account().Load()
	if a == nil {
		if n == 0 {
			return nil
		}
		a = &account{Holder: h}
		h.account().Store(a)
	}
	evicted = b.mu.ledger.Set(a, kind, n, b.limit())
	for _, e := range evicted {
		e.account().Store(nil)
	}
	if a.IsEmpty() {
		h.account().Store(nil)
	}
	return evicted
}
