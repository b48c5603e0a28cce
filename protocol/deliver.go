package protocol

import "context"

// Deliver hands over one message of the peer, for protocols whose messages come
// in requests, each on a goroutine of its own. Where [Session.Receive] tells the
// transport to stop reading, Deliver waits: for its turn, in the order of the
// calls, and for room (Limits.ReadAhead, Limits.Rate), as long as ctx lasts. The message is
// copied, and callbacks run elsewhere, so that neither a busy one nor one that
// panics holds the caller up.
//
// nil means that the message has its place in the connection's mailbox, not that
// it has been handled. The handler gets it, unless the connection is refused or
// closed on our side before, or [FinalTime] has passed since the peer's end; then it
// is counted as unread. Any other result means
// that it was not handed over and will not be: the *CloseError that
// context.Cause(conn.Context()) is, when the connection has ended or was refused,
// and ctx's cause otherwise.
//
// Before the handshake is answered, messages wait behind the answer. A transport
// that uses Deliver uses neither Receive nor Resume.
func (s *Session) Deliver(ctx context.Context, m Message) error {
	turn := s.turn()
	select {
	case turn <- struct{}{}: // a channel lets those who wait for it through in their order
		defer func() { <-turn }()
	case <-ctx.Done():
	}
	for {
		switch {
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		room := s.put(m)
		if room == nil {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
	}
}

// turn returns the channel that has room for the one who may put.
func (s *Session) turn() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.turn == nil {
		s.mu.turn = make(chan struct{}, 1)
	}
	return s.mu.turn
}

// put queues a copy of m and has it run. If there is no room, it returns a
// channel that is closed when it is worth another try.
func (s *Session) put(m Message) (room <-chan struct{}) {
	s.mu.Lock()
	switch {
	case s.mu.life.over():
		s.mu.Unlock()
		return s.ctx.Done() // which is about to be closed
	case !s.mayReadLocked():
		free := make(chan struct{})
		s.waitToReadLocked(func() { close(free) })
		s.mu.Unlock()
		return free
	case s.tooFastLocked(len(m.Data)):
		s.mu.Unlock()
		s.endFast()
		return s.ctx.Done()
	}
	m.Key = "" // it is for what goes out
	s.mu.in.add(len(m.Data))
	s.mu.mail.addMessage(m.Clone())
	s.mailHeldLocked()
	run := !s.mu.running
	s.mu.running = true
	s.mu.Unlock()
	if run {
		s.schedule()
	}
	return nil
}
