package engine

import (
	"net"
	"sync"
)

// Socket is a connection without a network that loops can run, for tests: see
// enginetest.NewPair. Its methods beside those of net.Conn do not wait.
type Socket interface {
	net.Conn
	// TryRead returns no bytes and no error if there is nothing to read, and io.EOF if the
	// peer has hung up.
	TryRead(b []byte) (n int, err error)
	// TryWrite returns fewer bytes than there are if the peer takes no more now.
	TryWrite(b []byte) (n int, err error)
	// Writable reports whether TryWrite would write anything.
	Writable() bool
	// CloseWrite has the peer read the end of the stream.
	CloseWrite() error
	// Watch has report called for each change from now on, and at once for what is true.
	Watch(report func(readable, writable, hungUp bool))
}

// NewInMemory is New for tests: its loops run each [Socket], and nothing else.
func NewInMemory(c Config) *Engine {
	c.Loops = false
	e := New(c)
	e.Loops = true
	e.isPlain = func(nc net.Conn) bool { _, ok := nc.(Socket); return ok }
	e.loops = e.newLoops(func() (kernel, error) { return newMemoryKernel(), nil })
	return e
}

// memoryKernel is a kernel of Sockets. Its descriptors are indices.
type memoryKernel struct {
	bell chan struct{} // there are changes, or wake was called

	mu struct {
		sync.Mutex
		sockets []Socket
		order   []uint64 // the keys of changed
		changed map[uint64]changes
	}
}

func newMemoryKernel() *memoryKernel {
	k := &memoryKernel{bell: make(chan struct{}, 1)}
	k.mu.changed = map[uint64]changes{}
	return k
}

func (k *memoryKernel) take(nc net.Conn) (fd int, err error) {
	s, ok := nc.(Socket)
	if !ok {
		return -1, errWrapped
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.sockets = append(k.mu.sockets, s)
	return len(k.mu.sockets) - 1, nil
}

func (k *memoryKernel) socket(fd int) Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.sockets[fd]
}

func (k *memoryKernel) add(fd int, key uint64) error {
	k.socket(fd).Watch(func(readable, writable, hungUp bool) {
		var what changes
		for change, is := range map[changes]bool{nowReadable: readable, nowWritable: writable, nowHungUp: hungUp} {
			if is {
				what |= change
			}
		}
		k.report(key, what)
	})
	return nil
}

func (k *memoryKernel) report(key uint64, what changes) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.changed[key] == 0 {
		k.mu.order = append(k.mu.order, key)
	}
	k.mu.changed[key] |= what
	k.wake()
}

func (k *memoryKernel) poll(events []change) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n < len(events) && n < len(k.mu.order) {
		key := k.mu.order[n]
		events[n] = change{key, k.mu.changed[key]}
		delete(k.mu.changed, key)
		n++
	}
	k.mu.order = k.mu.order[n:]
	return n
}

func (k *memoryKernel) sleep(events []change) int {
	<-k.bell
	return k.poll(events)
}

func (k *memoryKernel) wake() {
	select {
	case k.bell <- struct{}{}:
	default:
	}
}

func (k *memoryKernel) read(fd int, b []byte) (int, error) {
	return k.socket(fd).TryRead(b) //nolint:wrapcheck // as the kernel's
}

func (k *memoryKernel) write(fd int, pieces [][]byte, _ int) (n int, err error) {
	s := k.socket(fd)
	for _, p := range pieces {
		m, err := s.TryWrite(p)
		n += m
		if err != nil || m < len(p) {
			return n, err //nolint:wrapcheck // as the kernel's
		}
	}
	return n, nil
}

func (k *memoryKernel) limitUnsent(int) {}

func (k *memoryKernel) isWritable(fd int) bool { return k.socket(fd).Writable() }

// A Socket cannot fail to close.

func (k *memoryKernel) shutWrite(fd int) { _ = k.socket(fd).CloseWrite() } //nolint:errcheck // see above

func (k *memoryKernel) close(fd int) {
	_ = k.socket(fd).Close() //nolint:errcheck // see above
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.sockets[fd] = nil
}

func (k *memoryKernel) stop() {}
