// Package bytespool recycles the byte buffers of connections: those of incomplete
// messages, of answers to handshakes, and of small frames that are written together.
package bytespool

import "sync"

const (
	initialCap = 2 << 10 // of a new buffer

	// MaxRecycled is the largest capacity of a buffer that is recycled.
	MaxRecycled = 64 << 10
)

var pool = sync.Pool{New: func() any { return &Buffer{B: make([]byte, 0, initialCap)} }}

// Buffer is a byte buffer with one owner at a time. The owner appends to B.
type Buffer struct{ B []byte }

// Get returns an empty buffer. The caller owns it until it calls Release.
func Get() *Buffer { return pool.Get().(*Buffer) } //nolint:errcheck,forcetypeassert // the pool holds nothing else

// GetAtMost returns an empty buffer whose capacity is at most limit bytes, or that of a
// new buffer.
func GetAtMost(limit int) *Buffer {
	b := Get()
	if cap(b.B) <= max(limit, initialCap) {
		return b
	}
	b.Release()
	return &Buffer{B: make([]byte, 0, initialCap)}
}

// Release recycles b, unless it has grown beyond MaxRecycled. Neither b nor its
// bytes may be used afterwards.
func (b *Buffer) Release() {
	if cap(b.B) <= MaxRecycled {
		b.B = b.B[:0]
		pool.Put(b)
	}
}
