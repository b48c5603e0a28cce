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
	all, order := make([]driver.Presence, 0, len(records)), make([]entry, 0, len(records))
	r := presenceReader{driver: d, group: group}
	for i := range records {
		raw := text(records[i])
		if raw == "" {
			continue // it has exited
		}
		p, err := r.parse(raw)
		if err != nil {
			d.malformed.note(d, packet{name: group, message: bytesOf(raw)}, err)
			continue
		}
		order = append(order, entry{ageOf(raw), len(all)})
		all = append(all, p)
	}
	slices.SortFunc(order, func(a, b entry) int { return cmp.Compare(a.since, b.since) })
	arrange(all, order)
	// Some may be as old as others, or older than ageOf tells.
	byAge := func(a, b driver.Presence) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) }
	if !slices.IsSortedFunc(all, byAge) {
		slices.SortFunc(all, byAge)
	}
	return all
}

// entry is the place of a presence before it is ordered.
type entry struct {
	since uint64
	place int
}

// arrange puts each of all where order has it.
func arrange(all []driver.Presence, order []entry) {
	for i := range order {
		if order[i].place == i {
			continue
		}
		first, to := all[i], i
		for {
			from := order[to].place
			order[to].place = to
			if from == i {
				break
			}
			all[to] = all[from]
			to = from
		}
		all[to] = first
	}
}

// ageOf returns since when a record is there: in nanoseconds since 1970, for 500 years.
func ageOf(raw string) uint64 {
	const nsecBits = 30
	if len(raw) < recordHead {
		return 0
	}
	b := bytesOf(raw[1:])
	sec := min(max(binary.BigEndian.Uint64(b), signBit)-signBit, 1<<(64-nsecBits)-1)
	return sec<<nsecBits | uint64(binary.BigEndian.Uint32(b[8:]))
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
	var n, at int
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
	size int // of the next allocation, at least
	free []byte
}

const maxChunk = 4 << 10

func (m *arena) copyOf(b []byte) []byte {
	n := len(b)
	if n > len(m.free) {
		m.free = make([]byte, max(n, m.size))
		m.size = min(2*max(n, m.size), maxChunk)
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
