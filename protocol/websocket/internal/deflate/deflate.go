package deflate

import (
	"bytes"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Levels of compression, from the fastest to the smallest result.
const (
	MinLevel = 1
	MaxLevel = 9
)

// Large is the size in bytes from which it takes long to deflate a message: up to it, less
// than a millisecond at the fastest level.
const Large = 64 << 10

// Deflaters deflates the messages of a server. A deflater takes 0.8 to 1.5 MB; few are in
// use at a time, and those that are not used are given up. It is safe for concurrent use.
// [NewDeflaters] returns one.
type Deflaters struct {
	level int
	slots chan struct{}          // one for each deflater in use
	large chan struct{}          // one for each that is in use, or is about to be, for a message over Large
	pools [MaxBits + 1]sync.Pool // of deflaters, by the bits of their window
	coder sync.Pool              // of *flate.Writer, for messages in which nothing is repeated
}

// NewDeflaters returns the deflaters of a server, with a level from MinLevel to MaxLevel.
// Two for each processor are in use at a time, half of them for messages over Large; the
// next caller waits. So smaller messages wait for smaller ones only.
func NewDeflaters(level int) *Deflaters {
	n := runtime.GOMAXPROCS(0)
	return &Deflaters{level: level, slots: make(chan struct{}, 2*n), large: make(chan struct{}, n)}
}

// Deflated is a message that is deflated. Payload is that of its frame. The caller calls
// Release when it has copied it.
type Deflated struct {
	Payload []byte

	from   *Deflaters
	bits   uint8
	large  bool
	writer *flate.Writer
	buffer bytes.Buffer
}

// Deflate deflates message for a peer whose window has bits bits. The result may refer to
// window, which is what the peer has got before. It returns nil if the result would not be
// smaller.
func (d *Deflaters) Deflate(message, window []byte, bits uint8) *Deflated {
	window, bits = chooseWindow(len(message), window, bits)
	large := len(message) > Large
	d.enter(large)
	panics := true
	defer func() {
		if panics { // the deflater is not recycled
			d.leave(large)
		}
	}()
	z, ok := d.pools[bits].Get().(*Deflated)
	if !ok {
		z = &Deflated{from: d, bits: bits}
		z.writer = d.newWriter(bits)
	}
	z.large = large
	z.buffer.Reset()
	z.writer.ResetDict(&z.buffer, window)
	_, _ = z.writer.Write(message) //nolint:errcheck // a buffer takes everything
	_ = z.writer.Flush()           //nolint:errcheck // see above
	z.Payload = bytes.TrimSuffix(z.buffer.Bytes(), tail)
	if len(z.Payload) >= len(message) && hasFewBytes(message) {
		z.encode(message)
	}
	panics = false
	if len(z.Payload) >= len(message) {
		z.Release()
		return nil
	}
	return z
}

// chooseWindow returns the part of window to which a message of n bytes refers, and the bits
// of the deflater's window. The deflater of MaxBits knows no smaller window, but needs little
// more than half of the time of those that do: it is used where no distance can be larger than
// 2^bits. For that, messages that leave a quarter of the peer's window give up the oldest part
// of it. Larger ones would lose too much.
func chooseWindow(n int, window []byte, bits uint8) (part []byte, useBits uint8) {
	size := 1 << bits
	most := size
	if bits < MaxBits && n <= size/4*3 {
		most = size - n
	}
	window = window[max(len(window)-most, 0):]
	if len(window)+n <= size {
		bits = MaxBits
	}
	return window, bits
}

// enter waits for a slot.
func (d *Deflaters) enter(large bool) {
	if large {
		d.large <- struct{}{}
	}
	d.slots <- struct{}{}
}

func (d *Deflaters) leave(large bool) {
	<-d.slots
	if large {
		<-d.large
	}
}

// encode deflates message anew by Huffman codes alone. The library stores a message in which it
// finds nothing repeated as it is, and so would not make numbers, Base64 or short texts smaller.
func (z *Deflated) encode(message []byte) {
	w, ok := z.from.coder.Get().(*flate.Writer)
	if !ok {
		var err error
		if w, err = flate.NewWriter(nil, flate.HuffmanOnly); err != nil {
			panic(err) // it knows this level
		}
	}
	z.buffer.Reset()
	w.Reset(&z.buffer)
	_, _ = w.Write(message) //nolint:errcheck // a buffer takes everything
	_ = w.Flush()           //nolint:errcheck // see above
	z.from.coder.Put(w)
	z.Payload = bytes.TrimSuffix(z.buffer.Bytes(), tail)
}

// hasFewBytes reports whether no more than half of all bytes are in the front of message, as in
// most texts, and not in what is compressed or encrypted already.
func hasFewBytes(message []byte) bool {
	var seen [256]bool
	n := 0
	for _, b := range message[:min(len(message), 512)] {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n <= len(seen)/2
}

// newWriter returns the writer of a deflater.
func (d *Deflaters) newWriter(bits uint8) (w *flate.Writer) {
	var err error
	if bits == MaxBits {
		w, err = flate.NewWriter(nil, d.level)
	} else {
		w, err = flate.NewWriterWindow(nil, 1<<bits)
	}
	if err != nil {
		panic(err) // the level and the bits are checked before
	}
	return w
}

// maxKept is the largest result whose memory is kept for the next one.
const maxKept = 64 << 10

// Release recycles z. Payload becomes invalid.
func (z *Deflated) Release() {
	z.Payload = nil
	if z.buffer.Cap() > maxKept {
		z.buffer = bytes.Buffer{}
	}
	d, large := z.from, z.large
	d.pools[z.bits].Put(z)
	d.leave(large)
}
