package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/redis/rueidis"
)

// subscriber is a connection that receives what is published.
type subscriber struct {
	server *server
	conn   rueidis.DedicatedClient
	failed <-chan error // gets the error of the connection

	ended    chan struct{} // closed by close
	end      sync.Once
	received atomic.Int64    // messages
	waiting  atomic.Bool     // an inbox is full, so that the connection is not read
	probes   chan probeCount // the probe that has come back last
}

// errSubscriberClosed means that the connection of a subscriber has ended.
var errSubscriberClosed = errors.New("the connection that receives events has been closed")

// channelsPerCommand is how many channels are subscribed to by one command. Redis does nothing
// else during a command.
const channelsPerCommand = 512

// openSubscriber opens a connection that receives events for the consumers of this node.
func (s *server) openSubscriber(ctx context.Context, c *commands) (*subscriber, error) {
	stop := context.AfterFunc(ctx, c.conns.cancel)
	defer stop()
	conn, _ := c.Dedicate()
	sub := &subscriber{server: s, conn: conn, ended: make(chan struct{}), probes: make(chan probeCount, 1)}
	sub.failed = conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: sub.onMessage})
	err := conn.Do(ctx, conn.B().Psubscribe().Pattern(s.driver.ownPattern()).Build()).Error()
	if err != nil {
		sub.close()
		return nil, s.permission(err)
	}
	return sub, nil
}

// close closes the connection. After it has returned, nothing more is put into inboxes.
func (sub *subscriber) close() {
	sub.end.Do(func() { close(sub.ended) })
	sub.conn.Close()
	for range sub.failed {
		continue // it is closed when no hook is called any longer
	}
}

// change subscribes to channels and unsubscribes from others.
func (sub *subscriber) change(ctx context.Context, add, drop []string) error {
	for some := range slices.Chunk(drop, channelsPerCommand) {
		if err := sub.conn.Do(ctx, sub.conn.B().Unsubscribe().Channel(some...).Build()).Error(); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(add, channelsPerCommand) {
		if err := sub.conn.Do(ctx, sub.conn.B().Subscribe().Channel(some...).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// onMessage is called by the goroutine that reads the connection, for each message.
func (sub *subscriber) onMessage(m rueidis.PubSubMessage) {
	sub.received.Add(1)
	d := sub.server.driver
	direct := m.Pattern != ""
	if direct && m.Channel == d.probeChannel() {
		sub.noteProbe(m.Message)
		return
	}
	p := packet{name: m.Channel, direct: direct, message: bytesOf(m.Message)}
	if !direct {
		p.name = m.Channel[len(d.settings.Prefix)+len(groupInfix):]
	}
	d.inboxOf(p.name).put(p, sub)
}

// bytesOf returns the bytes of s, which must not be changed.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // nothing changes them
}

// watch returns why the server is down: when the connection of its subscriber has ended, or
// when a probe has failed. It returns nil when ctx has ended.
func (s *server) watch(ctx context.Context) error {
	s.mu.Lock()
	sub := s.mu.sub
	s.mu.Unlock()
	defer sub.close()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-sub.failed:
			return fmt.Errorf("%w: %w", errSubscriberClosed, orEOF(err))
		case <-tick.C:
			if err := s.probe(ctx, sub); err != nil {
				return err
			}
		}
	}
}

func orEOF(err error) error {
	if err == nil {
		return rueidis.ErrClosing
	}
	return err
}

// probe probes the server through its subscriber.
func (s *server) probe(ctx context.Context, sub *subscriber) error {
	c := s.commands.Load()
	return sub.probe(ctx, c)
}

// probeCount numbers the probes of a subscriber.
type probeCount int64

const (
	// probeEvery is the time between probes.
	probeEvery = 2 * time.Second
	// probeTimeout is how long a probe may be under way. A server that has become silent is
	// found after both times at the latest.
	probeTimeout = 5 * time.Second
)

// probe publishes a message and waits until the subscriber has received it. It finds servers
// that are silent, and those that answer but that others no longer publish to: a replica, or a
// master that has been replaced. While other messages arrive, or wait for this node, the probe
// only tells how long they take.
func (sub *subscriber) probe(ctx context.Context, c *commands) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errSilent)
	defer cancel()
	received, began := sub.received.Load(), time.Now()
	n := strconv.FormatInt(began.UnixNano(), 10)
	replies := c.DoMulti(ctx,
		c.B().Arbitrary("HELLO", "3").Build(),
		c.B().Publish().Channel(sub.server.driver.probeChannel()).Message(n).Build())
	if err := checkRole(replies[0]); err != nil {
		return sub.outcome(ctx, err, received)
	}
	if err := replies[1].Error(); err != nil {
		return sub.outcome(ctx, sub.server.permission(err), received)
	}
	for {
		select {
		case got := <-sub.probes:
			if got == probeCount(began.UnixNano()) {
				sub.server.lag.Store(int64(time.Since(began)))
				return nil
			}
		case err := <-sub.failed:
			return fmt.Errorf("%w: %w", errSubscriberClosed, orEOF(err))
		case <-ctx.Done():
			return sub.outcome(ctx, context.Cause(ctx), received)
		}
	}
}

var errSilent = fmt.Errorf("it has been silent for %v", probeTimeout)

// outcome returns the error of a probe that has failed with err.
func (sub *subscriber) outcome(ctx context.Context, err error, received int64) error {
	if ctx.Err() == nil {
		return err
	}
	if !errors.Is(context.Cause(ctx), errSilent) {
		return context.Cause(ctx)
	}
	if sub.received.Load() != received || sub.waiting.Load() {
		sub.server.lag.Store(int64(probeTimeout))
		return nil
	}
	return errSilent
}

// noteProbe notes that a probe has come back.
func (sub *subscriber) noteProbe(message string) {
	n, err := strconv.ParseInt(message, 10, 64)
	if err != nil {
		return // somebody else has published it
	}
	select {
	case sub.probes <- probeCount(n):
	default: // one that nobody waits for any longer is there
	}
}
