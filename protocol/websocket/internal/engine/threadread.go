package engine

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// A connection reads into a small buffer, and into a large one while reads fill it, so
// that large messages can be lent where they lie.
const (
	smallRead  = 4 << 10
	largeRead  = 64 << 10
	smallReads = 16 // reads in a row that fit into a small buffer, after which the large one is given up
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallRead); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeRead); return &b }}
)

// socketReader reads from a connection's socket into a pooled buffer. Of a plain socket
// it waits without a buffer, so that an idle connection has none. Of a TLS connection it
// waits between messages for one byte, without a buffer: the rest of the record then lies
// decrypted in the tls.Conn. It is for one goroutine.
type socketReader struct {
	nc      net.Conn
	raw     syscall.RawConn       // of a plain socket, or nil
	secure  bool                  // nc is a TLS connection, and nothing else
	first   [1]byte               // of a message, if secure
	attempt func(fd uintptr) bool // tryRead, bound once; nil without raw
	n       int                   // what tryRead has read
	err     error                 // of tryRead

	buffer *[]byte // nil while there is none
	large  bool    // the size that the next read wants
	small  int     // reads in a row that would have fit into a small buffer
}

func newSocketReader(nc net.Conn) *socketReader {
	r := &socketReader{nc: nc}
	_, r.secure = nc.(*tls.Conn)
	if r.raw = plainSocket(nc); r.raw != nil {
		r.attempt = r.tryRead
	}
	return r
}

// read returns the bytes that have come. They are valid until the next call of read or
// releaseBuffer. betweenMessages says that no message is incomplete: then read may return
// the first byte of a message alone.
func (r *socketReader) read(betweenMessages bool) ([]byte, error) {
	if r.secure && betweenMessages {
		r.releaseBuffer()
		n, err := r.nc.Read(r.first[:])
		return r.first[:n], err //nolint:wrapcheck // it becomes the cause of the close as it is
	}
	if r.raw == nil {
		r.acquireBuffer()
		n, err := r.nc.Read(*r.buffer)
		return (*r.buffer)[:n], err //nolint:wrapcheck // it becomes the cause of the close as it is
	}
	if err := r.raw.Read(r.attempt); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	return (*r.buffer)[:r.n], r.err
}

// tryRead reads if there are bytes to read. If there are none, it returns false, without a
// buffer, and is called again when there may be some.
func (r *socketReader) tryRead(fd uintptr) (done bool) {
	r.acquireBuffer()
	var again bool
	if r.n, again, r.err = readNow(fd, *r.buffer); again {
		r.releaseBuffer()
	}
	return !again
}

// acquireBuffer gets a buffer of the wanted size, unless there is one.
func (r *socketReader) acquireBuffer() {
	if r.buffer != nil && (len(*r.buffer) == largeRead) == r.large {
		return
	}
	r.releaseBuffer()
	pool := &smallBuffers
	if r.large {
		pool = &largeBuffers
	}
	r.buffer = pool.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pools hold nothing else
}

// releaseBuffer gives the buffer back, if there is one.
func (r *socketReader) releaseBuffer() {
	switch {
	case r.buffer == nil:
		return
	case len(*r.buffer) == largeRead:
		largeBuffers.Put(r.buffer)
	default:
		smallBuffers.Put(r.buffer)
	}
	r.buffer = nil
}

// reserved is the size of the buffer that is kept during a wait, if it is a large one.
func (r *socketReader) reserved() int {
	if r.raw != nil || !r.large {
		return 0
	}
	return largeRead
}

// chooseSize chooses the size of the next read's buffer by the length of the last read,
// whose bytes have been handled. betweenMessages says that no message is incomplete: a
// buffer that is kept during the wait is large only within a message.
func (r *socketReader) chooseSize(last int, betweenMessages bool) {
	switch {
	case !r.large:
		r.large, r.small = last == smallRead, 0
	case r.raw == nil && betweenMessages && last < largeRead:
		r.large = false
	case last > smallRead:
		r.small = 0
	default:
		r.small++
		r.large = r.small < smallReads
	}
}
