package layers

import (
	"fmt"
	"log/slog"
	"path"
	"time"
)

// What a named channel holds if nothing else is said, as in Channels.
const (
	queueCapacity = 100
	queueExpiry   = 60 * time.Second
)

// ChannelLimit bounds the events that wait in a named channel until a worker takes
// them. It counts for each channel whose name matches, not for all of them
// together.
type ChannelLimit struct {
	// Pattern is the name of a channel, or several: * stands for any text, ? for
	// any character, [a-f] for one of these, as in path.Match.
	Pattern string
	// Capacity is how many events wait. Send returns ErrFull for the next one.
	// Default 100.
	Capacity int
	// Expiry is how long an event waits. Then it is dropped, and counted in
	// Stats.Expired. Default one minute.
	Expiry time.Duration
}

// LocalOptions are those of a layer without a driver. memory.NewWith takes them.
type LocalOptions struct {
	// Channels bound the named channels. The first whose Pattern matches a name
	// counts; a channel that none matches has the defaults of ChannelLimit.
	Channels []ChannelLimit
	// Logger gets a line when events expire: at most one a minute, with their
	// number since the last. Default slog.Default().
	Logger *slog.Logger
}

// NewLocal returns a layer of this process only. o may be nil. A Pattern that
// path.Match refuses, a negative Capacity and a negative Expiry panic.
func NewLocal(o *LocalOptions) *Layer {
	l := new(Layer)
	if o == nil {
		return l
	}
	for i, c := range o.Channels {
		if _, err := path.Match(c.Pattern, ""); err != nil || c.Pattern == "" {
			panic(fmt.Sprintf("wye: layers.NewLocal: Channels[%d].Pattern is %q, which is no pattern of path.Match", i, c.Pattern))
		}
		if c.Capacity < 0 || c.Expiry < 0 {
			panic(fmt.Sprintf("wye: layers.NewLocal: Channels[%d] of %q has a Capacity of %d and an Expiry of %v; none may be negative",
				i, c.Pattern, c.Capacity, c.Expiry))
		}
		l.queues.limits = append(l.queues.limits, c.withDefaults())
	}
	l.queues.logger = o.Logger
	return l
}

func (c ChannelLimit) withDefaults() ChannelLimit {
	if c.Capacity == 0 {
		c.Capacity = queueCapacity
	}
	if c.Expiry == 0 {
		c.Expiry = queueExpiry
	}
	return c
}

// limitOf returns the limit of a channel.
func (q *queues) limitOf(channel string) ChannelLimit {
	for _, c := range q.limits {
		if ok, _ := path.Match(c.Pattern, channel); ok { //nolint:errcheck // NewLocal has looked at it
			return c
		}
	}
	return ChannelLimit{}.withDefaults()
}

// expiryLog says that events have expired, once a minute at the most.
type expiryLog struct {
	channel string    // the last one
	events  int64     // that have expired and are not logged
	next    time.Time // when a line may be written
}

func (x *expiryLog) add(channel string) {
	x.channel = channel
	x.events++
}

// due returns what is to be logged now.
func (x *expiryLog) due(now time.Time) (line expiryLog, ok bool) {
	if x.events == 0 || now.Before(x.next) {
		return line, false
	}
	line = *x
	*x = expiryLog{next: now.Add(time.Minute)}
	return line, true
}

// report logs that events have expired, if it is time. No lock is held.
func (q *queues) report() {
	q.mu.Lock()
	line, ok := q.mu.expiries.due(time.Now())
	q.mu.Unlock()
	if !ok {
		return
	}
	logger := q.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("wye: events waited in a named channel until they expired; is its worker running?",
		"channel", line.channel, "events", line.events, "in_all", q.expired.Load())
}
