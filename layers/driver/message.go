package driver

import (
	"fmt"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/payload"
	"github.com/wye-go/wye/protocol"
)

// Message is an event in the form of Django Channels' default serializer: one MessagePack
// map that has the fields of the payload, "type", and, in some messages,
// "__asgi_channel__". It is for drivers that share their back end with Django. Other
// drivers may use any form: see Payload.
type Message struct {
	// Event is the event. Its position is not part of the message.
	Event *protocol.Event
	// Channels are the channels that the event is for, "__asgi_channel__". It is set in
	// the queues of channels_redis, which hold the events of all consumers of a process.
	// It is empty for events that are published to a group over Pub/Sub or that wait in a
	// named channel. One channel is written as a string, several as a list; Django
	// Channels reads both.
	Channels []string
	// Mark is a text that Django Channels ignores, for example the node that has sent the
	// event, and its position. It is written as a first "type": Python keeps the second
	// one, which is the event's. Mark must not look like the type of an event. If it is
	// "", only the event's type is written.
	Mark string
}

// Append appends the message to b. It returns an error if the event cannot be encoded, or
// if its payload has a field called "type" or "__asgi_channel__".
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

// ParseMessage parses a message that Append or Django Channels has written. The Message
// shares no memory with b. If a key occurs twice, the last one counts, as in Python. If b is
// not a map, has no type, or has bytes behind the map, it returns an error that matches
// protocol.ErrEventPayload.
func ParseMessage(b []byte) (Message, error) {
	r, err := payload.ParseMessage(b)
	if err != nil {
		return Message{}, fmt.Errorf("%w: not a message of Django Channels: %w", protocol.ErrEventPayload, err)
	}
	e, err := events.New(r.Type, r.Body)
	return Message{Event: e, Channels: r.Channels, Mark: r.Mark}, err
}

// MarkOf returns the Mark of a message without parsing the rest, so that a driver can skip
// the messages that its own node has sent. If the message has no Mark and starts with its
// type, MarkOf returns the type.
func MarkOf(message []byte) string { return payload.FirstType(message) }
