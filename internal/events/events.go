// Package events is what layers and their drivers do with a protocol.Event and programs
// do not.
package events

import (
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// New returns the event of a type and a payload that another process has sent. It keeps
// body. The error, which matches protocol.ErrEventPayload, says that body is not a
// MessagePack map or that typ is empty.
func New(typ string, body []byte) (*protocol.Event, error) {
	e, err := plumbing.Events.New(typ, body)
	if err != nil {
		return nil, err
	}
	return e.(*protocol.Event), nil //nolint:errcheck,forcetypeassert // package protocol returns nothing else
}

// Payload returns e's payload as it travels between processes: a MessagePack map of its
// fields, without the type. It seals e. The bytes are shared and must not be changed.
func Payload(e *protocol.Event) ([]byte, error) { return plumbing.Events.Payload(e) }

// Seal encodes e's payload, once: from then on e may be shared.
func Seal(e *protocol.Event) error { return plumbing.Events.Seal(e) }

// At returns a copy of e that has the position p in the history of its group. The copy
// shares e's payload.
func At(e *protocol.Event, p protocol.Position) *protocol.Event {
	return plumbing.Events.At(e, p.Epoch, p.Offset).(*protocol.Event) //nolint:errcheck,forcetypeassert // as in New
}
