package protocol

import (
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/protocol/internal/ledger"
)

// freeRead is how much of each kind a connection holds that is not counted: most never
// need more, and small messages do not touch the budget.
const freeRead = 4 << 10

// readBudget bounds what the sessions with the same Counters hold of incoming messages:
// see SessionOptions.ReadBytes. The zero value is ready for use. All methods are safe for
// concurrent use.
type readBudget struct {
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

// held returns how many bytes are counted now.
func (b *readBudget) held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.ledger.Used()
}

// set replaces what h holds of a kind; limit is the bound of all. It returns the holders for which there is no room
// any more, which have to be closed.
func (b *readBudget) set(h holder, kind, n, limit int) (evicted []holder) {
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
	evicted = b.mu.ledger.Set(a, kind, n, limit)
	for _, e := range evicted {
		e.account().Store(nil)
	}
	if a.IsEmpty() {
		h.account().Store(nil)
	}
	return evicted
}
