package protocol

import (
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/protocol/internal/ledger"
)

// freeRead is how many bytes of each kind a connection may hold without being counted. Most
// connections never need more, and so small messages do not use the budget.
const freeRead = 4 << 10

// readBudget bounds how many bytes of incoming messages the sessions with the same Counters hold:
// see SessionOptions.ReadBytes. The zero value is ready for use. All methods are safe for
// concurrent use.
type readBudget struct {
	mu struct {
		sync.Mutex
		ledger ledger.Ledger[holder]
	}
}

// The kinds of bytes that a connection holds.
const (
	heldIncomplete = iota // of incomplete messages
	heldWaiting           // of messages in the mailbox
)

// holder is a connection that holds bytes of the budget.
type holder interface {
	// account returns where the holder keeps its account, which is nil while none of its
	// bytes are counted. It changes with the budget's lock held.
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

// set sets how many bytes of a kind h holds to n. If all holders together then hold more
// than limit, it returns those that the caller has to close.
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
