package redis

import (
	"context"
	"sync"
)

// keyLocks are locks of presences. A lock takes memory only while it is used.
type keyLocks struct {
	mu struct {
		sync.Mutex
		locks map[entryKey]*keyLock
		spare *keyLock // one that is not used, if there is one
	}
}

type keyLock struct {
	held  chan struct{} // has an element while the lock is held
	users int           // that hold it or wait
}

// lock waits until it has the lock of k, or ctx ends.
func (l *keyLocks) lock(ctx context.Context, k entryKey) (unlock func(), err error) {
	l.mu.Lock()
	if l.mu.locks == nil {
		l.mu.locks = make(map[entryKey]*keyLock)
	}
	one := l.mu.locks[k]
	if one == nil {
		if one, l.mu.spare = l.mu.spare, nil; one == nil {
			one = &keyLock{held: make(chan struct{}, 1)}
		}
		l.mu.locks[k] = one
	}
	one.users++
	l.mu.Unlock()
	unlock = func() {
		<-one.held
		l.release(k, one)
	}
	select {
	case one.held <- struct{}{}: // usually; ctx need not make a channel
		return unlock, nil
	default:
	}
	select {
	case one.held <- struct{}{}:
		return unlock, nil
	case <-ctx.Done():
		l.release(k, one)
		return nil, context.Cause(ctx)
	}
}

func (l *keyLocks) release(k entryKey, one *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.users--
	if one.users == 0 {
		delete(l.mu.locks, k)
		l.mu.spare = one
	}
}
