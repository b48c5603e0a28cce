package driver

import (
	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// NewEvent returns an event that another node has published, with its type and payload. It
// keeps body, which the caller must not use afterwards. If typ is empty or body is not a
// MessagePack map, it returns an error that matches protocol.ErrEventPayload. It does not
// check the fields of the payload: a handler that decodes them gets an error.
func NewEvent(typ string, body []byte) (*protocol.Event, error) { return events.New(typ, body) }

// Payload returns e's payload as nodes exchange it: a MessagePack map of its fields,
// without the type. The bytes are shared; the caller must not change them. It returns an
// error if the payload cannot be encoded, but not for an event that a Layer has passed to a
// driver.
func Payload(e *protocol.Event) ([]byte, error) { return events.Payload(e) }

// AtPosition returns a copy of e that has the position p in the history of its group,
// for [Historian.Append]. The copy shares e's payload.
func AtPosition(e *protocol.Event, p protocol.Position) *protocol.Event { return events.At(e, p) }
