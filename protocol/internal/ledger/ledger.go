// Package ledger counts how much many holders hold of a resource that they share. If it is
// too much, it chooses the holders that have to release their part. It has no lock: the
// caller guards a ledger and its accounts.
package ledger

// Kinds is how many kinds of things a holder may hold.
const Kinds = 2

// Ledger counts how much all holders hold. The zero value is empty.
type Ledger[H any] struct {
	used        int
	first, last *Account[H] // in the order in which they have opened, the oldest first
}

// Account counts how much one holder holds. It is in its ledger while that is not zero.
type Account[H any] struct {
	Holder     H
	prev, next *Account[H]
	held       [Kinds]int
}

// Used returns how much all holders hold.
func (l *Ledger[H]) Used() int { return l.used }

// IsEmpty reports whether the holder holds nothing, so that the account is in no ledger.
func (a *Account[H]) IsEmpty() bool { return a.held == [Kinds]int{} }

// Set sets how much of a kind the holder of a holds. While all holders together hold more
// than limit, it removes the account that has been in the ledger for the longest time,
// which may be a. It returns the holders of the removed accounts, which have to release
// their part.
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
