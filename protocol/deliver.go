package protocol

import "context"

// Deliver hands over one message of the peer, for protocols whose messages come in
// requests, each on its own goroutine. Where [Session.Receive] tells the transport to stop
// reading, Deliver waits: for earlier calls, and for room (Limits.ReadAhead, Limits.Rate),
// until ctx is done. The message is copied, and callbacks run on other goroutines, so that
// the caller does not wait for a callback.
//
// nil means that the message waits in the connection's mailbox, not that it has been
// handled. The handler gets it, unless before that the connection is refused or closed by
// the server's side, or a second has passed since the peer closed; then it is counted as
// unread. An error means that the message was not handed over and will not be: a
// *CloseError, the same as context.Cause(conn.Context()), if the connection has closed or
// was refused, and otherwise context.Cause(ctx).
//
// Before the handshake is answered, messages wait behind the answer. A transport
// that uses Deliver uses neither Receive nor Resume.
func (s *Session) Deliver(ctx context.Context, m Message) error {
	turn := s.deliverTurn()
	select {
	case turn <- struct{}{}: // a channel lets the calls that wait for it through in their order
		defer func() { <-turn }()
	case <-ctx.Done():
	}
	for {
		switch {
		case s.context().Err() != nil:
			return context.Cause(s.context())
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
		case <-s.context().Done():
		}
	}
}

// deliverTurn returns the channel that has room for the Deliver whose turn it is.
func (s *Session) deliverTurn() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rarity()
	if r.deliverTurn == nil {
		r.deliverTurn = make(chan struct{}, 1)
	}
	return r.deliverTurn
}

// put queues a copy of m and has it handled. If there is not enough room, it returns a
// channel that is closed when put may be called again.
func (s *Session) put(m Message) (room <-chan struct{}) {
	m.Key = "" // only outgoing messages have one
	s.mu.Lock()
	pause := s.pauseLocked()
	switch {
	case s.mu.life.IsOver():
		s.mu.Unlock()
		return s.context().Done() // which is about to be closed
	case !s.mayReadLocked(pause):
		free := make(chan struct{})
		s.waitToReadLocked(func() { close(free) }, pause)
		s.mu.Unlock()
		return free
	case s.isTooFastLocked(len(m.Data)):
		s.mu.Unlock()
		s.closeTooFast()
		return s.context().Done()
	}
	s.enqueueUnlock(&m)
	return nil
}
