package queue

import "slices"

// Peek starts what is to be written next, and returns it: most bytes at the most, or
// fewer. Entries are started as a whole, also if a part of them is returned. The caller
// owns the pieces until it calls Advance; calls of other methods leave them as they are.
func (q *Queue) Peek(most int) (pieces [][]byte) {
	if q.refs != nil {
		return q.refs.peek(most)
	}
	s := q.state
	if s == nil || s.aborted {
		return nil
	}
	if s.tail.own != nil && len(s.started) == 0 && s.waiting.Len() == 0 && most > 0 {
		return s.peekTail(most)
	}
	room := most
	if s.waiting.HasKeys() {
		room = min(most, keyedPeek)
	}
	pieces, from := s.pieces[:0], s.written
	for i := 0; most > 0 && (i < len(s.started) || s.startNext(i == 0, room)); i++ {
		b := s.started[i].bytes()[from:]
		b = b[:min(len(b), most)]
		pieces = append(pieces, b)
		from, most, room = 0, most-len(b), room-len(b)
	}
	s.pieces, s.lent = pieces, len(pieces) > 0
	return pieces
}

// startNext starts the first entry that waits, if it fits into room or must be.
func (s *state) startNext(must bool, room int) bool {
	first, key := s.waiting.First()
	if first == nil {
		if s.tail.own == nil || !must && len(s.tail.own.b) > room {
			return false
		}
		s.sizes.skip(s.tail.frames)
		s.startTail()
		return true
	}
	if first.reserved() > 0 || !must && first.size() > room {
		return false
	}
	c := cost(key)
	s.count(-c, 0, -c)
	s.sizes.skip(first.frames)
	s.started = append(s.started, *first)
	s.waiting.Pop()
	return true
}

// peekTail is Peek if tail is all there is.
func (s *state) peekTail(most int) (pieces [][]byte) {
	if !s.writing {
		s.writing = true
		s.sizes.skip(s.tail.frames)
	}
	b := s.tail.own.b[s.written:]
	s.lent = true
	s.pieces = append(s.pieces[:0], b[:min(len(b), most)])
	return s.pieces
}

// startTail moves tail to the end of what is started.
func (s *state) startTail() {
	n := len(s.started)
	s.started = slices.Grow(s.started, 1)[:n+1]
	s.tail.moveTo(&s.started[n])
}

// Started reports whether a part of an entry is written, and the rest is to follow.
func (q *Queue) Started() bool {
	return q.refs != nil && q.refs.gathered != nil || q.state != nil && (q.state.writing || len(q.state.started) > 0)
}

// Advance tells that the next n bytes are written: at most as many as Peek has returned.
// They count until all of their entry is written. drained reports whether the queue is at
// most half full, after it refused a message.
func (q *Queue) Advance(n int, g Growth) (drained bool) {
	if q.refs != nil {
		if q.refs.advance(n) {
			q.refs = nil
		}
		return q.noteRoom(g)
	}
	s := q.state
	if s == nil {
		return false
	}
	s.returnPieces()
	if s.writing {
		return q.advanceTail(n, g)
	}
	if s.aborted {
		n = 0
		s.releaseStarted()
	}
	s.written += n
	done := 0
	for ; done < len(s.started); done++ {
		e := &s.started[done]
		size := e.size()
		if s.written < size {
			break
		}
		s.written -= size
		q.uncount(e, 0)
		s.release(e)
	}
	if done == len(s.started) {
		s.started = s.started[:0]
	} else if done > 0 {
		s.started = slices.Delete(s.started, 0, done)
	}
	s.account.refundMuch(q.Budget.Pool)
	return q.noteRoom(g)
}

// advanceTail is Advance if tail is all there is.
func (q *Queue) advanceTail(n int, g Growth) (drained bool) {
	s := q.state
	own := s.tail.own
	if s.written += n; s.written < len(own.b) {
		return q.noteRoom(g)
	}
	s.tail.own, s.tail.frames, s.tail.messages = nil, 0, 0
	s.writing, s.written = false, 0
	s.queued, s.pending, s.account.own = 0, 0, 0
	if s.spare == nil && cap(own.b) <= chunkSize {
		own.b = own.b[:0]
		s.spare = own
	} else {
		own.release()
	}
	if s.account.charged == 0 && !q.refused && !q.high { // as most are
		q.state = nil
		s.put()
		return false
	}
	s.account.refundMuch(q.Budget.Pool)
	return q.noteRoom(g)
}

// returnPieces notes that the caller of Peek no longer reads what it has got.
func (s *state) returnPieces() {
	s.lent = false
	if len(s.pieces) == 1 {
		s.pieces[0] = nil // without a call
		return
	}
	clear(s.pieces)
}

// noteRoom ends what has begun when the queue was more than half full, if it no longer
// is. drained is that of Advance.
func (q *Queue) noteRoom(g Growth) (drained bool) {
	if q.queued() <= q.Budget.Each/2 {
		if q.high {
			q.high = false
			g.QueueDrained()
		}
		drained, q.refused = q.refused, false
	}
	q.recycle()
	return drained
}

// Abort drops all, and lets nothing more be added. The caller of Peek keeps the pieces
// until it calls Advance.
func (q *Queue) Abort() {
	q.final = true
	if q.refs != nil {
		if q.refs.abort() {
			q.refs = nil
		}
	}
	s := q.state
	if s == nil {
		return
	}
	s.listTail()
	for s.waiting.Len() > 0 {
		e := s.waiting.Pop()
		s.sizes.skip(e.frames)
		e.release()
	}
	s.aborted, s.queued, s.pending, s.account.own = true, 0, 0, 0
	s.account.refund(q.Budget.Pool)
	if !s.lent {
		s.releaseStarted()
		q.recycle()
	}
}

func (s *state) releaseStarted() {
	for i := range s.started {
		s.started[i].release()
	}
	clear(s.started)
	s.started, s.written = s.started[:0], 0
}
