package redis

import "sync/atomic"

// malformed counts messages that cannot be decoded. They have been encrypted with an unknown
// key, serialized otherwise, or published by a program that does not speak this format.
type malformed struct {
	count atomic.Int64
	log   rarely
}

func (m *malformed) note(d *Driver, p packet, err error) {
	dropped := m.count.Add(1)
	if !m.log.now() {
		return
	}
	d.logger().Error("wye: redis: a message could not be decoded and was dropped; "+
		"prefix, serializer and encryption keys must be equal on all nodes and in Django",
		"to", p.name, "bytes", len(p.message), "error", err, "dropped", dropped)
}
