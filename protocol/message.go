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

// Message is one message of an application, in either direction. The zero Message is an
// empty text message, which is legal.
//
// Incoming: Data belongs to the engine and is valid until the callback returns (in a loop
// over Stream.Messages: until the next iteration). The application must not change it. Keep
// a copy, made by Clone or Text.
//
// Outgoing: Wye does not keep Data. When a send has returned, the caller may use it again.
// Text must be UTF-8, which the send checks, once for all receivers. If it is not UTF-8,
// the send returns ErrNotUTF8, or repairs it if Limits.RepairText is set.
type Message struct {
	Kind Kind
	// Uncompressed has an outgoing message sent without compression, whatever the
	// connection has agreed on (see websocket.Options.Compression).
	//
	// Set it for a message that has a secret, such as a token, beside text that somebody
	// else can choose, such as a name that is repeated in an answer. Compression makes a
	// message shorter if the two have parts in common, and encryption does not hide its
	// length: who can choose the text, again and again, and see the lengths, finds the
	// secret piece by piece. Such attacks on compressed TLS and HTTP are known as CRIME and
	// BREACH. With context takeover the two may even be in different messages.
	Uncompressed bool

	Data []byte

	// Key conflates messages. A message with a key replaces an earlier one with the same
	// key that still waits in the outgoing queue of its connection. So a peer that does
	// not keep up gets the latest price, position or typing notice, and not every one.
	// The key is not sent, and incoming messages have none. "" means that the message has
	// no key.
	//
	// A message is replaced whether or not the queue is full, but not while it is being
	// written. The new message takes the position of the earlier one in the queue, so
	// that frequent changes do not delay it for ever. It never overtakes a message without
	// a key: if one was sent in between, the new message goes to the end of the queue. So
	// only messages with different keys may change their order. If there is no room for
	// the new message, the earlier one stays, and Limits.Overflow decides. A message that
	// was replaced is counted as Stats.MessagesConflated; its send has returned nil.
	//
	// A message of a group send that waits behind events for the consumer (see
	// Conn.Offer) replaces one with its key there only if no event and no message
	// without a key has come in between.
	//
	// Only messages that wait in this queue can be replaced. WebSocket lets them wait
	// there, and not in the kernel, over TCP and TLS on Linux and macOS. Messages in the
	// network, in a proxy, or unread at a slow peer cannot be replaced: have the peer
	// acknowledge a value, and send the next one then, as the Example of consumer.Conn
	// does.
	Key string

	checked *byte // first byte of Data when Data was checked to be UTF-8; nil if it was not
	length  int   // of Data then
}

// messageOverhead is added to the size of a waiting message or event, so that the number of
// empty ones is bounded as well.
const messageOverhead = 64

// Text returns a text message.
func Text(s string) Message { return Message{Data: []byte(s)} }

// Binary returns a binary message around b, which it does not copy.
func Binary(b []byte) Message { return Message{Kind: KindBinary, Data: b} }

// Text returns a copy of the payload as a string.
func (m Message) Text() string { return string(m.Data) }

// Clone returns a message with a copy of the payload.
func (m Message) Clone() Message {
	wasChecked := isChecked(&m)
	m.Data = slices.Clone(m.Data)
	if wasChecked {
		noteChecked(&m)
	}
	return m
}

// noteChecked notes that Data is UTF-8, so that a program that sends the same bytes to
// others does not pay for a second check. The note does not hold for another
// slice or another length. It does hold if the bytes are changed, which the contract
// forbids.
func noteChecked(m *Message) {
	if len(m.Data) > 0 {
		m.checked, m.length = &m.Data[0], len(m.Data)
	}
}

// isChecked reports whether Data is what was checked.
func isChecked(m *Message) bool {
	return m.length > 0 && m.length == len(m.Data) && m.checked == &m.Data[0]
}

// isValid reports whether m may be sent as it is.
func isValid(m *Message) bool {
	return m.Kind == KindBinary || isChecked(m) || utf8scan.Valid(m.Data)
}

// repaired returns m with U+FFFD in place of what is not UTF-8.
func (m Message) repaired() Message {
	m.Data = bytes.ToValidUTF8(m.Data, []byte("\uFFFD"))
	return m
}
