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
	order := make([]entry, 0, len(records))
	for i := range records {
		if raw := text(records[i]); raw != "" { // otherwise it has exited
			order = append(order, entry{ageOf(raw), i})
		}
	}
	ranks := make([]int, len(records))
	for rank, e := range orderOf(order) {
		ranks[e.place] = rank
	}
	all, failed := make([]driver.Presence, len(order)), false
	r := presenceReader{driver: d, group: group}
	for i := range records { // as they lie in memory
		raw := text(records[i])
		if raw == "" {
			continue
		}
		if err := r.parse(raw, &all[ranks[i]]); err != nil {
			d.malformed.note(d, packet{name: group, message: bytesOf(raw)}, err)
			failed = true
		}
	}
	if failed {
		all = slices.DeleteFunc(all, func(p driver.Presence) bool { return p.ID == "" })
	}
	// Some may be as old as others, or older than ageOf tells.
	byAge := func(a, b driver.Presence) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) }
	if !slices.IsSortedFunc(all, byAge) {
		slices.SortFunc(all, byAge)
	}
	return all
}

// entry is the time and the place of a presence before they are ordered.
type entry struct {
	since uint64
	place int
}

// orderOf returns all in the order of their times. It uses the memory of all. It orders by one byte
// after the other, which takes a fifth of the time of slices.SortFunc if there are many.
func orderOf(all []entry) []entry {
	const many, bits, last = 200, 8, 1<<8 - 1
	if len(all) < many {
		slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.since, b.since) })
		return all
	}
	next := make([]entry, len(all))
	for shift := 0; shift < 64; shift += bits {
		var starts [1<<bits + 1]int // where those with each byte go
		for i := range all {
			starts[all[i].since>>shift&last+1]++
		}
		if starts[all[0].since>>shift&last+1] == len(all) {
			continue // all have the same byte
		}
		for i := range 1 << bits {
			starts[i+1] += starts[i]
		}
		for _, e := range all {
			at := &starts[e.since>>shift&last]
			next[*at] = e
			*at++
		}
		all, next = next, all
	}
	return all
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

// parse parses a record into p, which is zero. After an error, it still is.
func (r *presenceReader) parse(raw string, p *driver.Presence) (err error) {
	if len(raw) < recordHead {
		return errRecord
	}
	lengths := raw[lengthsAt:]
	at := recordHead + int(lengths[0]) + int(lengths[1]) + int(lengths[2])<<8 + int(lengths[3])
	if at > len(raw) {
		return errRecord
	}
	message := raw[at:]
	switch format := raw[0]; format {
	case inMessagePack:
		if r.parseRest(message, p) {
			p.Since = parseSince(raw[1:])
			return nil
		}
		message = presenceStart(inMessagePack, driver.Exited.Name, r.group) + message
	case inJSON:
		message = presenceStart(inJSON, driver.Exited.Name, r.group) + message
	case encrypted:
	default:
		return errRecord
	}
	*p, err = r.parseMessage(message)
	return err
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

// parseRest parses the rest of a record in MessagePack into p, except for Since, much faster than
// parseMessage. It returns false, and leaves p as it is, if this version of Wye has not written it.
func (r *presenceReader) parseRest(rest string, p *driver.Presence) bool {
	const start, fields, meta, since = "\xa8presence", 0x83, "\xa4meta", "\xa5since"
	rest, ok := strings.CutPrefix(rest, start)
	if !ok || rest == "" || rest[0] != fields && rest[0] != fields+1 {
		return false
	}
	hasMeta := rest[0] == fields+1
	id, rest, ok := cutField(rest[1:], "\xa2id")
	if !ok {
		return false
	}
	key, rest, ok := cutField(rest, "\xa3key")
	if !ok {
		return false
	}
	r.meta = r.meta[:0]
	if hasMeta {
		if rest, ok = strings.CutPrefix(rest, meta); !ok {
			return false
		}
		var err error
		var after []byte
		if r.meta, after, err = payload.AppendValueJSON(r.meta, bytesOf(rest)); err != nil {
			return false
		}
		rest = rest[len(rest)-len(after):]
	}
	if !strings.HasPrefix(rest, since) {
		return false
	}
	p.ID, p.Key = r.memory.text(id), r.memory.text(key)
	if hasMeta {
		p.Meta = r.memory.copyOf(r.meta)
	}
	return true
}

// cutField returns the value of the field that s starts with, a short text in MessagePack, and what
// follows it.
func cutField(s, name string) (text, rest string, ok bool) {
	if s, ok = strings.CutPrefix(s, name); !ok {
		return "", "", false
	}
	return cutPacked(s)
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
