package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// reader is the intake of Core: a connection that waits for the events in this node's queue on a
// server, and a subscriber, because what scripts publish for the nodes of Wye, recorded events
// and presences, has no place in queues, which may be full. There is one for each server,
// because channels_redis sends to a single channel through the server that the hash of its whole
// name selects, which may be another one than that of the queue.
type reader struct {
	*arrivals

	transport  *core
	conn       rueidis.DedicatedClient
	scripts    intake       // of what scripts publish
	failures   <-chan error // of both connections
	registered []string     // groups in which the node was when the connection was opened
	known      bool         // the node has had a lease since
	renew      time.Time    // when memberships are renewed
	sweep      time.Time    // when dead nodes are looked for
}

// popAtOnce is how many events are taken out of the queue by one command.
const popAtOnce = "128"

// probeHead starts a probe in the queue. No event starts so, because its random bytes do not,
// nor does a serialized event without them.
const probeHead = "wye.probe:"

// errForgotten means that Redis has lost what it had stored about this node.
var errForgotten = errors.New("it has lost this node's memberships")

func (t *core) open(ctx context.Context, s *server, c *commands) (intake, error) {
	registered, err := c.Do(ctx, c.B().Smembers().Key(t.registeredKey(t.driver.node)).Build()).AsStrSlice()
	if err != nil {
		return nil, s.permission(err)
	}
	scripts, err := s.openSubscriber(ctx, c)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, c.conns.cancel)
	defer stop()
	conn, _ := c.Dedicate()
	failed := make(chan error, 1)
	r := &reader{
		arrivals: newArrivals(s), transport: t, conn: conn, scripts: scripts, registered: registered,
		renew: time.Now().Add(t.renewEvery()), sweep: time.Now().Add(t.sweepPause()),
	}
	r.failed = failed
	go r.run(failed)
	r.failures = either(failed, scripts.failure())
	return r, nil
}

// either returns a channel that gets the error of the first of two connections that ends.
func either(a, b <-chan error) <-chan error {
	first := make(chan error, 1)
	go func() {
		select {
		case err := <-a:
			first <- err
		case err := <-b:
			first <- err
		}
	}()
	return first
}

func (r *reader) failure() <-chan error { return r.failures }

// run takes events out of the queue until the connection ends.
func (r *reader) run(failed chan<- error) {
	defer close(failed)
	key := r.server.driver.queueKey(r.transport.home)
	for {
		// The second command is executed as soon as the first has returned an event, so that one
		// round trip takes all that has waited.
		replies := r.conn.DoMulti(r.server.driver.ctx,
			r.conn.B().Bzpopmin().Key(key).Timeout(0).Build(), r.conn.B().Arbitrary("ZPOPMIN").Keys(key).Args(popAtOnce).Build())
		first, err := replies[0].ToArray()
		if err == nil && len(first) != 3 {
			err = errors.New("the reply to BZPOPMIN is not one")
		}
		if err == nil {
			r.take(text(first[1]))
			var more []rueidis.ZScore
			more, err = replies[1].AsZScores()
			for _, m := range more {
				r.take(m.Member)
			}
		}
		if err != nil {
			failed <- r.server.permission(err)
			return
		}
	}
}

// close closes the connection. After it has returned, nothing more is put into inboxes.
func (r *reader) close() {
	r.scripts.close()
	r.end()
	r.conn.Close()
	for range r.failed {
		continue // it is closed when run has returned
	}
}

// take decodes a message of the queue and puts it into the inboxes of its channels.
func (r *reader) take(member string) {
	if number, ok := strings.CutPrefix(member, probeHead); ok {
		r.noteProbe(number)
		return
	}
	r.received.Add(1)
	m, err := r.decode(member)
	if err != nil {
		r.server.driver.malformed.note(r.server.driver, packet{name: r.transport.home, message: bytesOf(member)}, err)
		return
	}
	if m.Mark == r.server.driver.mark {
		return // its own: the layer has delivered it
	}
	for _, channel := range m.Channels {
		p := packet{name: channel, direct: true, event: m.Event}
		if group, ok := strings.CutPrefix(channel[len(r.transport.home):], groupLocal); ok {
			p.name, p.direct = group, false
		}
		r.server.driver.inboxOf(p.name).put(p, r.arrivals)
	}
}

// decode decodes a message of the queue, whose channels are all this node's.
func (r *reader) decode(member string) (driver.Message, error) {
	m, err := r.server.driver.decodeMember(r.transport.limitOf(r.transport.home), member)
	if err == nil && len(m.Channels) == 0 {
		err = fmt.Errorf("%w: it has no __asgi_channel__", protocol.ErrEventPayload)
	}
	for _, channel := range m.Channels {
		if !strings.HasPrefix(channel, r.transport.home) {
			err = fmt.Errorf("%w: it is for %q, a channel of another process", protocol.ErrEventPayload, channel)
		}
	}
	return m, err
}

// probe sends a probe through the queue, which also renews the node's lease. If Redis has lost
// the lease, it has lost memberships too. Then probe renews memberships that last no longer, and
// removes those of dead nodes.
func (r *reader) probe(ctx context.Context, c *commands) error {
	t, d := r.transport, r.server.driver
	if d.leaving.Load() {
		return nil
	}
	if err := r.scripts.probe(ctx, c); err != nil {
		return err
	}
	lost := false
	err := r.probeThrough(ctx, c, func(ctx context.Context, number string) error {
		had, err := coreProbe.Exec(ctx, c.Client, []string{t.leasesKey(), t.driver.queueKey(t.home)},
			[]string{
				d.node, wholeSeconds(t.lease), probeHead + number, wholeSeconds(t.limitOf(t.home).Expiry),
				wholeSeconds(d.settings.GroupExpiry),
			}).AsInt64()
		lost = err == nil && had == 0
		return err
	})
	switch {
	case err != nil:
		return err
	case lost && r.known:
		return fmt.Errorf("%w: %w", errIntakeClosed, errForgotten)
	}
	r.known = true
	r.tend(ctx, c)
	return nil
}
