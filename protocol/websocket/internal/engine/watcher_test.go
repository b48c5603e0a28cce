package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// holder is a lease without a connection. It notes what the watcher asks of it.
type holder struct {
	reading lease
	left    []uint64 // numbers that were left behind
	flushes int
}

func (h *holder) lease() *lease { return &h.reading }
func (h *holder) stillBusy()    { h.flushes++ }
func (h *holder) leaveBehind(number uint64) {
	if h.reading.expire(number) {
		h.left = append(h.left, number)
	}
}

// TestWatcher has a reader run short callbacks, and then a long one.
func TestWatcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watcher{every: sampleEvery}
		h := &holder{}
		const short = 3
		for range short {
			h.reading.startCallback()
			w.watch(h)
			<-time.After(sampleEvery * 3 / 4)
			if !h.reading.endCallback(h.reading.number.Load() - 1) {
				t.Fatal("a short callback was left behind")
			}
			<-time.After(sampleEvery / 4)
			synctest.Wait() // the sample has been taken
		}
		if h.flushes != short || len(h.left) > 0 {
			t.Fatalf("%d flushes, and left behind %v, want %d and none", h.flushes, h.left, short)
		}
		h.reading.startCallback()
		begun := h.reading.number.Load()
		<-time.After(2 * sampleEvery)
		synctest.Wait()
		if h.reading.endCallback(begun-1) || len(h.left) != 1 || h.left[0] != begun {
			t.Errorf("left behind %v, want %d", h.left, begun)
		}
		<-time.After((idleSamples + 2) * sampleEvery)
	})
}

// TestWatcherRests makes sure that idle leases are no longer sampled, and are again when
// they are active.
func TestWatcherRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watcher{every: sampleEvery}
		idle := &holder{}
		w.watch(idle)
		w.watch(idle)
		for range 2 {
			<-time.After((idleSamples + 2) * sampleEvery)
			w.mu.Lock()
			left := len(w.mu.list)
			w.mu.Unlock()
			if left != 0 || idle.reading.watched.Load() {
				t.Fatalf("%d leases are sampled, want none", left)
			}
			w.watch(idle)
		}
		<-time.After((idleSamples + 2) * sampleEvery)
	})
}

// TestWatcherKeepsWhoComesBack: a reader that starts a callback while the watcher gives
// its lease up either finds that it is not watched, or stays on the list.
func TestWatcherKeepsWhoComesBack(t *testing.T) {
	t.Parallel()
	h := &holder{}
	h.reading.watched.Store(true)
	e := watchEntry{holder: h, samples: leaseSamples{quiet: idleSamples}}
	if e.sample() || h.reading.watched.Load() {
		t.Error("an idle lease stays on the list")
	}
	h.reading.startCallback()
	h.reading.watched.Store(true)
	if !e.sample() || !h.reading.watched.Load() {
		t.Error("an active lease does not stay on the list")
	}
}
