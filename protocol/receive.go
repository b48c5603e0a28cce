package protocol

import (
	"errors"

	"github.com/wye-go/wye/protocol/internal/executor"
)

var errReadAhead = errors.New("wye: the transport went on reading after Receive had told it to stop")

// Receive hands over one message of the peer. If no callback is running, it calls the
// handler on the caller's goroutine, with m.Data as it is; otherwise it queues a copy of
// the message. Then it runs callbacks that have become due: all of them, or a few if the
// transport has a method Schedule, which gets the rest.
//
// Receive reports whether the transport may go on reading. If it returns false,
// because Limits.ReadAhead or Limits.Rate is reached, the transport must not call Receive
// again before the function given to Resume is called. After the connection has closed,
// messages are counted and dropped.
func (s *Session) Receive(m Message) (more bool) {
	return s.receive(&m)
}

// receive is Receive. m is a pointer, here and below, because a Message is large: each copy
// would take as long as all the rest.
func (s *Session) receive(m *Message) (more bool) {
	m.Key = "" // only outgoing messages have one
	if s.exec.ClaimForMessage(len(m.Data)) {
		s.runMessage(m)
		return true
	}
	return s.receiveSlowly(m)
}

// Enqueue is Receive for a transport that does not want callbacks to run on the caller's
// goroutine, because they may block. It queues a copy of m, also if no callback is running,
// and has it handled elsewhere: by way of the transport's Schedule, or on a new goroutine.
// A transport may call Enqueue for some messages and Receive for others: they stay in order,
// and the results mean the same.
func (s *Session) Enqueue(m Message) (more bool) { return s.enqueue(&m) }

func (s *Session) enqueue(m *Message) (more bool) {
	m.Key = ""
	s.mu.Lock()
	if s.refusesUnlock(m) {
		return true
	}
	return s.enqueueUnlock(m)
}

// EnqueueChecked is Enqueue as ReceiveChecked is Receive.
func (s *Session) EnqueueChecked(m Message) (more bool) {
	if m.Kind == KindText {
		noteChecked(&m)
	}
	return s.enqueue(&m)
}

// ReceiveChecked is Receive for a transport that has checked that text is UTF-8. If the
// application sends the same message to others, its text is not checked again.
func (s *Session) ReceiveChecked(m Message) (more bool) {
	if m.Kind == KindText {
		noteChecked(&m)
	}
	return s.receive(&m)
}

// runMessage handles m, and then runs the callbacks that have become due. The caller has
// claimed the executor.
func (s *Session) runMessage(m *Message) {
	s.notifyBusy()
	s.handleMessage(s.context(), m)
	s.runInline()
}

// notifyBusy tells the transport that callbacks are about to run on its goroutine.
func (s *Session) notifyBusy() {
	if t, ok := s.t.(busyNotifier); ok {
		t.Busy()
	}
}

// receiveSlowly is Receive for a message that ClaimForMessage does not take: while a
// callback runs, before and after the connection is open, and for a peer whose rate is
// bounded.
func (s *Session) receiveSlowly(m *Message) (more bool) {
	s.mu.Lock()
	if s.refusesUnlock(m) {
		return true
	}
	if !s.exec.Claim(0) {
		return s.enqueueUnlock(m)
	}
	s.tallyLocked(m)
	s.mu.Unlock()
	s.runMessage(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mayReadLocked(s.pauseLocked()) || s.mu.life.IsOver()
}

// refusesUnlock drops and counts m if the connection has closed, and closes it if m must not
// come now. If it returns false, m is to be handed over, and the lock is held.
func (s *Session) refusesUnlock(m *Message) bool {
	switch {
	case s.mu.life.IsOver():
		s.mu.Unlock()
		s.options().Counters.messages.unread.Add(1)
	case s.mu.mail.size() >= s.limits().ReadAhead:
		s.mu.Unlock()
		s.options().Counters.messages.unread.Add(1)
		s.applyError(errReadAhead)
	case s.isTooFastLocked(len(m.Data)):
		s.mu.Unlock()
		s.closeTooFast()
	default:
		return false
	}
	return true
}

// enqueueUnlock puts a copy of m into the mailbox and has it handled elsewhere. It reports
// whether the transport may go on reading.
func (s *Session) enqueueUnlock(m *Message) (more bool) {
	s.tallyLocked(m)
	mail := s.mailLocked()
	mail.addMessage(m.Clone())
	s.hold(heldWaiting, mail.bytes)
	claimed := s.exec.Claim(executor.Waiting)
	more = s.mayReadLocked(s.pauseLocked())
	s.mu.Unlock()
	if claimed {
		s.schedule()
	}
	return more
}

// closeTooFast closes a connection whose peer sends too fast. Its message is dropped.
func (s *Session) closeTooFast() {
	s.options().Counters.messages.unread.Add(1)
	s.closeSession(CloseStatus{Code: ClosePolicyViolation, Reason: "messages sent too fast", Err: errFast}, true, nil)
}

// Ended tells the session that the peer has closed (st.Remote) or that the connection has
// broken. The transport's Close is not called afterwards. The handler still gets up to 1000
// messages that were handed over before, for up to a second, unless the server's side
// closes the connection too. Other messages, and all events that wait, are dropped and
// counted. Then Disconnect runs.
func (s *Session) Ended(st CloseStatus) { s.closeSession(st, false, nil) }

// Fail closes the connection as [Conn.CloseWith] does, for a transport whose peer has
// broken a rule or exceeded a limit. It reports whether this call has closed the
// connection: if it returns false, the connection had closed before, and the transport
// does not count the failure.
func (s *Session) Fail(err error) (first bool) { return s.closeWith(err).IsFirst() }
