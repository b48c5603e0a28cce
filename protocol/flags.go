package protocol

import "sync/atomic"

// The flags of a session that sends read without its lock.
const (
	flagOpen      uint32 = 1 << iota // mirrors life.state == stateOpen
	flagOrdered                      // events wait or are being handled: messages of group sends wait behind them; changes under Session.mu
	flagPaced                        // the peer's rate is bounded; changes only before the answer
	flagMailHigh                     // the mailbox has been more than half full for less than patience
	flagQueueHigh                    // and the transport's outgoing queue
)

// flags is a set of flags. The zero value is empty.
type flags struct{ bits atomic.Uint32 }

// has reports whether any of the flags in mask is set.
func (f *flags) has(mask uint32) bool { return f.bits.Load()&mask != 0 }

// isStraight reports whether flagOpen is set and flagOrdered is not: a message of a group
// send goes straight to the transport.
func (f *flags) isStraight() bool { return f.bits.Load()&(flagOpen|flagOrdered) == flagOpen }

// put sets or clears the flags in mask.
func (f *flags) put(mask uint32, set bool) {
	switch {
	case set == (f.bits.Load()&mask == mask): // a shared cache line is better read than written
	case set:
		f.bits.Or(mask)
	default:
		f.bits.And(^mask)
	}
}
