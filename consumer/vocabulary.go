package consumer

import (
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// The types of package protocol that consumers use.
type (
	// Application is what [New], [JSON], [JSONBy], [ReceiveFunc] and [Func] return.
	Application = protocol.Application
	// Scope describes a connection: its path and parameters, its user, and, until the
	// handshake is answered, its request.
	Scope = protocol.Scope
	// Message is a text or binary message.
	Message = protocol.Message
	// Kind is the kind of a message: KindText or KindBinary.
	Kind = protocol.Kind
	// Event is a typed payload that consumers send to each other through groups and
	// channel names. EventType.New makes one.
	Event = protocol.Event
	// EventType declares a type of event: its name, and the Go type of its payload.
	EventType[P any] = protocol.EventType[P]
	// CloseCode is the number that says why a connection closed.
	CloseCode = protocol.CloseCode
	// CloseStatus says how a connection closed.
	CloseStatus = protocol.CloseStatus
	// CloseError is a CloseStatus as an error. A callback returns one to close the
	// connection; a send to a closed connection returns one.
	CloseError = protocol.CloseError
	// RejectError refuses a connection with an HTTP status.
	RejectError = protocol.RejectError
	// AcceptOptions choose the subprotocol and the headers of the answer.
	AcceptOptions = protocol.AcceptOptions
	// Position is the position of an event in the history of its group.
	Position = protocol.Position
)

// Prepared is a message for many connections: it is copied and encoded once.
type Prepared = protocol.Prepared

// Prepare returns m for [Conn.SendPrepared]. m.Data may be changed afterwards.
func Prepare(m Message) *Prepared { return protocol.Prepare(m) }

// The types of package layers that consumers use for history, presence and the state of
// the layer.
type (
	// Retention bounds the history of a group: how many events it keeps, and for how long.
	Retention = layers.Retention
	// Range is the part of a history that [Conn.JoinFrom] reads.
	Range = layers.Range
	// History is what [Conn.JoinFrom] has read.
	History = layers.History
	// Presence says that a key, such as a user, is present in a group.
	Presence = layers.Presence
	// PresenceEvent is the payload of Entered, Changed and Exited.
	PresenceEvent = layers.PresenceEvent
	// StateEvent is the payload of Down and Up.
	StateEvent = layers.StateEvent
	// GapEvent is the payload of Gap.
	GapEvent = layers.GapEvent
)

// The events that the layer itself sends to members that declare a handler for them with
// [On]. Package layers describes each of them.
//
//nolint:gochecknoglobals // names of package layers
var (
	Entered = layers.Entered
	Changed = layers.Changed
	Exited  = layers.Exited
	Down    = layers.Down
	Up      = layers.Up
	Gap     = layers.Gap
)

// SendType is the type of the events that hold a message for the peer, such as those of
// [Conn.Broadcast]. They go to the peer and no handler sees them, unless the consumer
// declares a handler for SendType with [On]: then only that handler receives them.
//
//nolint:gochecknoglobals // a name of package protocol
var SendType = protocol.SendType

// The kinds of messages.
const (
	KindText   = protocol.KindText
	KindBinary = protocol.KindBinary
)

// The close codes that consumers send and receive. Package protocol has all codes, with
// their meanings. A program may use 4000 to 4999 for its own.
const (
	CloseNormal          = protocol.CloseNormal
	CloseGoingAway       = protocol.CloseGoingAway
	CloseUnsupportedData = protocol.CloseUnsupportedData
	CloseNoStatus        = protocol.CloseNoStatus
	CloseAbnormal        = protocol.CloseAbnormal
	CloseInvalidPayload  = protocol.CloseInvalidPayload
	ClosePolicyViolation = protocol.ClosePolicyViolation
	CloseMessageTooBig   = protocol.CloseMessageTooBig
	CloseInternalError   = protocol.CloseInternalError
	CloseTryAgainLater   = protocol.CloseTryAgainLater
	CloseUnauthorized    = protocol.CloseUnauthorized
	CloseForbidden       = protocol.CloseForbidden
)

// The errors that the methods of Conn return, and that a consumer may return. Match
// them with errors.Is. Package protocol describes each of them.
var (
	ErrClosed      = protocol.ErrClosed
	ErrDropped     = protocol.ErrDropped
	ErrSlow        = protocol.ErrSlow
	ErrQueueFull   = protocol.ErrQueueFull
	ErrInvalidName = protocol.ErrInvalidName
	ErrTooMany     = protocol.ErrTooMany
	ErrNotUTF8     = protocol.ErrNotUTF8
	ErrNoRoute     = protocol.ErrNoRoute
)

// UserAs returns the user of s if an authenticator has set it and its type is U. A nil
// pointer is an anonymous user: ok is false.
func UserAs[U any](s *Scope) (user U, ok bool) { return protocol.UserAs[U](s) }

// Text returns a text message.
func Text(s string) Message { return protocol.Text(s) }

// Binary returns a binary message. The message uses b, which must not change until the
// send of the message has returned.
func Binary(b []byte) Message { return protocol.Binary(b) }

// NewCloseError returns an error. A callback that returns it closes the connection with
// code and reason; the call by itself does nothing. If Connect returns it, the
// connection is refused with 403. A browser does not show that to its page; use
// [CloseError.AcceptFirst] to tell the page the code.
func NewCloseError(code CloseCode, reason string) *CloseError {
	return protocol.NewCloseError(code, reason)
}

// NewRejectError returns an error. If Connect returns it, the connection is refused with
// the HTTP status and the text; the call by itself does nothing.
func NewRejectError(status int, body string) *RejectError {
	return protocol.NewRejectError(status, body)
}
