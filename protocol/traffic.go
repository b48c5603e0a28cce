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
func (s *Session) tallyLocked(m *Message) {
	if s.exec.Count(len(m.Data)) {
		return
	}
	in := &s.rarity().in
	in.Add(executor.Tally{Messages: 1, Bytes: int64(len(m.Data))})
	in.Add(s.exec.TakeTally())
}

// traffic is Conn.Traffic.
func (s *Session) traffic() Traffic {
	s.mu.Lock()
	in := s.exec.Tally()
	if r := s.rare.Load(); r != nil {
		in.Add(r.in)
	}
	s.mu.Unlock()
	t := Traffic{MessagesIn: in.Messages, BytesIn: in.Bytes}
	if m, ok := s.t.(meter); ok {
		t.MessagesOut, t.BytesOut = m.Sent()
	}
	return t
}
