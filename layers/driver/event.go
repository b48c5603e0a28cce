package driver

import (
	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// NewEvent returns the event of a type and a payload that another node has published. It
// keeps body, which nothing else may use. The error, which matches
// protocol.ErrEventPayload, says that body is not a MessagePack map or that there is no
// type; whether the fields are those of the type is found out by the handlers that read
// them.
func NewEvent(typ string, body []byte) (*protocol.Event, error) { return events.New(typ, body) }

// Payload returns e's payload as it travels between nodes: a MessagePack map of its
// fields, without the type. The bytes are shared and must not be changed. The error says
// that the payload cannot be encoded; an event that a Layer gives to a driver always can.
func Payload(e *protocol.Event) ([]byte, error) { return events.Payload(e) }

// AtPosition returns a copy of e that has the position p in the history of its group,
// for [Historian.Append]. The copy shares e's payload.
func AtPosition(e *protocol.Event, p protocol.Position) *protocol.Event { return events.At(e, p) }
