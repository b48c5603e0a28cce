// Package executor is the serial executor of a connection: the right to run its callbacks.
// Callbacks run one at a time, without a goroutine per connection and without a lock that
// is held while they run. The goroutine that claims the executor runs what is due until
// nothing is left, and releases it; all others queue, and the holder sees what they have
// queued.
//
// The claim is a bit of one atomic word, together with the flags that sends read without
// the connection's lock, and with a count of messages. So a message that finds its
// connection open and idle costs two compare-and-swaps and no lock.
package executor

import "sync/atomic"

// Flags are a set of flags of a connection.
type Flags uint64

// The flags. They change with the connection's lock held, except QueueHigh, which
// changes under the lock of the transport's queue, and that Finish clears Ordered.
const (
	Open      Flags = 1 << iota // the connection is open: sends go to the transport
	Ordered                     // events wait or are being handled: messages of group sends wait behind them
	Paced                       // the peer's rate is bounded; changes only before the answer
	MailHigh                    // the mailbox has been more than half full, for a short time only
	QueueHigh                   // and the transport's outgoing queue
	Waiting                     // the mailbox holds something

	running // the executor is claimed: callbacks run, or are about to
)

// Above the flags, the word has the count of messages and of their bytes since
// TakeTally.
const (
	messageShift = 8
	messageMax   = 1<<24 - 1
	byteShift    = 32
	byteMax      = 1<<32 - 1
)

// Tally counts messages and their bytes.
type Tally struct{ Messages, Bytes int64 }

// Add counts what u has counted.
func (t *Tally) Add(u Tally) {
	t.Messages += u.Messages
	t.Bytes += u.Bytes
}

// State is the word of one connection. The zero value has no flags, and is not claimed.
type State struct{ word atomic.Uint64 }

// Has reports whether any of the flags in mask is set.
func (s *State) Has(mask Flags) bool { return s.word.Load()&uint64(mask) != 0 }

// IsStraight reports whether Open is set and Ordered is not: a message of a group send
// goes straight to the transport.
func (s *State) IsStraight() bool { return s.word.Load()&uint64(Open|Ordered) == uint64(Open) }

// Put sets or clears the flags in mask.
func (s *State) Put(mask Flags, set bool) {
	switch m := uint64(mask); {
	case set == (s.word.Load()&m == m): // a shared cache line is better read than written
	case set:
		s.word.Or(m)
	default:
		s.word.And(^m)
	}
}

// Claim sets the flags in mask, and claims the executor. It reports whether the caller
// has it now, and has to have callbacks run. Otherwise another goroutine has it, and does
// not release it before it has handled what mask reports.
//
// It is called with the connection's lock held; mask has Waiting if the caller has put
// something into the mailbox.
func (s *State) Claim(mask Flags) bool {
	m := uint64(mask | running)
	if mask&Waiting != 0 && s.word.Load()&m == m {
		return false // it stays so: what clears Waiting holds the lock
	}
	return Flags(s.word.Or(m))&running == 0
}

// ClaimForMessage claims the executor for a message of n bytes, and counts it. It
// returns false and changes nothing unless the connection is open, the executor is not
// claimed, and the peer's rate is not bounded. It needs no lock: while the executor is
// not claimed, nothing waits that the message could overtake.
//
// It also returns false if the count has no room: see TakeTally.
func (s *State) ClaimForMessage(n int) bool {
	size := uint64(n) //nolint:gosec // a length is not negative
	for {
		old := s.word.Load()
		if Flags(old)&(Open|Paced|running) != Open || old>>messageShift&messageMax == messageMax || size > byteMax-old>>byteShift {
			return false
		}
		if s.word.CompareAndSwap(old, old+size<<byteShift+1<<messageShift|uint64(running)) {
			return true
		}
	}
}

// Count counts a message of n bytes. It returns false, and changes nothing, if the count has
// no room: see TakeTally.
func (s *State) Count(n int) bool {
	size := uint64(n) //nolint:gosec // a length is not negative
	for {
		old := s.word.Load()
		if old>>messageShift&messageMax == messageMax || size > byteMax-old>>byteShift {
			return false
		}
		if s.word.CompareAndSwap(old, old+size<<byteShift+1<<messageShift) {
			return true
		}
	}
}

// Finish releases the executor and reports true, if the connection is open and nothing
// waits: then nothing can be due. It clears Ordered, because the caller has handled the
// last event. It needs no lock. If it returns false, the caller still has the executor,
// and decides with the lock held what is due.
func (s *State) Finish() bool {
	for {
		old := s.word.Load()
		if Flags(old)&(Open|Waiting) != Open {
			return false
		}
		if s.word.CompareAndSwap(old, old&^uint64(running|Ordered)) {
			return true
		}
	}
}

// Release releases the executor of a connection with an empty mailbox. It is called
// with the connection's lock held.
func (s *State) Release() { s.word.And(^uint64(running | Ordered | Waiting)) }

// IsRunning reports whether the executor is claimed.
func (s *State) IsRunning() bool { return s.Has(running) }

// Tally returns what ClaimForMessage and Count have counted since the last call of
// TakeTally.
func (s *State) Tally() Tally { return tallyOf(s.word.Load()) }

// TakeTally returns what Tally does, and sets the count back.
func (s *State) TakeTally() Tally {
	const flags = 1<<messageShift - 1
	for {
		old := s.word.Load()
		if old <= flags || s.word.CompareAndSwap(old, old&flags) {
			return tallyOf(old)
		}
	}
}

func tallyOf(word uint64) Tally {
	return Tally{Messages: int64(word >> messageShift & messageMax), Bytes: int64(word >> byteShift)}
}
