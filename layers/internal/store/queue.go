package store

import (
	"context"
	"slices"
	"time"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// Limit bounds the events that wait in one named channel.
type Limit struct {
	Capacity int           // how many events wait
	Expiry   time.Duration // how long each waits
}

// Queues are named channels: the events that wait in each, or the pullers that wait for
// one. It is not safe for concurrent use.
type Queues struct {
	// Limit returns the limit of a channel.
	Limit func(channel string) Limit
	// Expired is called when n events of a channel were dropped because they have
	// expired. It must not call the Queues. nil: nothing is called.
	Expired func(channel string, n int)

	byName    map[string]*queue
	nextSweep time.Time // when all queues are searched for expired events
}

// sweepEvery is how often Push searches channels without a puller for expired events.
const sweepEvery = time.Minute

// queue is one named channel. It has events or pullers, and not both.
type queue struct {
	name    string
	limit   Limit
	events  []queued
	pullers []*Puller
}

type queued struct {
	event *protocol.Event
	until time.Time
}

// Puller is a call of Pull that waits for one event.
type Puller struct {
	channel string
	owner   any
	result  chan pulled // has room for one
}

type pulled struct {
	event *protocol.Event
	err   error
}

// Push gives e to the puller that has waited longest, or keeps it. It returns
// driver.ErrChannelFull if the channel holds as many events as it may.
func (q *Queues) Push(channel string, e *protocol.Event, now time.Time) error {
	q.sweep(now)
	c := q.current(channel, now)
	switch {
	case len(c.pullers) > 0:
		c.pullers[0].result <- pulled{event: e}
		c.pullers[0] = nil
		c.pullers = c.pullers[1:]
		q.forgetEmpty(c)
	case c.isFull():
		return driver.ErrChannelFull
	default:
		c.events = append(c.events, queued{e, now.Add(c.limit.Expiry)})
	}
	return nil
}

// IsFull reports whether Push would return driver.ErrChannelFull.
func (q *Queues) IsFull(channel string, now time.Time) bool {
	c := q.current(channel, now)
	defer q.forgetEmpty(c)
	return c.isFull()
}

func (c *queue) isFull() bool { return len(c.pullers) == 0 && len(c.events) >= c.limit.Capacity }

// Pull returns the channel's oldest event, or a puller that waits for one. owner is for
// Dismiss.
func (q *Queues) Pull(channel string, owner any, now time.Time) (*protocol.Event, *Puller) {
	c := q.current(channel, now)
	if len(c.events) == 0 {
		p := &Puller{channel: channel, owner: owner, result: make(chan pulled, 1)}
		c.pullers = append(c.pullers, p)
		return nil, p
	}
	e := c.events[0].event
	c.drop(1)
	q.forgetEmpty(c)
	return e, nil
}

// Wait waits until p has an event, ctx is done, or p is dismissed. withdraw calls
// Queues.Withdraw with the lock held that guards the Queues.
func (p *Puller) Wait(ctx context.Context, withdraw func(*Puller) bool) (*protocol.Event, error) {
	select {
	case got := <-p.result:
		return got.event, got.err
	case <-ctx.Done():
	}
	if withdraw(p) {
		return nil, context.Cause(ctx)
	}
	got := <-p.result // it has arrived meanwhile, and no other puller has it
	return got.event, got.err
}

// Withdraw removes p from its channel. It reports false if p no longer waits, because it
// has a result.
func (q *Queues) Withdraw(p *Puller) bool {
	c := q.byName[p.channel]
	if c == nil {
		return false
	}
	i := slices.Index(c.pullers, p)
	if i < 0 {
		return false
	}
	c.pullers = slices.Delete(c.pullers, i, i+1)
	q.forgetEmpty(c)
	return true
}

// Dismiss has all pullers of owner that wait return err.
func (q *Queues) Dismiss(owner any, err error) {
	for _, c := range q.byName {
		c.pullers = slices.DeleteFunc(c.pullers, func(p *Puller) bool {
			if p.owner != owner {
				return false
			}
			p.result <- pulled{err: err}
			return true
		})
		q.forgetEmpty(c)
	}
}

// Len returns how many channels hold events or pullers.
func (q *Queues) Len() int { return len(q.byName) }

// sweep drops, once a minute, the expired events of all channels.
func (q *Queues) sweep(now time.Time) {
	if now.Before(q.nextSweep) {
		return
	}
	q.nextSweep = now.Add(sweepEvery)
	for _, c := range q.byName {
		q.dropExpired(c, now)
		q.forgetEmpty(c)
	}
}

func (q *Queues) dropExpired(c *queue, now time.Time) {
	n := 0
	for n < len(c.events) && !now.Before(c.events[n].until) {
		n++
	}
	c.drop(n)
	if n > 0 && q.Expired != nil {
		q.Expired(c.name, n)
	}
}

// drop drops the n oldest events.
func (c *queue) drop(n int) {
	clear(c.events[:n])
	c.events = c.events[n:]
}

// current returns the queue of a channel, without what has expired by now. The queue is
// added if there is none.
func (q *Queues) current(channel string, now time.Time) *queue {
	c := q.byName[channel]
	if c == nil {
		c = &queue{name: channel, limit: q.Limit(channel)}
		if q.byName == nil {
			q.byName = make(map[string]*queue)
		}
		q.byName[channel] = c
	}
	q.dropExpired(c, now)
	return c
}

// forgetEmpty removes a queue that holds nothing.
func (q *Queues) forgetEmpty(c *queue) {
	if len(c.events) == 0 && len(c.pullers) == 0 {
		delete(q.byName, c.name)
	}
}
