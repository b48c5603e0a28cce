package memory

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// channels are the named channels of a hub.
type channels struct {
	logger  *slog.Logger // nil: slog.Default()
	expired atomic.Int64

	mu struct {
		sync.Mutex
		queues   store.Queues
		expiries expiries
	}
}

// expiries are the events that have expired and are not logged yet.
type expiries struct {
	channel string // the last one
	events  int64
	next    time.Time // when a line may be written
}

// noteExpired counts n events. The channels are locked.
func (c *channels) noteExpired(channel string, n int) {
	c.expired.Add(int64(n))
	c.mu.expiries.channel = channel
	c.mu.expiries.events += int64(n)
}

func (c *channels) push(channel string, e *protocol.Event) error {
	defer c.logExpired()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.queues.Push(channel, e, time.Now())
}

// pull takes the oldest event of a channel, and waits for it, unless closed returns an
// error. owner is for dismiss.
func (c *channels) pull(ctx context.Context, channel string, owner any, closed func() error) (*protocol.Event, error) {
	e, p, err := c.startPull(channel, owner, closed)
	c.logExpired()
	if p == nil {
		return e, err
	}
	return p.Wait(ctx, func(p *store.Puller) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.mu.queues.Withdraw(p)
	})
}

// startPull returns an event, or a puller that waits, unless the owner has been closed: then
// the puller would wait for ever.
func (c *channels) startPull(channel string, owner any, closed func() error) (*protocol.Event, *store.Puller, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := closed(); err != nil {
		return nil, nil, err
	}
	e, p := c.mu.queues.Pull(channel, owner, time.Now())
	return e, p, nil
}

// dismiss has all calls of owner's Pull return err.
func (c *channels) dismiss(owner any, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.queues.Dismiss(owner, err)
}

// logExpired logs that events have expired, once a minute at most. No lock is held.
func (c *channels) logExpired() {
	line, ok := c.dueLine(time.Now())
	if !ok {
		return
	}
	logger := c.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("wye: events waited in a named channel until they expired; is its worker running?",
		"channel", line.channel, "events", line.events, "in_all", c.expired.Load())
}

// dueLine returns what is to be logged now.
func (c *channels) dueLine(now time.Time) (line expiries, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := &c.mu.expiries
	if x.events == 0 || now.Before(x.next) {
		return line, false
	}
	line = *x
	*x = expiries{next: now.Add(time.Minute)}
	return line, true
}
