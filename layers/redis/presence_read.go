package redis

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unsafe"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/internal/payload"
	"github.com/wye-go/wye/layers/driver"
)

var errRecord = errors.New("it is no record of a presence")

// parsePresences parses records, and orders what they hold. Those that cannot be decoded are
// counted.
func (d *Driver) parsePresences(group string, records []rueidis.RedisMessage) []driver.Presence {
	type entry struct {
		sec   uint64
		nsec  uint32
		index int32
	}
	order, size := make([]entry, 0, len(records)), 0
	for i := range records {
		raw := text(records[i])
		if raw == "" {
			continue // it has exited
		}
		size += len(raw)
		e := entry{index: int32(i)} //nolint:gosec // there are not so many
		if since := raw[1:]; len(since) >= sinceLen {
			e.sec, e.nsec = binary.BigEndian.Uint64(bytesOf(since)), binary.BigEndian.Uint32(bytesOf(since[8:]))
		}
		order = append(order, e)
	}
	slices.SortFunc(order, func(a, b entry) int {
		switch {
		case a.sec != b.sec:
			return cmp.Compare(a.sec, b.sec)
		default:
			return cmp.Compare(a.nsec, b.nsec)
		}
	})
	all, r := make([]driver.Presence, 0, len(order)), presenceReader{driver: d, group: group}
	r.memory.size = min(size, maxChunk)
	for _, e := range order {
		raw := text(records[e.index])
		p, err := r.parse(raw)
		if err != nil {
			d.malformed.note(d, packet{name: group, message: bytesOf(raw)}, err)
			continue
		}
		all = append(all, p)
	}
	byAge := func(a, b driver.Presence) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) }
	if !slices.IsSortedFunc(all, byAge) {
		slices.SortFunc(all, byAge)
	}
	return all
}

// presenceReader parses records of a group.
type presenceReader struct {
	driver *Driver
	group  string
	memory arena
	meta   []byte // of the last one
}

// parse parses a record.
func (r *presenceReader) parse(raw string) (driver.Presence, error) {
	if len(raw) < recordHead {
		return driver.Presence{}, errRecord
	}
	lengths := raw[lengthsAt:]
	at := recordHead + int(lengths[0]) + int(lengths[1]) + int(lengths[2])<<8 + int(lengths[3])
	if at > len(raw) {
		return driver.Presence{}, errRecord
	}
	rest := raw[at:]
	switch raw[0] {
	case inMessagePack:
		if p, ok := r.parseRest(rest); ok {
			p.Since = parseSince(raw[1:])
			return p, nil
		}
		return r.parseMessage(presenceStart(inMessagePack, driver.Exited.Name, r.group) + rest)
	case inJSON:
		return r.parseMessage(presenceStart(inJSON, driver.Exited.Name, r.group) + rest)
	case encrypted:
		return r.parseMessage(rest)
	}
	return driver.Presence{}, errRecord
}

// parseMessage parses the message that the key of a presence has exited.
func (r *presenceReader) parseMessage(message string) (driver.Presence, error) {
	codec := r.driver.codec
	plain, err := codec.Open(bytesOf(message), 0)
	if err != nil {
		return driver.Presence{}, err
	}
	m, err := codec.Parse(plain)
	if err != nil {
		return driver.Presence{}, err
	}
	v, err := driver.Exited.Payload(m.Event)
	return v.Presence, err
}

// parseRest parses the rest of a record in MessagePack, except for Since, much faster than
// parseMessage. ok is false if this version of Wye has not written it.
func (r *presenceReader) parseRest(rest string) (p driver.Presence, ok bool) {
	const start, fields, id, key, meta, since = "\xa8presence", 0x83, "\xa2id", "\xa3key", "\xa4meta", "\xa5since"
	rest, ok = strings.CutPrefix(rest, start)
	if !ok || rest == "" {
		return p, false
	}
	hasMeta := rest[0] == fields+1
	if !hasMeta && rest[0] != fields {
		return p, false
	}
	rest = rest[1:]
	for _, field := range []struct {
		name string
		to   *string
	}{{id, &p.ID}, {key, &p.Key}} {
		if rest, ok = strings.CutPrefix(rest, field.name); !ok {
			return p, false
		}
		if *field.to, rest, ok = cutPacked(rest); !ok {
			return p, false
		}
	}
	if hasMeta {
		if rest, ok = strings.CutPrefix(rest, meta); !ok {
			return p, false
		}
		var after []byte
		var err error
		if r.meta, after, err = payload.AppendValueJSON(r.meta[:0], bytesOf(rest)); err != nil {
			return p, false
		}
		p.Meta, rest = r.memory.copyOf(r.meta), rest[len(rest)-len(after):]
	}
	p.ID, p.Key = r.memory.text(p.ID), r.memory.text(p.Key)
	return p, strings.HasPrefix(rest, since)
}

// cutPacked returns the short text in MessagePack that s starts with, and what follows it.
func cutPacked(s string) (text, rest string, ok bool) {
	const fix, long, long16 = 0xa0, 0xd9, 0xda
	n, at := 0, 0
	switch {
	case s == "":
		return "", "", false
	case s[0]&0xe0 == fix:
		n, at = int(s[0]&0x1f), 1
	case s[0] == long && len(s) >= 2:
		n, at = int(s[1]), 2
	case s[0] == long16 && len(s) >= 3:
		n, at = int(s[1])<<8|int(s[2]), 3
	default:
		return "", "", false
	}
	if len(s) < at+n {
		return "", "", false
	}
	return s[at : at+n], s[at+n:], true
}

// arena gives memory to small things, several of which share one allocation. It is small, so that
// one that is kept does not keep many.
type arena struct {
	size int // of an allocation
	free []byte
}

const maxChunk = 4 << 10

func (m *arena) copyOf(b []byte) []byte {
	n := len(b)
	if n > len(m.free) {
		m.free = make([]byte, max(n, m.size))
	}
	c := m.free[:n:n]
	m.free = m.free[n:]
	copy(c, b)
	return c
}

func (m *arena) text(s string) string {
	c := m.copyOf(bytesOf(s))
	return unsafe.String(unsafe.SliceData(c), len(c)) //nolint:gosec // nothing changes them
}
