package consumer

import (
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// The types of package protocol that a consumer's file uses, so that it imports this
// package alone.
type (
	// Application is what [New], [JSON], [JSONBy], [ReceiveFunc] and [Func] return.
	Application = protocol.Application
	// Scope describes a connection to a factory.
	Scope = protocol.Scope
	// Message is a text or binary message.
	Message = protocol.Message
	// Kind is that of a message: KindText or KindBinary.
	Kind = protocol.Kind
	// Event is what the members of a group are sent: a typed payload.
	Event = protocol.Event
	// EventType is the declaration of one type of event.
	EventType[P any] = protocol.EventType[P]
	// CloseCode says why a connection ended.
	CloseCode = protocol.CloseCode
	// CloseStatus is how a connection ended.
	CloseStatus = protocol.CloseStatus
	// CloseError is the error of a connection that has ended, or is to be closed.
	CloseError = protocol.CloseError
	// RejectError refuses a connection with an HTTP status.
	RejectError = protocol.RejectError
	// AcceptOptions choose the subprotocol and the headers of the answer.
	AcceptOptions = protocol.AcceptOptions
	// Position is the place of an event in the history of its group.
	Position = protocol.Position
)

// The types of package layers that a consumer's file uses for history and presence.
type (
	// Retention says how much of a group's history is kept.
	Retention = layers.Retention
	// Range is the part of a history that is read.
	Range = layers.Range
	// History is what was read.
	History = layers.History
	// Presence is one key that is present in a group, such as a user.
	Presence = layers.Presence
	// PresenceEvent is the payload of Entered, Changed and Exited.
	PresenceEvent = layers.PresenceEvent
	// StateEvent is the payload of Down and Up.
	StateEvent = layers.StateEvent
	// GapEvent is the payload of Gap.
	GapEvent = layers.GapEvent
)

// The events that a layer sends itself, to consumers that declare a handler for them
// with [On].
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

// The kinds of messages.
const (
	KindText   = protocol.KindText
	KindBinary = protocol.KindBinary
)

// The close codes that consumers send and receive; package protocol has them all, with
// what they mean. 4000 to 4999 are the program's own.
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

// The errors that a consumer's calls return. Match them with errors.Is.
var (
	ErrClosed            = protocol.ErrClosed
	ErrDropped           = protocol.ErrDropped
	ErrSlow              = protocol.ErrSlow
	ErrInvalidName       = protocol.ErrInvalidName
	ErrTooManyGroups     = protocol.ErrTooManyGroups
	ErrTooManyGoroutines = protocol.ErrTooManyGoroutines
	ErrNotUTF8           = protocol.ErrNotUTF8
	ErrNoRoute           = protocol.ErrNoRoute
)

// Text returns a text message.
func Text(s string) Message { return protocol.Text(s) }

// Binary returns a binary message. The message uses b, which must not change until the
// message has been sent.
func Binary(b []byte) Message { return protocol.Binary(b) }

// NewCloseError returns the error that closes the connection with code and reason when a
// callback returns it. The call by itself does nothing. Returned by Connect, the error
// refuses the connection with 403; its AcceptFirst tells a browser's page the code.
func NewCloseError(code CloseCode, reason string) *CloseError {
	return protocol.NewCloseError(code, reason)
}

// NewRejectError returns the error that refuses a connection with an HTTP status and a
// text when Connect returns it. The call by itself does nothing.
func NewRejectError(status int, body string) *RejectError {
	return protocol.NewRejectError(status, body)
}
