package layers

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
)

// queues are the named channels of a process. The zero value is empty, and has
// the default limits.
type queues struct {
	full, expired atomic.Int64
	limits        []ChannelLimit // fixed when the layer is made, as the logger is
	logger        *slog.Logger   // nil: slog.Default()

	mu struct {
		sync.Mutex
		byName   map[string]*queue
		sweep    time.Time // when to look at all of them
		expiries expiryLog
	}
}

// queue is a named channel: events that wait, or pullers that do.
type queue struct {
	name    string
	limit   ChannelLimit
	waiting []waiting
	pullers []chan *protocol.Event // each has room for one
}

type waiting struct {
	event *protocol.Event
	until time.Time
}

// put gives e to the puller that has waited longest, or keeps it.
func (q *queues) put(channel string, e *protocol.Event) error {
	defer q.report()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweep()
	c := q.channel(channel)
	if len(c.pullers) > 0 {
		c.pullers[0] <- e
		c.pullers = c.pullers[1:]
		q.tidy(channel, c)
		return nil
	}
	q.expire(c)
	if len(c.waiting) >= c.limit.Capacity {
		q.full.Add(1)
		return ErrFull
	}
	c.waiting = append(c.waiting, waiting{e, time.Now().Add(c.limit.Expiry)})
	return nil
}

// pull takes the oldest event, or waits for one.
func (q *queues) pull(ctx context.Context, channel string) (*protocol.Event, error) {
	e, mine := q.take(channel)
	q.report()
	if e != nil {
		return e, nil
	}
	select {
	case e := <-mine:
		return e, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.channel(channel)
	for i, p := range c.pullers {
		if p == mine {
			c.pullers = append(c.pullers[:i:i], c.pullers[i+1:]...)
			q.tidy(channel, c)
			return nil, context.Cause(ctx)
		}
	}
	q.tidy(channel, c)
	return <-mine, nil // it came meanwhile, and is nobody else's
}

// take takes the oldest event, or stands in line.
func (q *queues) take(channel string) (*protocol.Event, chan *protocol.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.channel(channel)
	q.expire(c)
	if len(c.waiting) == 0 {
		mine := make(chan *protocol.Event, 1)
		c.pullers = append(c.pullers, mine)
		return nil, mine
	}
	e := c.waiting[0].event
	c.waiting[0] = waiting{}
	c.waiting = c.waiting[1:]
	q.tidy(channel, c)
	return e, nil
}

// expire drops what has waited too long.
func (q *queues) expire(c *queue) {
	now := time.Now()
	for len(c.waiting) > 0 && !now.Before(c.waiting[0].until) {
		c.waiting[0] = waiting{}
		c.waiting = c.waiting[1:]
		q.expired.Add(1)
		q.mu.expiries.add(c.name)
	}
}

// sweep drops, now and then, what has waited too long where nobody pulls.
func (q *queues) sweep() {
	now := time.Now()
	if now.Before(q.mu.sweep) {
		return
	}
	q.mu.sweep = now.Add(queueExpiry)
	for name, c := range q.mu.byName {
		q.expire(c)
		q.tidy(name, c)
	}
}

func (q *queues) channel(name string) *queue {
	c := q.mu.byName[name]
	if c == nil {
		c = &queue{name: name, limit: q.limitOf(name)}
		if q.mu.byName == nil {
			q.mu.byName = make(map[string]*queue)
		}
		q.mu.byName[name] = c
	}
	return c
}

// tidy forgets a channel that holds nothing.
func (q *queues) tidy(name string, c *queue) {
	if len(c.waiting) == 0 && len(c.pullers) == 0 {
		delete(q.mu.byName, name)
	}
}
