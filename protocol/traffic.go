package protocol

// Traffic is what a connection has carried: messages, and the bytes of their
// payloads. Pings, closes and the like are not counted.
type Traffic struct {
	// In is what the transport has handed over while the connection was open,
	// also if it reached nobody in the end.
	MessagesIn, BytesIn int64
	// Out is what the outgoing queue has taken, also if it was dropped or
	// replaced there later. It is 0 for a transport that is no Meter.
	MessagesOut, BytesOut int64
}

// tally counts messages and their bytes.
type tally struct{ messages, bytes int64 }

func (t *tally) add(n int) {
	t.messages++
	t.bytes += int64(n)
}

// traffic is Conn.Traffic.
func (s *Session) traffic() Traffic {
	s.mu.Lock()
	t := Traffic{MessagesIn: s.mu.in.messages, BytesIn: s.mu.in.bytes}
	s.mu.Unlock()
	if m, ok := s.t.(Meter); ok {
		t.MessagesOut, t.BytesOut = m.Sent()
	}
	return t
}
