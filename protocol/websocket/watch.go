package websocket

import (
	"sync"
	"time"
)

// watchEvery is how often the watcher looks. A callback that is found at the
// same message twice is left behind.
const watchEvery = 5 * time.Millisecond

// watchIdle is for how many looks a connection may do nothing until it is looked
// at no more.
const watchIdle = 20

// watcher finds connections whose callback takes long, and gives their reading
// to another goroutine. Its timer runs only while there are connections that
// had messages lately. The zero value is ready for use.
type watcher struct {
	mu    sync.Mutex
	list  []watchee
	timer *time.Timer
}

type watchee struct {
	conn *conn
	seen uint64 // turn at the last look
	idle int    // looks without a change
}

// watch puts c on the list, if it is not there.
func (w *watcher) watch(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.watched.CompareAndSwap(false, true) {
		return
	}
	w.list = append(w.list, watchee{conn: c})
	switch {
	case len(w.list) > 1: // it runs
	case w.timer == nil:
		w.timer = time.AfterFunc(watchEvery, w.look)
	default:
		w.timer.Reset(watchEvery)
	}
}

// look goes through the list, and comes again if there is anything left on it.
func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.list[:0]
	for _, e := range w.list {
		if e.look() {
			kept = append(kept, e)
		}
	}
	clear(w.list[len(kept):])
	w.list = kept
	if len(kept) > 0 {
		w.timer.Reset(watchEvery)
	}
}

// look reports whether the connection should be looked at again.
func (e *watchee) look() bool {
	now := e.conn.turn.Load()
	switch {
	case now != e.seen:
		e.seen, e.idle = now, 0
		if e.conn.out.hurry() { // many short callbacks make a long turn as well
			go e.conn.write()
		}
		return true
	case now%2 == 1:
		e.conn.takeOver(now)
		return true
	}
	e.idle++
	if e.idle < watchIdle {
		return true
	}
	// A reader sets turn and then looks at watched; this is the other way
	// round, so that one of the two sees the other.
	e.conn.watched.Store(false)
	return e.conn.turn.Load() != now && e.conn.watched.CompareAndSwap(false, true)
}
