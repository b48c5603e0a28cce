package queue

import (
	"math/bits"
	"sync"
)

// buffer is memory of a queue's own, with one owner at a time.
type buffer struct {
	b        []byte
	reserved int // bytes that will be in b, which is nil until then; 0: they are
}

// Buffers are recycled by size, so that a queue of many small ones does not hold the
// memory of large ones.
const (
	minClass = 7  // 128 bytes
	maxClass = 16 // 64 KiB: larger ones are not recycled
)

var buffers [maxClass - minClass + 1]sync.Pool //nolint:gochecknoglobals // pools

// emptyBuffers has buffers without memory, for what is reserved.
var emptyBuffers = sync.Pool{New: func() any { return new(buffer) }}

// newBuffer returns an empty buffer with room for n bytes, and at most twice as many.
func newBuffer(n int) *buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), minClass)
	if class > maxClass {
		return &buffer{b: make([]byte, 0, n)}
	}
	if b, ok := buffers[class-minClass].Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, 0, 1<<class)}
}

// extend appends n bytes and returns them, for the caller to fill.
func (b *buffer) extend(n int) []byte {
	size := len(b.b)
	if cap(b.b)-size < n {
		larger := newBuffer(max(size+n, 2*size))
		larger.b = append(larger.b, b.b...)
		b.b, larger.b = larger.b, b.b
		larger.release()
	}
	b.b = b.b[:size+n]
	return b.b[size:]
}

// release recycles b. Neither b nor its bytes may be used afterwards.
func (b *buffer) release() {
	if size := cap(b.b); size >= 1<<minClass && size <= 1<<maxClass {
		b.b = b.b[:0]
		buffers[bits.Len(uint(size))-1-minClass].Put(b)
	}
}
