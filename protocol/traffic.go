package protocol

import "github.com/wye-go/wye/protocol/internal/executor"

// Traffic is what a connection has carried: messages, and the bytes of their
// payloads. Pings, closes and the like are not counted.
type Traffic struct {
	// In is what the transport has handed over while the connection was open,
	// including messages that no handler got.
	MessagesIn, BytesIn int64
	// Out is what the outgoing queue has taken, including messages that were
	// dropped or replaced there later. It is 0 for a transport that is not a Meter.
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
