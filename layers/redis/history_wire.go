package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// The position of a recorded event is a part of its mark, which starts with recordMark and has
// a fixed width, so that the script which knows the position can insert it: Django Channels
// ignores the mark. An encrypted event cannot be changed by a script. There the mark precedes the
// token, and the top bit of its bytes is set: Python's decoder of base64 ignores such bytes.
const (
	recordMark = "wye1@"
	epochLen   = 12
	offsetLen  = 16
	markLen    = len(recordMark) + epochLen + offsetLen
	timeLen    = 13 // precedes each stored event, in milliseconds

	maskBit = 0x80
)

// emptyPosition is what the script replaces.
var emptyPosition = strings.Repeat("-", epochLen+offsetLen) //nolint:gochecknoglobals // a constant

// record is a message without its position.
type record struct {
	head, tail string // what precedes the position, and what follows it
	masking    string // for the script
}

// record encodes e for the script that appends it.
func (d *Driver) record(e *protocol.Event) (record, error) {
	b, err := d.codec.Append(nil, &driver.Message{Event: e, Mark: recordMark + emptyPosition})
	if err != nil {
		return record{}, err
	}
	if d.isEncrypted() {
		return record{head: masked(recordMark), tail: string(b), masking: "masked"}, nil
	}
	before, after, ok := bytes.Cut(b, []byte(recordMark+emptyPosition))
	if !ok {
		return record{}, errNoMark
	}
	return record{head: string(before) + recordMark, tail: string(after)}, nil
}

var errNoMark = errors.New("wye: redis: the codec has written no mark")

// isEncrypted reports whether messages are encrypted.
func (d *Driver) isEncrypted() bool { return len(d.settings.EncryptionKeys) > 0 }

// masked sets the top bit of each byte of s, which is ASCII.
func masked(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] |= maskBit
	}
	return string(b)
}

// unmask returns the mark that precedes an encrypted message, "" if there is none, and the
// message.
func (d *Driver) unmask(message []byte) (mark string, rest []byte) {
	if !d.isEncrypted() || len(message) < markLen || message[0] != recordMark[0]|maskBit {
		return "", message
	}
	b := bytes.Clone(message[:markLen])
	for i := range b {
		b[i] &^= maskBit
	}
	return string(b), message[markLen:]
}

// parseStored parses an event as it is in the list of a history. It uses the memory of b, and returns
// what it has used, for the next event.
func (d *Driver) parseStored(b []byte, stored string, at protocol.Position) (_ *protocol.Event, used []byte, err error) {
	if len(stored) < timeLen {
		return nil, b, errNoMark
	}
	b = b[:0]
	if stored = stored[timeLen:]; d.isEncrypted() {
		if len(stored) < len(recordMark) {
			return nil, b, errNoMark
		}
		b = append(b, stored[len(recordMark):]...)
	} else {
		before, after, ok := strings.Cut(stored, recordMark)
		if !ok {
			return nil, b, errNoMark
		}
		b = append(append(append(append(b, before...), recordMark...), emptyPosition...), after...)
	}
	plain, err := d.codec.Open(b, 0)
	if err != nil {
		return nil, b, err
	}
	m, err := d.codec.Parse(plain)
	if err != nil {
		return nil, b, err
	}
	return driver.AtPosition(m.Event, at), b, nil
}

// positionOf returns the position in the mark of a recorded event. ok is false if the mark is
// none of a recorded event.
func positionOf(mark string) (p protocol.Position, ok bool) {
	if len(mark) != markLen || !strings.HasPrefix(mark, recordMark) {
		return protocol.Position{}, false
	}
	text := mark[len(recordMark):]
	p, err := parsePosition(text[:epochLen], text[epochLen:])
	return p, err == nil
}

// parsePosition parses an epoch and an offset.
func parsePosition(epoch, offset string) (protocol.Position, error) {
	n, err := strconv.ParseUint(offset, 10, 64)
	p := protocol.Position{Epoch: strings.Clone(epoch), Offset: n}
	if err == nil {
		_, err = p.MarshalText()
	}
	if err != nil || p.IsZero() {
		return protocol.Position{}, fmt.Errorf("wye: redis: no position: %q, %q", epoch, offset)
	}
	return p, nil
}
