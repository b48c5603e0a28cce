package protocol

import (
	"bytes"
	"slices"

	"github.com/wye-go/wye/internal/utf8scan"
)

// Kind says whether a message is text or binary. The zero Kind is text.
type Kind uint8

// The kinds of message.
const (
	KindText   Kind = iota // UTF-8
	KindBinary             // anything
)

// String returns "text" or "binary".
func (k Kind) String() string {
	if k == KindBinary {
		return "binary"
	}
	return "text"
}

// Message is one application message, in either direction. The zero Message is
// an empty text message, which is legal.
//
// Incoming: Data belongs to the engine and is valid until the callback returns
// (in a loop over Stream.Messages: until the next turn). It must not be changed. Keep it
// with Clone or Text.
//
// Outgoing: Wye never keeps Data. When a send returns, the caller may use it
// again. Text must be UTF-8. It is checked, once for all who get it: Limits.RepairText
// says whether a send of text that is not returns ErrNotUTF8, or repairs it.
type Message struct {
	Kind Kind
	Data []byte

	// Key conflates: a message with a key replaces an earlier one with the same
	// key that still waits in the outgoing queue of its connection, so that a
	// peer which does not keep up gets the latest price, position or typing
	// notice and not all there have been. It is never sent, and incoming
	// messages have none. "" is no key.
	//
	// Every send does so, not only one that finds the queue full. What is being
	// written is not replaced. The new message takes the place of the earlier
	// one, so that what changes often is not put off for ever; but it never
	// overtakes a message without a key: if one was sent in between, it goes to
	// the end. So the order of messages with different keys may change, and no
	// other. If there is no room for the new message, the earlier one stays, and
	// Limits.Overflow decides. What was replaced is counted as
	// Stats.MessagesConflated; the send that had queued it has returned nil.
	//
	// A message of a group send that waits behind events for the consumer (see
	// Conn.Offer) replaces one with its key there only if no event and no message
	// without a key has come in between.
	//
	// It helps a peer whose network is slow as far as the transport can keep
	// messages from waiting behind its queue: WebSocket does over TCP, also with
	// TLS, on Linux and macOS. What is on its way, and what waits in a proxy or in
	// front of a peer that reads slowly, cannot be replaced: have the peer
	// acknowledge, and send the next value then, as the example of consumer.Conn
	// does.
	Key string

	checked *byte // first byte of Data when it was found to be UTF-8; nil if it was not checked
	length  int   // of Data then
}

// messageOverhead is what a waiting message or event counts beside its bytes, so that
// empty ones are bounded as well.
const messageOverhead = 64

// Text returns a text message.
func Text(s string) Message { return Message{Data: []byte(s)} }

// Binary returns a binary message around b, which it does not copy.
func Binary(b []byte) Message { return Message{Kind: KindBinary, Data: b} }

// Text returns a copy of the payload as a string.
func (m Message) Text() string { return string(m.Data) }

// Clone returns a message with a copy of the payload.
func (m Message) Clone() Message {
	wasChecked := m.isChecked()
	m.Data = slices.Clone(m.Data)
	if wasChecked {
		return checked(m)
	}
	return m
}

// checked returns m with a note that its Data is UTF-8. A program that sends the message
// on, with these very bytes, does not pay for a second check. The note is void when Data
// is other bytes, or more or fewer; it trusts that the bytes themselves do not change.
func checked(m Message) Message {
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
