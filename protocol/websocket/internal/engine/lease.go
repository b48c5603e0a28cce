package engine

import "sync/atomic"

// lease is the right to read a connection. One goroutine, the reader, holds it at a
// time. The reader marks the callbacks that it runs, so that another goroutine can tell
// a callback that takes long from a wait for the peer, and can expire the lease: from
// then on that goroutine is the reader. The zero value is a lease that is held by a
// reader which runs no callback. All methods are safe for concurrent use.
type lease struct {
	number  atomic.Uint64 // odd while the reader runs a callback; it only grows
	watched atomic.Bool   // the watcher samples it
	hurry   atomic.Bool   // the reader should turn to other connections, if it has any
	learns  bool          // callbacks that block run elsewhere; set once
	rest    []byte        // behind the message that is lent; only of the reader
}

// startCallback marks that the reader runs a callback from now on. Only the reader
// calls it.
func (l *lease) startCallback() { l.number.Add(1) }

// endCallback marks the end of the callback that was started when the number was
// before, if one was started at all. It reports whether the caller is still the reader.
func (l *lease) endCallback(before uint64) (kept bool) {
	return l.number.Load() == before || l.number.CompareAndSwap(before+1, before+2)
}

// expire takes the lease from a reader that is still in the callback with that number.
// If it returns true, the caller has to start another reader.
func (l *lease) expire(number uint64) bool {
	return number%2 == 1 && l.number.CompareAndSwap(number, number+1)
}

// leaseState is what a sample says about a lease.
type leaseState uint8

const (
	leaseActive  leaseState = iota // callbacks have run since the last sample
	leaseBlocked                   // the callback of the last sample still runs
	leaseQuiet                     // no callback has run since the last sample
	leaseIdle                      // none has run for idleSamples samples
)

// idleSamples is after how many samples without a callback a lease is idle.
const idleSamples = 20

// leaseSamples is what is remembered of the samples of one lease. The zero value is
// that of a lease which has run no callback.
type leaseSamples struct {
	last  uint64
	quiet int // samples in a row without a callback
}

// add judges the lease by its number now.
func (s *leaseSamples) add(number uint64) leaseState {
	switch {
	case number != s.last:
		s.last, s.quiet = number, 0
		return leaseActive
	case number%2 == 1:
		return leaseBlocked
	}
	s.quiet++
	if s.quiet < idleSamples {
		return leaseQuiet
	}
	return leaseIdle
}
