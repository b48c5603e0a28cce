package redis

import (
	"hash/maphash"
	"runtime"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// inbox holds messages for one goroutine, which decodes and delivers them. Those of one group
// are in one inbox, so that they are delivered in order.
type inbox struct {
	driver  *Driver
	packets chan packet
	streams map[string]*stream // of recorded events, by group
	rosters map[string]*roster // by group
}

// packet is a message that has arrived.
type packet struct {
	name    string // of the group or the consumer's channel
	direct  bool   // it is for a consumer's channel
	message []byte
	mark    string // of message, if it was read before; otherwise ""

	event    *protocol.Event // of a message that has been decoded
	presence bool            // it is about a presence
	control  func()          // called by the goroutine of the inbox; then there is no message
}

// inboxSize is how many messages wait for each of the goroutines. If more arrive, the
// connection is not read, and Redis buffers them up to its client-output-buffer-limit.
const inboxSize = 256

//nolint:gochecknoglobals // a constant
var seed = maphash.MakeSeed()

// startInboxes starts a goroutine for each processor.
func (d *Driver) startInboxes() {
	for range runtime.GOMAXPROCS(0) {
		in := &inbox{d, make(chan packet, inboxSize), make(map[string]*stream), make(map[string]*roster)}
		d.inboxes = append(d.inboxes, in)
		d.running.Go(in.run)
	}
}

// inboxOf returns the inbox of a group or a consumer's channel.
func (d *Driver) inboxOf(name string) *inbox {
	return d.inboxes[maphash.String(seed, name)%uint64(len(d.inboxes))]
}

// put waits for room, until the intake is closed.
func (in *inbox) put(p packet, a *arrivals) {
	select {
	case <-a.ended:
		return
	default:
	}
	select {
	case in.packets <- p:
		return
	default:
	}
	a.waiting.Store(true)
	defer a.waiting.Store(false)
	select {
	case in.packets <- p:
	case <-a.ended:
	}
}

// run delivers until the driver is closed.
func (in *inbox) run() {
	for {
		select {
		case p := <-in.packets:
			in.deliver(p)
		case <-in.driver.ctx.Done():
			return
		}
	}
}

// deliver delivers what another node or Django has sent, and recorded events of all nodes.
func (in *inbox) deliver(p packet) {
	if p.control != nil {
		p.control()
		return
	}
	if in.driver.leaving.Load() || p.event == nil && !in.decode(&p) {
		return
	}
	switch {
	case p.direct:
		in.driver.receiver.Channel(p.name, p.event)
	case !p.event.Position().IsZero():
		in.deliverRecorded(p.name, p.event)
	case p.presence:
		in.deliverPresence(p.name, p.event)
	default:
		in.driver.receiver.Group(p.name, p.event)
	}
}

// decode decodes a message. It returns false for one that this node has sent itself, which the
// layer has delivered, and for one that cannot be decoded.
func (in *inbox) decode(p *packet) bool {
	d := in.driver
	mark, sealed := p.mark, p.message
	if mark == "" {
		mark, sealed = d.unmask(p.message)
	}
	plain, err := d.codec.Open(sealed, 0)
	if err == nil && mark == "" {
		mark = d.codec.MarkOf(plain)
	}
	if err == nil && mark == d.mark {
		return false
	}
	var m driver.Message
	if err == nil {
		m, err = d.codec.Parse(plain)
	}
	if err != nil {
		d.malformed.note(d, *p, err)
		return false
	}
	p.event, p.presence = m.Event, mark == markPrefix
	if at, recorded := positionOf(mark); recorded {
		p.event = driver.AtPosition(m.Event, at)
	}
	return true
}
