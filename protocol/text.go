package protocol

import "log/slog"

// applyTextPolicy applies Limits.RepairText to a message whose text is not UTF-8: it
// returns the repaired message, or the error of the send.
func (s *Session) applyTextPolicy(m Message) (Message, error) {
	repair, err := s.repairsText()
	if repair {
		m = m.repaired()
	}
	return m, err
}

// applyTextPolicyToPrepared is applyTextPolicy for a shared message.
func (s *Session) applyTextPolicyToPrepared(p *Prepared) (*Prepared, error) {
	repair, err := s.repairsText()
	if repair {
		p = p.repaired()
	}
	return p, err
}

// applyTextPolicyToOffer is applyTextPolicyToPrepared for a message whose sender is not
// told the error.
func (s *Session) applyTextPolicyToOffer(p *Prepared) (*Prepared, error) {
	p, err := s.applyTextPolicyToPrepared(p)
	if err == ErrNotUTF8 { //nolint:errorlint,err113 // repairsText returns it as it is
		s.log(slog.LevelWarn, "wye: a message to a group was not sent to a member, because its text is not UTF-8", nil)
	}
	return p, err
}

// repairsText counts a message whose text is not UTF-8. It reports whether Limits.RepairText
// is set; if not, err is the error of the send.
func (s *Session) repairsText() (repair bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.IsOver() {
		return false, s.causeLocked()
	}
	s.options().Counters.messages.invalid.Add(1)
	if s.limits().RepairText {
		return true, nil
	}
	return false, ErrNotUTF8
}
