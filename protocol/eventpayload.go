package protocol

import (
	"fmt"

	"github.com/wye-go/wye/internal/payload"
)

// wirePayload returns e's payload as it travels between processes: a MessagePack map of
// its fields, without the type. It seals e. The bytes are shared: do not change
// them.
func (e *Event) wirePayload() ([]byte, error) {
	if err := e.seal(); err != nil {
		return nil, err
	}
	if e.body != nil {
		return e.body, nil
	}
	return payload.Encode(asDirect(e.Prepared().Message())) // it was sealed as a message
}

// newEvent returns an event that another process has sent, with its type and payload. It
// keeps body. It returns an error if typ is empty or body is not a MessagePack map. The
// fields are not checked here: decoding does it.
func newEvent(typ string, body []byte) (*Event, error) {
	switch {
	case typ == "":
		return nil, fmt.Errorf("%w: it has no type", ErrEventPayload)
	case !isMap(body):
		return nil, fmt.Errorf("%w: event %q is not a MessagePack map", ErrEventPayload, typ)
	}
	e := &Event{typ: typ, body: body}
	e.sealing.Do(func() {})
	return e, nil
}
