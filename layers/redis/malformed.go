package redis

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// malformed counts messages that cannot be decoded. They have been encrypted with an unknown
// key, serialized otherwise, or published by a program that does not speak this format.
type malformed struct {
	count atomic.Int64
	next  atomic.Int64 // when the next one is logged, in Unix nanoseconds
}

// logMalformedEvery is the least time between two of these log lines.
const logMalformedEvery = time.Minute

func (m *malformed) note(d *Driver, p packet, err error) {
	count, now, next := m.count.Add(1), time.Now(), m.next.Load()
	if now.UnixNano() < next || !m.next.CompareAndSwap(next, now.Add(logMalformedEvery).UnixNano()) {
		return
	}
	log := d.settings.Logger
	if log == nil {
		log = slog.Default()
	}
	log.Error("wye: redis: a message could not be decoded and was dropped; "+
		"prefix, serializer and encryption keys must be equal on all nodes and in Django",
		"to", p.name, "bytes", len(p.message), "error", err, "dropped", count)
}
