package queue

// DropOldest drops messages that wait, the oldest first, until one of n bytes fits, with
// what its key costs, or none is left. It drops none if that would not be enough.
func (q *Queue) DropOldest(n int) (dropped int) {
	if q.state == nil || q.final {
		return 0
	}
	q.state.listTail()
	if !q.fitsWithout(n) {
		return 0
	}
	for q.refs != nil && q.refs.gathered == nil && !q.fits(n) {
		if q.refs.dropFirst() {
			q.refs = nil
		}
		dropped++
	}
	for q.state.waiting.Len() > 0 && !q.fits(n) {
		if q.dropFirst() {
			dropped++
		}
	}
	q.state.account.refund(q.Budget.Pool)
	q.recycle()
	return dropped
}

// fits reports whether a message of n bytes fits. It takes it for the one that was
// refused last.
func (q *Queue) fits(n int) bool {
	queued := q.queued()
	return queued == 0 || queued+n <= q.Budget.Each && q.poolTakes(n, 0, 0)
}

// fitsWithout reports whether it would fit without the messages that wait.
func (q *Queue) fitsWithout(n int) bool {
	s := q.state
	queued, own, shared := 0, 0, 0
	for key, e := range s.waiting.All() {
		c := cost(key)
		queued += e.messages + c
		own += c
		shared += e.shared.refundOfDrop()
		if e.own != nil {
			own += e.messages
		}
	}
	if q.refs != nil && q.refs.gathered == nil {
		queued += q.refs.queued()
	}
	left := q.queued() - queued
	return left == 0 || left+n <= q.Budget.Each && q.poolTakes(n, own, shared)
}

// poolTakes reports whether the pool has room for the message that was refused last, of n
// bytes, if so many bytes of own and of shared frames are given back.
func (q *Queue) poolTakes(n, own, shared int) bool {
	s := q.state
	more := s.account.missing(min(n, s.need.own) - own)
	if more <= 0 && s.need.shared == 0 {
		return true // it is charged already
	}
	return q.Budget.hasRoom(more + s.need.shared - shared)
}

// dropFirst drops the first message of the first entry. Control frames in front of it
// are started instead, so that they keep their place; then it may have dropped nothing.
func (q *Queue) dropFirst() (dropped bool) {
	s := q.state
	e, key := s.waiting.First()
	switch {
	case e.messages == 0:
		s.startControl(e.bytes())
		s.sizes.skip(e.frames)
	case e.frames == 0:
		q.uncount(e, cost(key))
		dropped = true
	default:
		var n int
		n, dropped = s.sizes.first()
		if dropped {
			e.messages -= n
			s.count(-n, -n, -n)
		} else {
			s.startControl(e.bytes()[:n])
		}
		e.dropped += n
		e.frames--
		s.sizes.skip(1)
		if e.size() > 0 {
			return dropped
		}
	}
	first := s.waiting.Pop()
	first.release()
	return dropped
}

// startControl appends control frames to those that are started. It does not move
// what Peek has returned.
func (s *state) startControl(frames []byte) {
	size := len(frames)
	if n := len(s.started); n > 0 && s.started[n-1].messages == 0 {
		last := s.started[n-1].own
		if cap(last.b)-len(last.b) >= size {
			copy(last.extend(size), frames)
			return
		}
		size = max(size, 2*cap(last.b)) // few buffers
	}
	b := newBuffer(size)
	copy(b.extend(len(frames)), frames)
	s.started = append(s.started, entry{Frame: Frame{own: b}})
}
