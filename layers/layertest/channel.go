package layertest

import (
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// channel is a named channel: events that wait, or pullers that do.
type channel struct {
	waiting []waiting
	pullers []*puller
}

type waiting struct {
	letter letter
	until  time.Time
}

// puller is somebody who wants one event.
type puller struct {
	node *node
	got  chan pulled // has room for one
}

// pulled is what a puller gets.
type pulled struct {
	letter letter
	err    error
}

func (p pulled) read() (*protocol.Event, error) {
	if p.err != nil {
		return nil, p.err
	}
	return p.letter.read()
}

// keepLocked gives l to the puller that has waited longest, or keeps it.
func (b *Broker) keepLocked(name string, l letter) error {
	c := b.channelLocked(name)
	if len(c.pullers) == 0 && len(c.waiting) >= b.capacity {
		return layers.ErrFull
	}
	if b.losesLocked() {
		return nil
	}
	if len(c.pullers) > 0 {
		c.pullers[0].got <- pulled{letter: l}
		c.pullers = c.pullers[1:]
		return nil
	}
	c.waiting = append(c.waiting, waiting{l, time.Now().Add(b.expiry)})
	return nil
}

// pullLocked returns a puller, who may have got something already.
func (b *Broker) pullLocked(n *node, name string) *puller {
	p := &puller{node: n, got: make(chan pulled, 1)}
	c := b.channelLocked(name)
	if len(c.waiting) == 0 {
		c.pullers = append(c.pullers, p)
		return p
	}
	p.got <- pulled{letter: c.waiting[0].letter}
	c.waiting = c.waiting[1:]
	return p
}

// channelLocked finds or makes a channel, and drops what has expired in it.
func (b *Broker) channelLocked(name string) *channel {
	c := b.mu.channels[name]
	if c == nil {
		c = &channel{}
		b.mu.channels[name] = c
	}
	for len(c.waiting) > 0 && !time.Now().Before(c.waiting[0].until) {
		c.waiting = c.waiting[1:]
	}
	return c
}

// withdraw takes p out of the line. It reports false if p is not there any more,
// because it has got something.
func (b *Broker) withdraw(name string, p *puller) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.channelLocked(name)
	before := len(c.pullers)
	c.pullers = without(c.pullers, p)
	return len(c.pullers) < before
}

// dismissLocked sends all pullers of a node away.
func (b *Broker) dismissLocked(n *node, why error) {
	for _, c := range b.mu.channels {
		var rest []*puller
		for _, p := range c.pullers {
			if p.node == n {
				p.got <- pulled{err: why}
			} else {
				rest = append(rest, p)
			}
		}
		c.pullers = rest
	}
}
