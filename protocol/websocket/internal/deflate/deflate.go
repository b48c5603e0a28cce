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

// Deflaters deflates the messages of a server. A deflater takes 0.8 to 1.2 MB; few are in
// use at a time, and those that are not used are given up. It is safe for concurrent use.
// [NewDeflaters] returns one.
type Deflaters struct {
	level int
	slots chan struct{}          // one for each deflater in use
	pools [MaxBits + 1]sync.Pool // of deflaters, by the bits of their window
}

// NewDeflaters returns the deflaters of a server, with a level from MinLevel to MaxLevel.
// One or two for each processor are in use at a time; the next caller waits.
func NewDeflaters(level int) *Deflaters {
	return &Deflaters{level: level, slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
}

// Deflated is a message that is deflated. Payload is that of its frame. The caller calls
// Release when it has copied it.
type Deflated struct {
	Payload []byte

	from   *Deflaters
	bits   uint8
	writer *flate.Writer
	buffer bytes.Buffer
}

// Deflate deflates message for a peer whose window has bits bits. The result may refer to
// window, which is what the peer has got before. It returns nil if the result would not be
// smaller.
func (d *Deflaters) Deflate(message, window []byte, bits uint8) *Deflated {
	size := 1 << bits
	if len(window) > size {
		window = window[len(window)-size:]
	}
	if len(window)+len(message) <= size {
		bits = MaxBits // no distance is larger
	}
	d.slots <- struct{}{}
	panics := true
	defer func() {
		if panics { // the deflater is not recycled
			<-d.slots
		}
	}()
	z, ok := d.pools[bits].Get().(*Deflated)
	if !ok {
		z = &Deflated{from: d, bits: bits}
		z.writer = d.newWriter(bits)
	}
	z.buffer.Reset()
	z.writer.ResetDict(&z.buffer, window)
	_, _ = z.writer.Write(message) //nolint:errcheck // a buffer takes everything
	_ = z.writer.Flush()           //nolint:errcheck // see above
	z.Payload = bytes.TrimSuffix(z.buffer.Bytes(), tail)
	panics = false
	if len(z.Payload) >= len(message) {
		z.Release()
		return nil
	}
	return z
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
	d := z.from
	d.pools[z.bits].Put(z)
	<-d.slots
}
