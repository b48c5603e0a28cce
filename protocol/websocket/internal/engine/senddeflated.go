package engine

import (
	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// sendDeflated queues a message compressed. done is false if it is to be sent as it is.
func (c *Conn) sendDeflated(d *deflating, m *protocol.Message) (done bool, err error) {
	if d.of.skips(m) {
		return false, nil
	}
	if len(m.Data) > maxOnLoop {
		c.runner.aboutToWork(c)
	}
	switch {
	case d.own == nil:
		z := d.of.deflate(m.Data, nil, d.params.ServerBits)
		if z == nil {
			return false, nil
		}
		defer z.Release()
		return true, c.sendPayload(d, m, z)
	case m.Key == "" && len(m.Data) <= maxContext:
		return c.sendInContext(d, m)
	}
	z := d.of.deflate(m.Data, nil, d.params.ServerBits)
	if z == nil {
		return false, nil
	}
	f := newFrame(frame.Compressed(frame.OpCodeOf(m.Kind)), z.Payload)
	size := len(f.Bytes())
	z.Release() // before the lock, whose holder may wait for one
	d.own.mu.Lock()
	defer d.own.mu.Unlock()
	if err := c.sendFrame(m.Key, f, len(m.Data)); err != nil {
		return true, err
	}
	d.of.countSent(len(m.Data), size)
	d.own.noteQueuedLocked(d.of, m)
	return true, nil
}

// sendInContext queues a message that may refer to those before.
//
// It may wait for a deflater with the lock held, and so do sends to the same connection, for
// which no order is promised. That ends soon: deflaters are held, for messages of this size,
// while one is compressed, and no holder waits for the lock of a takeover, unless it is in
// this function and has that lock.
func (c *Conn) sendInContext(d *deflating, m *protocol.Message) (done bool, err error) {
	t := d.own
	t.mu.Lock()
	defer t.mu.Unlock()
	z := d.of.deflate(m.Data, t.mu.window.Bytes(), d.params.ServerBits)
	if z == nil {
		return false, nil
	}
	defer z.Release()
	if err := c.sendPayload(d, m, z); err != nil {
		return true, err
	}
	t.addLocked(d.of, m.Data)
	return true, nil
}

// noteQueuedLocked notes that m is queued, which refers to nothing.
func (t *takeover) noteQueuedLocked(d *deflation, m *protocol.Message) {
	if m.Key != "" {
		t.mu.window.Reset()
		return
	}
	t.addLocked(d, m.Data)
}

// sendPayload queues z, which is m compressed.
func (c *Conn) sendPayload(d *deflating, m *protocol.Message, z *deflate.Deflated) error {
	op, size := frame.Compressed(frame.OpCodeOf(m.Kind)), frame.EncodedSize(len(z.Payload))
	if err := c.queuePayload(op, z.Payload, m); err != nil {
		return err
	}
	d.of.countSent(len(m.Data), size)
	return nil
}

// queuePayload queues payload as the frame of m.
func (c *Conn) queuePayload(op ws.OpCode, payload []byte, m *protocol.Message) error {
	if m.Key != "" || frame.EncodedSize(len(payload)) > maxLockedCopy {
		return c.sendFrame(m.Key, newFrame(op, payload), len(m.Data))
	}
	write, err := c.out.copyMessage(c.session, op, payload, len(m.Data))
	return c.queued(write, err)
}

// sendSharedDeflated queues f, which is p compressed and refers to nothing.
func (c *Conn) sendSharedDeflated(d *deflating, p *protocol.Prepared, f *queue.Shared) error {
	if t := d.own; t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	if err := c.sendShared(p, f); err != nil {
		return err
	}
	d.of.countSent(p.Len(), f.Len())
	if t := d.own; t != nil && len(t.mu.window.Bytes()) > 0 {
		m := p.Message()
		t.noteQueuedLocked(d.of, &m)
	}
	return nil
}

// sharedDeflatedFrame returns the compressed frame of p that connections share, or nil if p is
// sent as it is. The first connection that needs it has it made.
func (c *Conn) sharedDeflatedFrame(d *deflating, p *protocol.Prepared) *queue.Shared {
	v := d.of.variants[d.params.ServerBits]
	if p.Len() <= 1<<v.bits {
		v = d.of.variants[deflate.MaxBits] // no distance is larger
	}
	encode := func(_ any, m protocol.Message) any { return v.newFrame(c, &m) }
	return p.Share(v, encode).(*queue.Shared) //nolint:errcheck,forcetypeassert // newFrame has made it
}

// newFrame encodes m, which c is about to send. If a callback of c has a loop and m is large,
// the loop is handed over. The callback may be that of another connection, which sends to a
// group of c's: then the layer has had that one's loop handed over.
func (v *variant) newFrame(c *Conn, m *protocol.Message) (f *queue.Shared) {
	if v.of.skips(m) {
		return nil
	}
	if len(m.Data) > maxOnLoop {
		c.runner.aboutToWork(c)
	}
	z := v.of.deflate(m.Data, nil, v.bits)
	if z == nil {
		return nil
	}
	defer z.Release()
	b := make([]byte, 0, frame.EncodedSize(len(z.Payload)))
	return queue.NewShared(frame.Append(b, frame.Compressed(frame.OpCodeOf(m.Kind)), z.Payload), v.pool)
}
