// Package wire has the formats in which channels_redis exchanges events. It is pure: bytes
// in, bytes out.
package wire

import (
	"errors"
	"time"

	"github.com/wye-go/wye/layers/driver"
)

// Codec encodes and decodes events. It is safe for concurrent use.
type Codec struct{}

// New returns the codec of a serializer, "msgpack" or "json", which encrypts if there are
// keys.
func New(serializer string, keys []string) (*Codec, error) {
	if serializer != "msgpack" || len(keys) > 0 {
		return nil, errors.ErrUnsupported // until they are implemented
	}
	return &Codec{}, nil
}

// Append appends m, serialized and encrypted, to b.
func (*Codec) Append(b []byte, m *driver.Message) ([]byte, error) { return m.Append(b) }

// Open returns b decrypted, or b itself if the codec has no keys. A token that is older
// than ttl is an error. A ttl of 0 means that tokens do not expire.
func (*Codec) Open(b []byte, ttl time.Duration) (plain []byte, err error) { return b, nil }

// MarkOf returns the mark of what Open has returned without decoding the rest: see
// [driver.MarkOf].
func (*Codec) MarkOf(plain []byte) string { return driver.MarkOf(plain) }

// Parse parses what Open has returned. The Message shares no memory with plain.
func (*Codec) Parse(plain []byte) (driver.Message, error) { return driver.ParseMessage(plain) }
