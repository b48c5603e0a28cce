package websocket

import (
	"net"
	"sync"
)

// A connection reads into a small buffer, and into a large one as long as reads
// fill it, so that large messages can be lent as they lie.
const (
	smallRead = 4 << 10
	largeRead = 64 << 10
	calmReads = 16 // so many reads in a row that a small buffer could hold end the large one
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallRead); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeRead); return &b }}
)

func takeBuffer(pool *sync.Pool) *[]byte { return pool.Get().(*[]byte) } //nolint:errcheck,forcetypeassert // the pools hold nothing else

// input is what whoever reads has to read with. Of a plain socket it waits without
// a buffer: an idle connection has none.
type input struct {
	nc    net.Conn
	raw   *rawReader // of a plain socket, or nil
	b     *[]byte    // nil while it has none
	large bool       // which size it wants
	calm  int        // small reads in a row into a large buffer
}

func newInput(nc net.Conn) *input {
	in := &input{nc: nc}
	in.raw = newRawReader(nc, in)
	return in
}

// read returns what has come. It is valid until the next call of read or put.
func (in *input) read() ([]byte, error) {
	if in.raw != nil {
		return in.raw.read()
	}
	in.take()
	n, err := in.nc.Read(*in.b)
	return (*in.b)[:n], err //nolint:wrapcheck // it becomes the cause of the end as it is
}

// take sees to it that there is a buffer of the size that is wanted.
func (in *input) take() {
	if in.b != nil && (len(*in.b) == largeRead) == in.large {
		return
	}
	in.put()
	if in.large {
		in.b = takeBuffer(&largeBuffers)
	} else {
		in.b = takeBuffer(&smallBuffers)
	}
}

// waits is the size of the buffer with which it waits, beyond the usual.
func (in *input) waits() int {
	if in.raw != nil || !in.large {
		return 0
	}
	return largeRead
}

// put gives the buffer back, if there is one.
func (in *input) put() {
	switch {
	case in.b == nil:
		return
	case len(*in.b) == largeRead:
		largeBuffers.Put(in.b)
	default:
		smallBuffers.Put(in.b)
	}
	in.b = nil
}

// adapt chooses the buffer of the next read by the size of the last one, whose
// bytes are dealt with; whole says that no message is incomplete. One that is kept
// while waiting is large only within a message.
func (in *input) adapt(n int, whole bool) {
	switch {
	case !in.large:
		in.large, in.calm = n == smallRead, 0
	case in.raw == nil && whole && n < largeRead:
		in.large = false
	case n > smallRead:
		in.calm = 0
	default:
		in.calm++
		in.large = in.calm < calmReads
	}
}
