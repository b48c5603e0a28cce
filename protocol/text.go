package protocol

import (
	"bytes"
	"log/slog"

	"github.com/wye-go/wye/internal/utf8scan"
)

// InvalidText is what happens to an outgoing text message that is not UTF-8. No peer
// gets one as it is: browsers close the connection over it.
type InvalidText uint8

// The ways to deal with text that is not UTF-8. None of them is zero, which stands for
// the default, as in all of [Limits].
const (
	// InvalidTextRefuse does not send the message: the send returns ErrNotUTF8. It is
	// the default.
	InvalidTextRefuse InvalidText = iota + 1
	// InvalidTextRepair sends the message with U+FFFD in place of each run of bytes
	// that are not UTF-8.
	InvalidTextRepair
)

// Checked returns m with a note that its Data is UTF-8, for transports that check the
// text they read. A program that sends the message on, with these very bytes, does not
// pay for a second check. The note is void when Data is other bytes, or more or fewer; it
// trusts that the bytes themselves do not change.
func Checked(m Message) Message {
	if len(m.Data) > 0 {
		m.checked, m.length = &m.Data[0], len(m.Data)
	}
	return m
}

// isChecked reports whether Data is what was checked.
func (m Message) isChecked() bool {
	return m.length > 0 && m.length == len(m.Data) && m.checked == &m.Data[0]
}

// valid reports whether m may be sent as it is.
func (m Message) valid() bool {
	return m.Kind == KindBinary || m.isChecked() || utf8scan.Valid(m.Data)
}

// repaired returns m with U+FFFD in place of what is not UTF-8.
func (m Message) repaired() Message {
	m.Data = bytes.ToValidUTF8(m.Data, []byte("\uFFFD"))
	return m
}

// Err returns ErrNotUTF8 if the message is text that is not UTF-8, and so cannot be
// sent to connections that do not repair it (Limits.InvalidText). Layers call it.
func (p *Prepared) Err() error {
	if p.invalid {
		return ErrNotUTF8
	}
	return nil
}

// repaired returns the repaired message, the same one for all who ask.
func (p *Prepared) repaired() *Prepared {
	p.keep()
	if p.fixed.Load() == nil {
		p.fixed.CompareAndSwap(nil, Prepare(p.msg.repaired()))
	}
	return p.fixed.Load()
}

// ValidText returns m as this connection sends it: m itself, or, if it is text that is
// not UTF-8, what Limits.InvalidText makes of it: ErrNotUTF8, which is counted, or a
// copy that is repaired. Send does so by itself; it is for code that sends to others in
// the connection's name.
func (c *Conn) ValidText(m Message) (Message, error) {
	if m.valid() {
		return m, nil
	}
	return c.s.badText(m)
}

// badText applies the policy to a message that is not valid.
func (s *Session) badText(m Message) (Message, error) {
	repair, err := s.repairs()
	if repair {
		m = m.repaired()
	}
	return m, err
}

// badPrepared is badText for a shared message.
func (s *Session) badPrepared(p *Prepared) (*Prepared, error) {
	repair, err := s.repairs()
	if repair {
		p = p.repaired()
	}
	return p, err
}

// badOffer is badPrepared for a message whose sender learns nothing of it.
func (s *Session) badOffer(p *Prepared) (*Prepared, error) {
	p, err := s.badPrepared(p)
	if err == ErrNotUTF8 { //nolint:errorlint,err113 // repairs returns it as it is
		s.log(slog.LevelWarn, "wye: a message to a group was not sent to a member, because its text is not UTF-8", nil)
	}
	return p, err
}

// repairs counts a message whose text is not UTF-8. It reports whether it is to be
// repaired; if not, err is that of the send.
func (s *Session) repairs() (repair bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.over() {
		return false, s.causeLocked()
	}
	s.shared.Counters.messages.invalid.Add(1)
	if s.limits.InvalidText == InvalidTextRepair {
		return true, nil
	}
	return false, ErrNotUTF8
}
