package engine

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// fakeNet is a network in memory, for loops without an operating system: sockets with
// bounded buffers, and descriptors that are used again as soon as they are closed. Its
// schedule is random, within what epoll and sockets may do. What a loop must not do is a
// fault.
type fakeNet struct {
	mu struct {
		sync.Mutex
		random  *rand.Rand
		open    map[int]*fakeSocket // by descriptor
		faults  []string
		kernels int   // that are not stopped
		filled  int64 // writes that were short
	}
	calm bool // nothing is random: everything happens at once and whole
}

func newFakeNet(seed uint64) *fakeNet {
	n := &fakeNet{}
	n.mu.random = rand.New(rand.NewPCG(seed, 1))
	n.mu.open = map[int]*fakeSocket{}
	return n
}

func (n *fakeNet) faultf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faultLockedf(format, args...)
}

func (n *fakeNet) faultLockedf(format string, args ...any) {
	n.mu.faults = append(n.mu.faults, fmt.Sprintf(format, args...))
}

// failed reports whether there was a fault.
func (n *fakeNet) failed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.mu.faults) > 0
}

// takeFaults returns the faults so far, and forgets them.
func (n *fakeNet) takeFaults() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	faults := n.mu.faults
	n.mu.faults = nil
	return faults
}

// chanceLocked is true once in so many calls.
func (n *fakeNet) chanceLocked(in int) bool { return !n.calm && n.mu.random.IntN(in) == 0 }

// fakeSocket is both ends of a connection.
type fakeSocket struct {
	net             *fakeNet
	inSize, outSize int // of the buffers

	// Guarded by net.mu.
	kernel  *fakeKernel // that has the socket, from add on
	fd      int
	key     uint64
	in, out []byte        // on the way to the server, and to the peer
	ended   bool          // the peer has shut its half
	gone    bool          // the peer has closed: what is written to it resets the connection
	reset   bool          // the connection is reset
	told    bool          // a read has returned the reset
	shut    bool          // the server has shut its half
	closed  bool          // by the server
	lost    bool          // the close has dropped what the peer had not read
	full    bool          // a write was short, or isWritable false: a change is to come
	limited bool          // limitUnsent was called
	ready   bool          // in the poller's list
	moved   time.Time     // of the last byte that the peer has taken or the server has written
	changed chan struct{} // closed when something has changed for the peer
}

func (n *fakeNet) newSocket(inSize, outSize int) *fakeSocket {
	return &fakeSocket{net: n, inSize: inSize, outSize: outSize, fd: -1, changed: make(chan struct{})}
}

// fakeConn is the net.Conn of a socket. It can only be taken.
type fakeConn struct {
	net.Conn

	socket *fakeSocket
}

// readableLocked and the two below are what the socket is for the server now.
func (s *fakeSocket) readableLocked() bool { return len(s.in) > 0 || s.ended || s.reset }
func (s *fakeSocket) hungUpLocked() bool   { return s.ended || s.reset }
func (s *fakeSocket) writableLocked() bool {
	free := s.outSize - len(s.out)
	if s.limited && len(s.out) >= unsentLow {
		return false
	}
	return s.reset || s.gone || free > 0 && free >= s.outSize/3
}

func (s *fakeSocket) whatLocked() (c changes) {
	if s.readableLocked() {
		c |= nowReadable
	}
	if s.writableLocked() {
		c |= nowWritable
	}
	if s.hungUpLocked() {
		c |= nowHungUp
	}
	return c
}

// edgeLocked puts the socket on the poller's list.
func (s *fakeSocket) edgeLocked() {
	if s.kernel != nil && !s.closed {
		s.ready = true
		s.kernel.signal()
	}
}

// noteLocked has the peer look again.
func (s *fakeSocket) noteLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// The peer's side. The calls wait.

// send sends b in pieces. It returns false if the connection is over.
func (s *fakeSocket) send(b []byte) bool {
	for {
		s.net.mu.Lock()
		if s.closed || s.reset || s.ended {
			s.net.mu.Unlock()
			return false
		}
		n := min(len(b), s.inSize-len(s.in))
		if n > 0 && s.net.chanceLocked(3) {
			n = 1 + s.net.mu.random.IntN(n)
		}
		if n > 0 {
			s.in = append(s.in, b[:n]...)
			b = b[n:]
			s.edgeLocked()
		}
		changed := s.changed
		s.net.mu.Unlock()
		if len(b) == 0 {
			return true
		}
		if n == 0 {
			<-changed
		}
	}
}

// receive waits for bytes. It returns io.EOF after the last of them, or an error after a
// reset.
func (s *fakeSocket) receive(most int) ([]byte, error) {
	for {
		s.net.mu.Lock()
		if n := min(most, len(s.out)); n > 0 && !s.gone {
			if s.net.chanceLocked(3) {
				n = 1 + s.net.mu.random.IntN(n)
			}
			b := slices.Clone(s.out[:n])
			s.out = s.out[n:]
			s.moved = time.Now()
			if s.full && s.writableLocked() {
				s.full = false
				s.edgeLocked()
			}
			s.net.mu.Unlock()
			return b, nil
		}
		changed, err := s.changed, error(nil)
		switch {
		case s.reset, s.gone:
			err = syscall.ECONNRESET
		case s.shut, s.closed:
			err = io.EOF
		}
		s.net.mu.Unlock()
		if err != nil {
			return nil, err
		}
		<-changed
	}
}

// hangUp shuts the peer's half.
func (s *fakeSocket) hangUp() { s.end(func() { s.ended = true }) }

// leave closes the peer's end.
func (s *fakeSocket) leave() {
	s.end(func() {
		if s.ended, s.gone = true, true; len(s.out) > 0 {
			s.reset = true
		}
	})
}

// abort resets the connection.
func (s *fakeSocket) abort() {
	s.end(func() {
		s.reset, s.gone = true, true
		if s.net.chanceLocked(2) {
			s.in = nil
		}
	})
}

func (s *fakeSocket) end(f func()) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	f()
	s.edgeLocked()
	s.noteLocked()
}

// fakeKernel is a poller of a fakeNet.
type fakeKernel struct {
	net     *fakeNet
	driver  sync.Mutex    // held during the calls that only the driver makes
	signals chan struct{} // has a value if the sleep is to look again

	// Guarded by net.mu.
	sockets []*fakeSocket
	woken   bool
	stopped bool
}

var _ kernel = (*fakeKernel)(nil)

func (n *fakeNet) newKernel() (kernel, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.kernels++
	return &fakeKernel{net: n, signals: make(chan struct{}, 1)}, nil
}

func (k *fakeKernel) signal() {
	select {
	case k.signals <- struct{}{}:
	default:
	}
}

// lock begins a call of the driver. The result ends it.
func (k *fakeKernel) lock(what string) (unlock func()) {
	if !k.driver.TryLock() {
		k.net.faultf("%s while another goroutine drives", what)
		k.driver.Lock()
	}
	k.net.mu.Lock()
	if k.stopped {
		k.net.faultLockedf("%s after stop", what)
	}
	yields := k.net.chanceLocked(8)
	return func() {
		k.net.mu.Unlock()
		if yields {
			runtime.Gosched()
		}
		k.driver.Unlock()
	}
}

// socketLocked returns the socket with that descriptor, and makes one up after a fault.
func (k *fakeKernel) socketLocked(what string, fd int) *fakeSocket {
	s := k.net.mu.open[fd]
	if s == nil || s.kernel != k {
		k.net.faultLockedf("%s of descriptor %d, which is closed or another loop's", what, fd)
		return &fakeSocket{net: k.net, kernel: k, closed: true, changed: make(chan struct{})}
	}
	return s
}

func (k *fakeKernel) take(nc net.Conn) (fd int, err error) {
	s := nc.(*fakeConn).socket
	n := k.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for fd = 3; n.mu.open[fd] != nil; {
		fd++
	}
	n.mu.open[fd] = s
	s.fd, s.kernel = fd, k
	return fd, nil
}

func (k *fakeKernel) add(fd int, key uint64) error {
	unlock := k.lock("add")
	defer unlock()
	s := k.socketLocked("add", fd)
	s.key = key
	k.sockets = append(k.sockets, s)
	s.edgeLocked()
	return nil
}

func (k *fakeKernel) poll(events []change) int {
	unlock := k.lock("poll")
	defer unlock()
	if k.net.chanceLocked(4) { // what is new comes a moment later
		return 0
	}
	return k.reportLocked(events)
}

// reportLocked reports some of the sockets of the list, and takes them off.
func (k *fakeKernel) reportLocked(events []change) (n int) {
	if k.woken {
		k.woken = false
		events[n] = change{key: ^uint64(0)}
		n++
	}
	if !k.net.calm {
		k.net.mu.random.Shuffle(len(k.sockets), func(i, j int) { k.sockets[i], k.sockets[j] = k.sockets[j], k.sockets[i] })
	}
	for _, s := range k.sockets {
		if n == len(events) {
			break
		}
		if !s.ready && !k.net.chanceLocked(50) || s.key == 0 && s.fd < 0 { // some are spurious
			continue
		}
		if n > 0 && k.net.chanceLocked(4) {
			continue
		}
		s.ready = false
		if what := s.whatLocked(); what != 0 {
			events[n] = change{s.key, what}
			n++
		}
	}
	return n
}

func (k *fakeKernel) sleep(events []change) int {
	if !k.driver.TryLock() {
		k.net.faultf("sleep while another goroutine drives")
		return 0
	}
	defer k.driver.Unlock()
	for {
		k.net.mu.Lock()
		due := k.woken || slices.ContainsFunc(k.sockets, func(s *fakeSocket) bool { return s.ready })
		n := 0
		if due {
			n = k.reportLocked(events)
		}
		early := k.net.chanceLocked(20) // it may return 0
		k.net.mu.Unlock()
		if n > 0 || due || early {
			return n
		}
		<-k.signals
	}
}

func (k *fakeKernel) wake() {
	k.net.mu.Lock()
	defer k.net.mu.Unlock()
	if k.stopped {
		k.net.faultLockedf("wake after stop")
	}
	k.woken = true
	k.signal()
}

func (k *fakeKernel) read(fd int, b []byte) (n int, err error) {
	unlock := k.lock("read")
	defer unlock()
	s := k.socketLocked("read", fd)
	n = copy(b, s.in)
	s.in = s.in[n:]
	switch {
	case n > 0:
		s.noteLocked()
		return n, nil
	case s.reset && !s.told:
		s.told = true
		return 0, syscall.ECONNRESET
	case s.ended, s.reset:
		return 0, io.EOF
	}
	return 0, nil
}

func (k *fakeKernel) write(fd int, pieces [][]byte, size int) (n int, err error) {
	unlock := k.lock("write")
	defer unlock()
	s := k.socketLocked("write", fd)
	switch {
	case sizeOf(pieces) != size || size == 0:
		k.net.faultLockedf("write of %d bytes said to be %d", sizeOf(pieces), size)
	case s.shut:
		k.net.faultLockedf("write after shutWrite")
	}
	switch {
	case s.reset:
		return 0, syscall.EPIPE
	case s.gone:
		s.reset = true
		s.edgeLocked()
		return size, nil
	}
	n = min(size, s.outSize-len(s.out))
	short := n > 0 && k.net.chanceLocked(8) // the kernel lacks memory for a moment
	if short {
		n = k.net.mu.random.IntN(n)
	}
	left := n
	for _, p := range pieces {
		p = p[:min(len(p), left)]
		s.out = append(s.out, p...)
		left -= len(p)
	}
	if s.full = n < size; s.full {
		k.net.mu.filled++
	}
	if short && s.writableLocked() {
		s.edgeLocked()
	}
	if n > 0 {
		s.moved = time.Now()
		s.noteLocked()
	}
	return n, nil
}

func (k *fakeKernel) limitUnsent(fd int) {
	unlock := k.lock("limitUnsent")
	defer unlock()
	k.socketLocked("limitUnsent", fd).limited = true
}

func (k *fakeKernel) isWritable(fd int) bool {
	unlock := k.lock("isWritable")
	defer unlock()
	s := k.socketLocked("isWritable", fd)
	s.full = s.full || !s.writableLocked()
	return !s.full
}

func (k *fakeKernel) shutWrite(fd int) {
	unlock := k.lock("shutWrite")
	defer unlock()
	s := k.socketLocked("shutWrite", fd)
	if s.shut {
		k.net.faultLockedf("shutWrite twice")
	}
	s.shut = true
	s.noteLocked()
}

func (k *fakeKernel) close(fd int) {
	unlock := k.lock("close")
	defer unlock()
	s := k.socketLocked("close", fd)
	s.closed = true
	if len(s.in) > 0 && !s.gone {
		s.lost = s.lost || len(s.out) > 0
		s.reset, s.out = true, nil
	}
	delete(k.net.mu.open, fd)
	k.sockets = slices.DeleteFunc(k.sockets, func(o *fakeSocket) bool { return o == s })
	s.noteLocked()
}

func (k *fakeKernel) stop() {
	unlock := k.lock("stop")
	defer unlock()
	if len(k.sockets) > 0 {
		k.net.faultLockedf("stop while there are %d sockets", len(k.sockets))
	}
	k.stopped = true
	k.net.mu.kernels--
}
