package driver

import (
	"fmt"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/payload"
	"github.com/wye-go/wye/protocol"
)

// Message is an event as the layers of Django Channels write it with their default
// serializer: one MessagePack map that has the fields of the payload, "type", and, in some
// places, "__asgi_channel__". A driver that shares its back end with Django writes and
// reads it without knowing MessagePack; what other drivers write is up to them, see
// Payload.
type Message struct {
	// Event is the event. Its position is not part of the message.
	Event *protocol.Event
	// Channels are the channels that the event is for, "__asgi_channel__". The queues of
	// channels_redis hold the events of all consumers of a process, so there it is set;
	// what is published to a group over Pub/Sub, and what waits in a named channel, has
	// none. One is written as a string, several as a list; readers of Channels take both.
	Channels []string
	// Mark is a text that Channels does not see, such as which node has sent the event,
	// and its position: a "type" in front of the other one, of which Python keeps the
	// last. It must not look like the type of an event. "" writes none.
	Mark string
}

// Append appends the message to b. The error is that of an event that cannot be encoded, or
// says that its payload has a field called "type" or "__asgi_channel__".
func (m *Message) Append(b []byte) ([]byte, error) {
	body, err := events.Payload(m.Event)
	if err != nil {
		return b, err
	}
	w := payload.Message{Mark: m.Mark, Type: m.Event.Type(), Body: body, Channels: m.Channels}
	appended, err := w.Append(b)
	if err != nil {
		return b, fmt.Errorf("wye: event %q cannot be a message of Django Channels: %w", w.Type, err)
	}
	return appended, nil
}

// ParseMessage reads a message that Append or Channels has written. The Message shares no
// memory with b. Of equal keys the last one holds, as in Python. The error matches
// protocol.ErrEventPayload: b is not a map, has no type, or goes on behind the map.
func ParseMessage(b []byte) (Message, error) {
	r, err := payload.ParseMessage(b)
	if err != nil {
		return Message{}, fmt.Errorf("%w: not a message of Django Channels: %w", protocol.ErrEventPayload, err)
	}
	e, err := events.New(r.Type, r.Body)
	return Message{Event: e, Channels: r.Channels, Mark: r.Mark}, err
}

// MarkOf returns the Mark of a message without reading the rest of it, or its type if it has
// no Mark and starts with its type. So a driver tells at once which messages are its own.
func MarkOf(message []byte) string { return payload.FirstType(message) }
