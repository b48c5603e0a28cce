package payload

import (
	"errors"
	"slices"
	"unicode/utf8"
)

// The keys of a message of Django Channels that are not fields of the payload.
const (
	typeKey     = "type"
	channelsKey = "__asgi_channel__"
)

// Message is an event as the layers of Django Channels write it: a map that has the
// fields of the payload, the type, and as a rule the channels that it is for.
type Message struct {
	Mark     string   // the first "type", which readers that keep the last one do not see; "" for none
	Type     string   // the last "type"
	Body     []byte   // a map of the other fields
	Channels []string // "__asgi_channel__"; nil for none
}

// Append appends m to b. One channel is written as a string, several as a list. The error
// says that Body has a key that is not a field, or is not a map.
func (m *Message) Append(b []byte) ([]byte, error) {
	r := &reader{b: m.Body}
	fields, err := r.next()
	if err != nil || fields.kind != kindMap {
		return nil, errNoMap
	}
	start := r.i
	for range fields.n {
		key, err := r.next()
		switch {
		case err != nil:
			return nil, err
		case key.is(typeKey) || key.is(channelsKey):
			return nil, errOwnKey(key.data)
		}
		if err := r.skip(); err != nil {
			return nil, err
		}
	}
	if r.i != len(r.b) {
		return nil, errTrailing
	}
	n := fields.n + 1
	if m.Mark != "" {
		n++
	}
	if len(m.Channels) > 0 {
		n++
	}
	b = slices.Grow(b, m.size())
	b = appendMapHeader(b, n)
	if m.Mark != "" {
		b = appendString(appendString(b, typeKey), m.Mark)
	}
	b = appendString(appendString(b, typeKey), m.Type)
	b = append(b, m.Body[start:]...)
	return appendChannels(b, m.Channels), nil
}

// size is what Append appends at most.
func (m *Message) size() int {
	const header = 5 // of a map, a list or a string
	n := len(m.Body) + header + 2*(header+len(typeKey)+header) + len(m.Mark) + len(m.Type)
	if len(m.Channels) > 0 {
		n += header + len(channelsKey) + header
	}
	for _, c := range m.Channels {
		n += header + len(c)
	}
	return n
}

func appendChannels(b []byte, channels []string) []byte {
	switch len(channels) {
	case 0:
		return b
	case 1:
		return appendString(appendString(b, channelsKey), channels[0])
	}
	b = appendArrayHeader(appendString(b, channelsKey), len(channels))
	for _, c := range channels {
		b = appendString(b, c)
	}
	return b
}

var (
	errNoMap    = errors.New("it is not a map")
	errTrailing = errors.New("bytes follow the map")
	errNoType   = errors.New(`it has no "type" that is a string`)
	errChannels = errors.New(`its "__asgi_channel__" is neither a string nor a list of strings`)
)

// ParseMessage reads what Append or a layer of Django Channels has written. The Message
// shares no memory with b. Of equal keys the last one holds, as in Python.
func ParseMessage(b []byte) (Message, error) {
	r := &reader{b: b}
	entries, err := r.next()
	if err != nil || entries.kind != kindMap {
		return Message{}, errNoMap
	}
	var m Message
	fields := make([]byte, mapRoom, mapRoom+len(b))
	count, first := 0, "" // how many fields there are; the first entry's value, if it is a type
	for i := range entries.n {
		start := r.i
		key, err := r.next()
		if err != nil {
			return Message{}, err
		}
		switch {
		case key.is(typeKey):
			m.Mark = first
			m.Type, err = r.stringOr(errNoType)
			if i == 0 {
				first = m.Type
			}
		case key.is(channelsKey):
			m.Channels, err = r.channels()
		default:
			err = r.skip()
			fields = append(fields, b[start:r.i]...)
			count++
		}
		if err != nil {
			return Message{}, err
		}
	}
	switch {
	case r.i != len(b):
		return Message{}, errTrailing
	case m.Type == "":
		return Message{}, errNoType
	}
	m.Body = withMapHeader(fields, count)
	return m, nil
}

// mapRoom is the size of the longest header of a map.
const mapRoom = 5

// withMapHeader returns a map of n entries, which are in b behind the room for a header. The
// map shares memory with b.
func withMapHeader(b []byte, n int) []byte {
	var room [mapRoom]byte
	header := appendMapHeader(room[:0], n)
	m := b[mapRoom-len(header):]
	copy(m, header)
	return m
}

// FirstType returns the value of a message's first entry if its key is "type": the Mark, or
// the Type of a message without one. It does not read the rest.
func FirstType(b []byte) string {
	r := &reader{b: b}
	if entries, err := r.next(); err != nil || entries.kind != kindMap || entries.n == 0 {
		return ""
	}
	if key, err := r.next(); err != nil || !key.is(typeKey) {
		return ""
	}
	first, err := r.stringOr(errNoType)
	if err != nil {
		return ""
	}
	return first
}

// is reports whether t is the key s, which Python may write as bytes.
func (t token) is(s string) bool {
	return (t.kind == kindString || t.kind == kindBytes) && string(t.data) == s
}

// stringOr reads a string, or returns err. What is not UTF-8 becomes U+FFFD, as in payloads.
func (r *reader) stringOr(err error) (string, error) {
	t, readErr := r.next()
	switch {
	case readErr != nil:
		return "", readErr
	case t.kind != kindString:
		return "", err
	}
	if !utf8.Valid(t.data) {
		return string([]rune(string(t.data))), nil
	}
	return string(t.data), nil
}

// channels reads a string or a list of strings.
func (r *reader) channels() (all []string, err error) {
	before := r.i
	t, err := r.next()
	if err != nil {
		return nil, err
	}
	n := t.n
	if t.kind != kindArray {
		n, r.i = 1, before
	}
	for range n {
		c, err := r.stringOr(errChannels)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
