// Package ledger keeps what many holders hold of something that is bounded in all, and
// says who has to give up what they hold when it is too much. It has no lock: the caller
// guards a ledger and its accounts.
package ledger

// Kinds is how many kinds of things a holder may hold.
const Kinds = 2

// Ledger is what all holders hold. The zero value is empty.
type Ledger[H any] struct {
	used        int
	first, last *Account[H] // in the order in which they have opened, the oldest first
}

// Account is what one holder holds. It is in its ledger as long as that is anything.
type Account[H any] struct {
	Holder     H
	prev, next *Account[H]
	held       [Kinds]int
}

// Used returns what all holders hold.
func (l *Ledger[H]) Used() int { return l.used }

// IsEmpty reports whether the holder holds nothing, so that the account is in no ledger.
func (a *Account[H]) IsEmpty() bool { return a.held == [Kinds]int{} }

// Set replaces what the holder of a holds of a kind. As long as all hold more than limit
// together, it evicts the account that has been in the ledger for the longest time,
// which may be a itself: its holder holds nothing any more.
func (l *Ledger[H]) Set(a *Account[H], kind, n, limit int) (evicted []H) {
	was := a.IsEmpty()
	l.used += n - a.held[kind]
	a.held[kind] = n
	switch is := a.IsEmpty(); {
	case was && !is:
		l.link(a)
	case !was && is:
		l.unlink(a)
	}
	for l.used > limit && l.first != nil {
		oldest := l.first
		evicted = append(evicted, oldest.Holder)
		for _, n := range oldest.held {
			l.used -= n
		}
		oldest.held = [Kinds]int{}
		l.unlink(oldest)
	}
	return evicted
}

// link puts a behind the others.
func (l *Ledger[H]) link(a *Account[H]) {
	a.prev, a.next = l.last, nil
	if a.prev == nil {
		l.first = a
	} else {
		a.prev.next = a
	}
	l.last = a
}

// unlink takes a out.
func (l *Ledger[H]) unlink(a *Account[H]) {
	if a.prev == nil {
		l.first = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next == nil {
		l.last = a.prev
	} else {
		a.next.prev = a.prev
	}
	a.prev, a.next = nil, nil
}
