package engine

import (
	"math"
	"net"
)

// kernel is what one loop uses of the operating system: a poller, and calls on sockets
// that never wait. A socket is known by its descriptor. Only the driver of the loop calls
// the methods, except wake, which is called with the loop's lock held.
//
//nolint:interfacebloat // a fake has to have all of it
type kernel interface {
	// take takes the socket of nc over, and closes nc. It returns an error, and leaves
	// nc as it is, if that is not possible. It is safe for concurrent use.
	take(nc net.Conn) (fd int, err error)
	// add has the poller report changes of fd with key: once for each change
	// (edge-triggered), beginning with what is true now.
	add(fd int, key uint64) error
	// poll returns how many changes it has put into events. It does not wait.
	poll(events []change) int
	// sleep is poll, but waits until there is a change or wake is called. It may return 0.
	sleep(events []change) int
	// wake ends the sleep that goes on, or else the next one.
	wake()

	// read returns no bytes and no error if there is nothing to read, and io.EOF if the
	// peer has hung up.
	read(fd int, b []byte) (n int, err error)
	// write returns fewer bytes than there are if the socket takes no more now. The
	// pieces have size bytes together.
	write(fd int, pieces [][]byte, size int) (n int, err error)
	// limitUnsent has the kernel report the socket as writable only while little of what
	// was written is unsent.
	limitUnsent(fd int)
	// isWritable reports whether the socket is writable. If it is not, a change is
	// reported when it is.
	isWritable(fd int) bool
	shutWrite(fd int)
	close(fd int)

	// stop gives up the poller. No sockets are left.
	stop()
}

// change is what a poller reports of a socket.
type change struct {
	key  uint64
	what changes
}

// changes is a set of changes.
type changes uint8

const (
	nowReadable changes = 1 << iota
	nowWritable
	nowHungUp // the peer has shut its half, or the socket is broken; reading shows which
)

// slots gives each connection of a loop a key that is not used again soon, so that a
// change which is reported late does not reach another connection. It is for one
// goroutine.
type slots struct {
	list []slot
	free []uint32
}

type slot struct {
	conn       *Conn
	generation uint32
}

// add returns the place of c, and its key.
func (s *slots) add(c *Conn) (i uint32, key uint64) {
	if len(s.free) == 0 {
		s.free = append(s.free, uint32(len(s.list))) //nolint:gosec // a loop has far fewer connections
		s.list = append(s.list, slot{})
	}
	i = s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.list[i].conn = c
	return i, uint64(s.list[i].generation)<<32 | uint64(i)
}

// find returns the connection with that key, or nil if it was removed.
func (s *slots) find(key uint64) *Conn {
	if i := key & math.MaxUint32; i < uint64(len(s.list)) && uint64(s.list[i].generation) == key>>32 {
		return s.list[i].conn
	}
	return nil
}

// remove makes the key of the connection at place i unknown.
func (s *slots) remove(i uint32) {
	s.list[i] = slot{generation: s.list[i].generation + 1}
	s.free = append(s.free, i)
}
