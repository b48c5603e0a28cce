package protocol

import "github.com/wye-go/wye/protocol/internal/executor"

// Traffic counts the messages that a connection has carried, and the bytes of their
// payloads. Pings, closes and other control frames are not counted.
type Traffic struct {
	// MessagesIn and BytesIn count what the peer has sent while the connection was open,
	// including messages that no handler got.
	MessagesIn, BytesIn int64
	// MessagesOut and BytesOut count what was added to the outgoing queue, including
	// messages that were dropped or replaced there later. They are 0 for a transport
	// without the method Sent.
	MessagesOut, BytesOut int64
}

// tallyLocked counts a message that ClaimForMessage has not counted.
func (s *Session) tallyLocked(m Message) {
	s.mu.in.Add(executor.Tally{Messages: 1, Bytes: int64(len(m.Data))})
	s.mu.in.Add(s.exec.TakeTally())
}

// traffic is Conn.Traffic.
func (s *Session) traffic() Traffic {
	s.mu.Lock()
	s.mu.in.Add(s.exec.TakeTally())
	t := Traffic{MessagesIn: s.mu.in.Messages, BytesIn: s.mu.in.Bytes}
	s.mu.Unlock()
	if m, ok := s.t.(meter); ok {
		t.MessagesOut, t.BytesOut = m.Sent()
	}
	return t
}
