package engine

import (
	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

const (
	// maxLockedCopy is the largest frame that is encoded with the queue's lock held,
	// or, if it has a key, before the lock is taken. A larger one reserves its place in
	// the queue first, so that the lock is not held while it is encoded.
	maxLockedCopy = 16<<10 + 4

	// minShared is the smallest frame of a prepared message that connections share. Smaller
	// ones are copied: that costs less than another piece of a write.
	minShared = 2 << 10
)

// Send queues a message.
func (c *Conn) Send(m protocol.Message) error {
	if d := c.way.deflate; d != nil && d.of.takes(len(m.Data), m.Uncompressed) {
		if done, err := c.sendDeflated(d, &m); done {
			return err
		}
	}
	op, size := frame.OpCodeOf(m.Kind), frame.EncodedSize(len(m.Data))
	switch {
	case size > maxLockedCopy:
		reserved := queue.ReserveFrame(size)
		if err := c.sendFrame(m.Key, reserved, len(m.Data)); err != nil {
			return err
		}
		return c.queued(c.out.fillFrame(reserved, newFrame(op, m.Data)), nil)
	case m.Key != "":
		return c.sendFrame(m.Key, newFrame(op, m.Data), len(m.Data))
	}
	write, err := c.out.copyMessage(c.session, op, m.Data, len(m.Data))
	return c.queued(write, err)
}

// newFrame returns the frame of a message.
func newFrame(op ws.OpCode, payload []byte) queue.Frame {
	f := queue.NewFrame(frame.EncodedSize(len(payload)))
	frame.Append(f.Bytes()[:0], op, payload)
	return f
}

// SendPrepared queues a message that other connections share.
func (c *Conn) SendPrepared(p *protocol.Prepared) error {
	if d := c.way.deflate; d != nil && d.of.takes(p.Len(), p.Uncompressed()) {
		if f := c.sharedDeflatedFrame(d, p); f != nil {
			return c.sendSharedDeflated(d, p, f)
		}
	}
	return c.sendShared(p, sharedFrame(p, c.engine.queues))
}

// sendShared queues f, a frame of p.
func (c *Conn) sendShared(p *protocol.Prepared, f *queue.Shared) error {
	switch {
	case f.Len() >= minShared:
		return c.sendFrame(p.Key(), f.Frame(), p.Len())
	case p.Key() == "":
		write, err := c.out.addShared(c.session, f, p.Len())
		return c.queued(write, err)
	}
	own := queue.NewFrame(f.Len())
	f.CopyTo(own.Bytes())
	return c.sendFrame(p.Key(), own, p.Len())
}

// sendFrame queues the frame of a message with payload bytes of payload.
func (c *Conn) sendFrame(key string, f queue.Frame, payload int) error {
	if key != "" {
		c.runner.pace(c)
	}
	write, replaced, err := c.out.addFrame(c.session, key, f, payload)
	if replaced {
		c.session.Conflated()
	}
	return c.queued(write, err)
}

// queued starts a writer if write is set.
func (c *Conn) queued(write bool, err error) error {
	if write {
		c.wake()
	}
	return err
}

// copyMessage queues the frame of a message, which has length bytes before it was compressed.
func (o *outgoing) copyMessage(g queue.Growth, op ws.OpCode, payload []byte, length int) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b, err := o.mu.queue.AddMessage(frame.EncodedSize(len(payload)), g)
	if err != nil {
		return false, err //nolint:wrapcheck // it is protocol's
	}
	frame.Append(b[:0], op, payload)
	return o.messageAddedLocked(length), nil
}

// addShared queues a small frame that other connections get too: as a reference, or else
// as a copy.
func (o *outgoing) addShared(g queue.Growth, f *queue.Shared, payload int) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mu.queue.AddShared(f) {
		b, err := o.mu.queue.AddMessage(f.Len(), g)
		if err != nil {
			return false, err //nolint:wrapcheck // it is protocol's
		}
		f.CopyTo(b)
	}
	return o.messageAddedLocked(payload), nil
}

// sharedFrame returns the frame of p that the queues of one server share.
func sharedFrame(p *protocol.Prepared, pool *queue.Pool) *queue.Shared {
	return p.Share(pool, newSharedFrame).(*queue.Shared) //nolint:errcheck,forcetypeassert // newSharedFrame has made it
}

// newSharedFrame encodes m for the pool that variant is.
func newSharedFrame(variant any, m protocol.Message) any {
	pool := variant.(*queue.Pool) //nolint:errcheck,forcetypeassert // sharedFrame has passed it
	b := make([]byte, 0, frame.EncodedSize(len(m.Data)))
	return queue.NewShared(frame.Append(b, frame.OpCodeOf(m.Kind), m.Data), pool)
}

// DropOldest drops queued messages until one of n bytes fits.
func (c *Conn) DropOldest(n int) (dropped int) { return c.out.dropOldest(frame.EncodedSize(n)) }

// Sent returns what was queued so far.
func (c *Conn) Sent() (messages, bytes int64) { return c.out.sent() }
