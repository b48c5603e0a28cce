// Package wire has the formats in which channels_redis exchanges events. It is pure: bytes
// in, bytes out.
package wire

import (
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/payload"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// The names of serializers, as in channels_redis.
const (
	MsgPack = "msgpack"
	JSON    = "json"
)

// Codec encodes and decodes events. It is safe for concurrent use.
type Codec struct {
	json bool
	keys []*key // the first encrypts
	now  func() time.Time
}

// New returns the codec of a serializer, MsgPack or JSON; "" is MsgPack. If there are keys,
// the codec encrypts with the first and decrypts with any. The error has all that is wrong.
func New(serializer string, keys []string) (*Codec, error) {
	c := &Codec{now: time.Now}
	var errs []error
	switch serializer {
	case "", MsgPack:
	case JSON:
		c.json = true
	default:
		errs = append(errs, fmt.Errorf("the serializer %q does not exist; use %q or %q, as Django does",
			serializer, MsgPack, JSON))
	}
	for i, secret := range keys {
		if secret == "" {
			errs = append(errs, fmt.Errorf("encryption key %d of %d is empty; remove it or set it", i+1, len(keys)))
			continue
		}
		c.keys = append(c.keys, newKey(secret))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Append appends m to b: serialized and, if the codec has keys, encrypted. After an error
// it returns b. The error says which field of the event the format cannot carry.
func (c *Codec) Append(b []byte, m *driver.Message) ([]byte, error) {
	if len(c.keys) == 0 {
		return c.appendPlain(b, m)
	}
	return c.keys[0].appendToken(b, c.now(), func(plain []byte) ([]byte, error) { return c.appendPlain(plain, m) })
}

func (c *Codec) appendPlain(b []byte, m *driver.Message) ([]byte, error) {
	if !c.json {
		return m.Append(b)
	}
	body, err := events.Payload(m.Event)
	if err != nil {
		return b, err
	}
	w := payload.Message{Mark: m.Mark, Type: m.Event.Type(), Body: body, Channels: m.Channels}
	appended, err := w.AppendJSON(b)
	if err != nil {
		return b, fmt.Errorf("wye: event %q cannot be a message of Django Channels: %w", w.Type, err)
	}
	return appended, nil
}

// Open returns the plain form of b: b itself if the codec has no keys, and otherwise new
// bytes, decrypted with the key that fits. If none fits, the error matches ErrKey. If ttl is
// not 0 and b was encrypted longer ago than ttl, or more than a minute in the future, the
// error matches ErrExpired. Times are compared in whole seconds, as by Python.
func (c *Codec) Open(b []byte, ttl time.Duration) (plain []byte, err error) {
	if len(c.keys) == 0 {
		return b, nil
	}
	return openToken(c.keys, b, ttl, c.now())
}

// MarkOf returns the mark of the plain form of an event without decoding the rest: see
// [driver.MarkOf].
func (c *Codec) MarkOf(plain []byte) string {
	if c.json {
		return payload.FirstTypeJSON(plain)
	}
	return payload.FirstType(plain)
}

// Parse parses the plain form of an event: see [driver.ParseMessage]. The Message shares no
// memory with plain.
func (c *Codec) Parse(plain []byte) (driver.Message, error) {
	if !c.json {
		return driver.ParseMessage(plain)
	}
	r, err := payload.ParseMessageJSON(plain)
	if err != nil {
		return driver.Message{}, fmt.Errorf("%w: not a message of Django Channels: %w", protocol.ErrEventPayload, err)
	}
	e, err := events.New(r.Type, r.Body)
	return driver.Message{Event: e, Channels: r.Channels, Mark: r.Mark}, err
}
