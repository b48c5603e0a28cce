package websocket

import (
	"slices"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// dropOldest drops messages that nobody has begun to write, until one of n bytes
// can be added or none is left. It drops none if that would not help.
func (o *outbox) dropOldest(n int) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := sizeOf(o.mu.segments)
	if k := o.mu.keys; k != nil {
		waiting.ofQueue += k.cost
		waiting.own += k.cost
	}
	writing := o.mu.queued - waiting.ofQueue
	helps := writing == 0 ||
		writing+n <= o.budget.each && o.affordsLocked(min(n, o.mu.copied)-waiting.own, o.mu.shares-waiting.held)
	if o.mu.final || !helps {
		return 0
	}
	var control []byte // frames that stay
	kept := o.mu.segments[:0]
	for _, s := range o.mu.segments {
		for !s.fixed && len(s.bytes()) > 0 && !o.fitsLocked(n) {
			size, isMessage := s.oldest()
			if isMessage {
				s.ofQueue -= size
				o.mu.queued -= size
				o.mu.pending -= size
				dropped++
				o.droppedLocked(&s)
			} else {
				control = append(control, s.bytes()[:size]...)
			}
			o.takeOffLocked(&s, size, isMessage)
		}
		if len(s.bytes()) > 0 {
			kept = append(kept, s)
		} else {
			recycle([]segment{s})
		}
	}
	clear(o.mu.segments[len(kept):])
	o.mu.segments = kept
	o.putBackLocked(control)
	o.settleLocked()
	return dropped
}

// oldest looks at the first frame of a segment.
func (s *segment) oldest() (size int, isMessage bool) {
	if s.own == nil {
		return len(s.bytes()), true
	}
	b := s.bytes()
	return frame.Size(b), !isControl(b)
}

// isControl reports whether b begins with a control frame.
func isControl(b []byte) bool { return ws.OpCode(b[0] & 0x0f).IsControl() }

// takeOffLocked takes the first frame off a segment.
func (o *outbox) takeOffLocked(s *segment, size int, isMessage bool) {
	if s.own == nil {
		s.shared.drop()
		s.shared = nil
		return
	}
	s.front += size
	if isMessage {
		o.mu.own -= size
	}
}

// putBackLocked puts control frames in front that lay between dropped messages.
func (o *outbox) putBackLocked(frames []byte) {
	if len(frames) == 0 {
		return
	}
	if len(o.mu.segments) == 0 || !o.mu.segments[0].fixed {
		c := bytespool.Get()
		o.mu.segments = slices.Insert(o.mu.segments, 0, segment{own: c, fixed: true})
	}
	first := o.mu.segments[0].own
	first.B = append(first.B, frames...)
}

// fitsLocked reports whether a message of n bytes could be added.
func (o *outbox) fitsLocked(n int) bool {
	return o.mu.queued == 0 || o.mu.queued+n <= o.budget.each && o.affordsLocked(min(n, o.mu.copied), o.mu.shares)
}

// affordsLocked reports whether the budget has room for so many more bytes of the
// queue's own, and of a shared frame.
func (o *outbox) affordsLocked(own, shared int) bool {
	more := o.needLocked(own) - o.mu.charged + shared
	return more <= 0 || o.budget.used.Load()+int64(more) <= o.budget.all
}
