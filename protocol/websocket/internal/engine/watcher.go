package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// sampleEvery is the time between two samples of a lease. A callback that is seen in
// two samples is left behind.
const sampleEvery = 5 * time.Millisecond

// sampleLoopEvery is sampleEvery for loops, where other connections wait for a callback.
const sampleLoopEvery = time.Millisecond

// BlockedAfter is how long a callback may run, at most, before it is left behind.
const BlockedAfter = 2 * sampleEvery

// leaseHolder is what the watcher samples: a connection.
type leaseHolder interface {
	// lease returns the lease, which is the same each time.
	lease() *lease
	// leaveBehind has another goroutine read, if the callback with that number still
	// runs.
	leaveBehind(number uint64)
	// stillBusy is called when many short callbacks have kept the reader from all else
	// for as long as a long one may.
	stillBusy()
}

// watcher samples the leases of readers that run callbacks, and has other goroutines
// take over from those that block. Its timer runs only while there are leases that were
// active in the last idleSamples samples. Every must be set.
type watcher struct {
	every time.Duration // between two samples of a lease
	late  atomic.Int32  // samples until none of the last ones was late; see isLate
	mu    struct {
		sync.Mutex
		list  []watchEntry
		last  time.Time // when the list was sampled, or has got its first entry
		timer *time.Timer
	}
}

type watchEntry struct {
	holder  leaseHolder
	samples leaseSamples
}

// watchIfNot is watch, and cheap for a holder that is on the list.
func (w *watcher) watchIfNot(h leaseHolder) {
	if !h.lease().watched.Load() {
		w.watch(h)
	}
}

// watch adds a holder to the list, if it is not there.
func (w *watcher) watch(h leaseHolder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !h.lease().watched.CompareAndSwap(false, true) {
		return
	}
	w.mu.list = append(w.mu.list, watchEntry{holder: h})
	switch {
	case len(w.mu.list) > 1: // the timer runs
		return
	case w.mu.timer == nil:
		w.mu.last = time.Now()
		w.mu.timer = time.AfterFunc(w.every, w.sampleAll)
	default:
		w.mu.last = time.Now()
		w.mu.timer.Reset(w.every)
	}
}

// isLate reports whether one of the last samples was late. Then the machine is so busy that
// a callback which takes long may only have waited for a processor.
func (w *watcher) isLate() bool { return w.late.Load() > 0 }

// A sample is late after lateFactor times the usual time, and counts for lateSamples.
const (
	lateFactor  = 3
	lateSamples = 16
)

// noteLateLocked measures how late the watcher itself is.
func (w *watcher) noteLateLocked() {
	now := time.Now()
	since := now.Sub(w.mu.last)
	w.mu.last = now
	switch late := w.late.Load(); {
	case since > lateFactor*w.every:
		w.late.Store(lateSamples)
	case late > 0:
		w.late.Store(late - 1)
	}
}

// sampleAll samples all leases on the list, and starts the timer again if any is left.
func (w *watcher) sampleAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLateLocked()
	kept := w.mu.list[:0]
	for _, e := range w.mu.list {
		if e.sample() {
			kept = append(kept, e)
		}
	}
	clear(w.mu.list[len(kept):])
	w.mu.list = kept
	if len(kept) > 0 {
		w.mu.timer.Reset(w.every)
	}
}

// sample reports whether the lease stays on the list.
func (e *watchEntry) sample() (stays bool) {
	l := e.holder.lease()
	number := l.number.Load()
	switch e.samples.add(number) {
	case leaseActive:
		e.holder.stillBusy()
	case leaseBlocked:
		e.holder.leaveBehind(number)
	case leaseQuiet:
	case leaseIdle:
		// A reader changes the number and then loads watched; here the order is
		// reversed, so that at least one of the two sees the other's change.
		l.watched.Store(false)
		return l.number.Load() != number && l.watched.CompareAndSwap(false, true)
	}
	return true
}
