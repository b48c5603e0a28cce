package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// arrivals is what an intake knows about the messages that arrive, whatever its transport.
type arrivals struct {
	server *server
	failed <-chan error // gets the error of the connection, and is closed when it has ended

	ended    chan struct{} // closed by end
	ending   sync.Once
	received atomic.Int64    // messages
	waiting  atomic.Bool     // an inbox is full, so that the connection is not read
	probes   chan probeCount // the probe that has come back last
}

func newArrivals(s *server) *arrivals {
	return &arrivals{server: s, ended: make(chan struct{}), probes: make(chan probeCount, 1)}
}

// end has put return.
func (a *arrivals) end() { a.ending.Do(func() { close(a.ended) }) }

func (a *arrivals) failure() <-chan error { return a.failed }

// errIntakeClosed means that a connection through which events arrive has ended.
var errIntakeClosed = errors.New("the connection that receives events has been closed")

// closedErr returns the error of an intake whose connection has ended because of cause. A server
// that has answered with an error, as one that has become a replica does, is down as a whole.
func closedErr(cause error) error {
	if reply, ok := rueidis.IsRedisErr(cause); ok {
		return reply
	}
	if cause == nil {
		cause = rueidis.ErrClosing
	}
	return fmt.Errorf("%w: %w", errIntakeClosed, cause)
}

// watch returns why the server is down: when the connection of its intake has ended, or when a
// probe has failed. It returns nil when ctx has ended.
func (s *server) watch(ctx context.Context) error {
	s.mu.Lock()
	in := s.mu.intake
	s.mu.Unlock()
	defer in.close()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-in.failure():
			return closedErr(err)
		case <-s.moved:
			return errMoved
		case <-tick.C:
			c := s.commands.Load()
			if err := in.probe(ctx, c); err != nil {
				if !errors.Is(err, errIntakeClosed) {
					c.conns.cut() // otherwise close waits a second for a silent server
				}
				return err
			}
			s.changeAgain(ctx, in, c)
		}
	}
}

// probeCount numbers the probes of an intake.
type probeCount int64

const (
	// probeEvery is the time between probes.
	probeEvery = 2 * time.Second
	// probeTimeout is how long a probe may be under way. A server that has become silent is
	// found after both times at the latest.
	probeTimeout = 5 * time.Second
)

// probeThrough checks the server's role, sends a probe with its number, and waits until it has
// arrived. It finds servers that are silent, and those that answer but that others no longer
// send to: a replica, or a master that has been replaced. While other messages arrive, or wait
// for this node, the probe only tells how long they take.
func (a *arrivals) probeThrough(ctx context.Context, c *commands, send func(ctx context.Context, number string) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errSilent)
	defer cancel()
	received := a.received.Load()
	if err := checkRole(c.Do(ctx, c.B().Arbitrary("HELLO", "3").Build())); err != nil {
		return a.outcome(ctx, err, received)
	}
	began := time.Now()
	if err := send(ctx, strconv.FormatInt(began.UnixNano(), 10)); err != nil {
		return a.outcome(ctx, a.server.permission(err), received)
	}
	for {
		select {
		case got := <-a.probes:
			if got == probeCount(began.UnixNano()) {
				a.server.lag.Store(int64(time.Since(began)))
				return nil
			}
		case err := <-a.failed:
			return closedErr(err)
		case <-ctx.Done():
			return a.outcome(ctx, context.Cause(ctx), received)
		}
	}
}

var errSilent = fmt.Errorf("it has been silent for %v", probeTimeout)

// outcome returns the error of a probe that has failed with err.
func (a *arrivals) outcome(ctx context.Context, err error, received int64) error {
	if ctx.Err() == nil {
		return err
	}
	if !errors.Is(context.Cause(ctx), errSilent) {
		return context.Cause(ctx)
	}
	if a.received.Load() != received || a.waiting.Load() {
		a.server.lag.Store(int64(probeTimeout))
		return nil
	}
	return errSilent
}

// noteProbe notes that a probe has arrived.
func (a *arrivals) noteProbe(number string) {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return // somebody else has sent it
	}
	select {
	case a.probes <- probeCount(n):
	default: // one that nobody waits for any longer is there
	}
}
