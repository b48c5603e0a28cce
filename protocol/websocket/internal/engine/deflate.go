package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// Compression configures how the connections of an engine are compressed that have agreed
// on it. All fields but Skip must be set.
type Compression struct {
	Level       int // from deflate.MinLevel to MaxLevel
	Threshold   int // bytes; smaller messages are not compressed
	MaxRatio    int // as in frame.Inflate
	WindowBytes int // of the windows of all connections together
	ServerBits  int // of the window to which the server's messages refer, at most

	// Skip reports whether a message is not to be compressed. nil: none.
	Skip func(m protocol.Message) bool
}

const (
	// maxContext is the largest message that may refer to earlier ones: while it is
	// compressed, other sends of its connection wait, also those of groups.
	maxContext = 16 << 10
	// maxOnLoop is the largest message that is compressed while other connections of the
	// loop wait. It does not wait for larger ones to be compressed.
	maxOnLoop = deflate.Large
	// timedOne is of how many messages the time of one is measured.
	timedOne = 64
)

// deflation is what the compressed connections of an engine have in common.
type deflation struct {
	Compression

	deflaters *deflate.Deflaters
	variants  [deflate.MaxBits + 1]*variant // by the bits of the peer's window
	windows   atomic.Int64                  // charged to WindowBytes
	count     deflateCounters
}

// deflateCounters are those of DeflateStats.
type deflateCounters struct {
	conns                          atomic.Int64
	messagesOut, plainOut, wireOut atomic.Int64
	wireIn, inflatedIn             atomic.Int64
	deflated, nanosOut, nanosIn    atomic.Int64
}

// variant is the encoding of shared messages for peers with a window: the key of
// protocol.Prepared.Share.
type variant struct {
	of   *deflation
	pool *queue.Pool
	bits uint8
}

func newDeflation(c *Compression, pool *queue.Pool) *deflation {
	d := &deflation{Compression: *c, deflaters: deflate.NewDeflaters(c.Level)}
	for bits := range d.variants {
		d.variants[bits] = &variant{of: d, pool: pool, bits: uint8(bits)}
	}
	return d
}

// takes reports whether a message of n bytes is compressed, unless Skip says otherwise.
func (d *deflation) takes(n int, uncompressed bool) bool { return n >= d.Threshold && !uncompressed }

// inflate returns how the messages of a peer are inflated that has agreed on p. d may be nil
// if p is not in use.
func (d *deflation) inflate(p deflate.Params) frame.Inflate {
	if !p.InUse() {
		return frame.Inflate{}
	}
	i := frame.Inflate{On: true, MaxRatio: d.MaxRatio}
	if p.ClientTakeover {
		i.Window = 1 << p.ClientBits
	}
	return i
}

// chargeWindow charges a window of n bytes. It refuses if there is no room.
func (d *deflation) chargeWindow(n int) bool {
	if d.windows.Add(int64(n)) > int64(d.WindowBytes) {
		d.windows.Add(int64(-n))
		return false
	}
	return true
}

func (d *deflation) refundWindow(n int) { d.windows.Add(int64(-n)) }

// WindowsRunShort reports whether windows take half of what they may take, or more.
func (e *Engine) WindowsRunShort() bool {
	return e.deflate.windows.Load() >= int64(e.deflate.WindowBytes)/2
}

// ReserveWindow reserves memory for the window of a peer that is about to be granted
// context takeover with so many bits. If it returns false, it must not be granted. A
// connection that has agreed on takeover refunds it in the end.
func (e *Engine) ReserveWindow(bits uint8) bool { return e.deflate.chargeWindow(1 << bits) }

// RefundWindow undoes ReserveWindow for a connection that was not accepted.
func (e *Engine) RefundWindow(bits uint8) { e.deflate.refundWindow(1 << bits) }

// deflate deflates a message. It returns nil if the result would not be smaller.
func (d *deflation) deflate(message, window []byte, bits uint8) *deflate.Deflated {
	if d.count.deflated.Add(1)%timedOne != 0 {
		return d.deflaters.Deflate(message, window, bits)
	}
	start := time.Now()
	z := d.deflaters.Deflate(message, window, bits)
	d.count.nanosOut.Add(timedOne * int64(time.Since(start)))
	return z
}

// countSent counts a compressed message that is queued.
func (d *deflation) countSent(plain, wire int) {
	d.count.messagesOut.Add(1)
	d.count.plainOut.Add(int64(plain))
	d.count.wireOut.Add(int64(wire))
}

func (d *deflation) countInflated(w frame.Work) {
	d.count.wireIn.Add(int64(w.Wire))
	d.count.inflatedIn.Add(int64(w.Inflated))
}

// skips reports whether m is not to be compressed.
func (d *deflation) skips(m *protocol.Message) bool { return d.Skip != nil && d.Skip(*m) }

// deflating compresses the messages to one peer.
type deflating struct {
	of     *deflation
	params deflate.Params
	turns  uint32    // of next; only of the reader
	own    *takeover // nil: messages do not refer to earlier ones
}

// newDeflating returns what compresses for a peer that has agreed on p.
func (d *deflation) newDeflating(p deflate.Params) *deflating {
	d.count.conns.Add(1)
	c := &deflating{of: d, params: p}
	if p.ServerTakeover {
		c.own = &takeover{size: 1 << min(int(p.ServerBits), d.ServerBits)}
	}
	return c
}

// next is Parser.Next. It measures how long one of timedOne calls takes. d may be nil.
func (d *deflating) next(p *frame.Parser, b []byte) (it frame.Item, rest []byte, ok bool, err error) {
	if d == nil || !d.isTimed() {
		return p.Next(b)
	}
	start := time.Now()
	it, rest, ok, err = p.Next(b)
	d.of.count.nanosIn.Add(timedOne * int64(time.Since(start)))
	return it, rest, ok, err
}

func (d *deflating) isTimed() bool {
	d.turns++
	return d.turns%timedOne == 0
}

// tookLong counts what p has inflated. It reports whether it is the turn of other connections
// because that took long; there are none if any number of messages may be handed over.
func (d *deflating) tookLong(p *frame.Parser, most int) bool {
	work, long := p.TakeWork()
	if work.Wire > 0 || work.Inflated > 0 {
		d.of.countInflated(work)
	}
	return long && most != math.MaxInt
}

// close gives up what the connection holds, when nothing of it is left. w may be nil.
func (w *way) close() {
	if w == nil || w.deflate == nil {
		return
	}
	d := w.deflate
	d.of.count.conns.Add(-1)
	if d.params.ClientTakeover {
		d.of.refundWindow(1 << d.params.ClientBits)
	}
	if d.own != nil {
		d.own.mu.Lock()
		defer d.own.mu.Unlock()
		d.own.clearLocked(d.of)
	}
}

// giveBackIfIdle gives up the window to which messages refer, if none was sent since the
// last call. The messages that follow do not refer to those before. d may be nil.
func (d *deflating) giveBackIfIdle() {
	if d == nil || d.own == nil || !d.own.mu.TryLock() { // it is in use
		return
	}
	defer d.own.mu.Unlock()
	if !d.own.mu.used {
		d.own.clearLocked(d.of)
	}
	d.own.mu.used = false
}

// takeover is the window of a connection whose messages refer to earlier ones: what the
// peer has got last, as it will be when all that is queued is written.
//
// It is the lock of sends, too: messages are queued in the order in which they are added to
// the window. What may still be dropped or replaced in the queue is not added, and nothing
// behind it refers to what is in front of it, because the peer may count it or not: such a
// message clears the window. So any message can be sent without takeover.
type takeover struct {
	size int // of window, at most
	mu   struct {
		sync.Mutex
		window  deflate.Window
		charged bool // size bytes
		used    bool // since the last giveBackIfIdle
	}
}

// addLocked adds a message that is queued.
func (t *takeover) addLocked(d *deflation, message []byte) {
	t.mu.used = true
	if !t.mu.charged {
		if !d.chargeWindow(t.size) {
			return
		}
		t.mu.charged = true
	}
	t.mu.window.Add(message, t.size)
}

// clearLocked clears the window and gives up its memory.
func (t *takeover) clearLocked(d *deflation) {
	t.mu.window.Clear()
	if t.mu.charged {
		t.mu.charged = false
		d.refundWindow(t.size)
	}
}
