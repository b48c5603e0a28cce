package redis

import (
	"hash/maphash"
	"runtime"

	"github.com/wye-go/wye/layers/driver"
)

// inbox holds messages for one goroutine, which decodes and delivers them. Those of one group
// are in one inbox, so that they are delivered in order.
type inbox struct {
	driver  *Driver
	packets chan packet
	streams map[string]*stream // of recorded events, by group
}

// packet is a message that has arrived.
type packet struct {
	name    string // of the group or the consumer's channel
	direct  bool   // it is for a consumer's channel
	message []byte

	control func() // called by the goroutine of the inbox; then there is no message
}

// inboxSize is how many messages wait for each of the goroutines. If more arrive, the
// connection is not read, and Redis buffers them up to its client-output-buffer-limit.
const inboxSize = 256

//nolint:gochecknoglobals // a constant
var seed = maphash.MakeSeed()

// startInboxes starts a goroutine for each processor.
func (d *Driver) startInboxes() {
	for range runtime.GOMAXPROCS(0) {
		in := &inbox{d, make(chan packet, inboxSize), make(map[string]*stream)}
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

// deliver delivers what another node or Django has published, and recorded events of all nodes.
func (in *inbox) deliver(p packet) {
	if p.control != nil {
		p.control()
		return
	}
	d := in.driver
	if d.leaving.Load() {
		return
	}
	mark, sealed := d.unmask(p.message)
	plain, err := d.codec.Open(sealed, 0)
	if err == nil && mark == "" {
		mark = d.codec.MarkOf(plain)
	}
	if err == nil && mark == d.mark {
		return // its own: the layer has delivered it
	}
	var m driver.Message
	if err == nil {
		m, err = d.codec.Parse(plain)
	}
	at, recorded := positionOf(mark)
	switch {
	case err != nil:
		d.malformed.note(d, p, err)
	case p.direct:
		d.receiver.Channel(p.name, m.Event)
	case recorded:
		in.deliverRecorded(p.name, driver.AtPosition(m.Event, at))
	default:
		d.receiver.Group(p.name, m.Event)
	}
}
