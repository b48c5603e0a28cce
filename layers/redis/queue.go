package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// queues are the named channels of a driver. A channel is a sorted set, as in channels_redis's
// core layer: a member is a random prefix and an event, and its score is when it was added, in
// seconds. With several servers, a channel has a set on each.
type queues struct {
	pushes  atomic.Uint64 // spreads events over the servers
	takes   atomic.Uint64 // has another server be the first
	expired atomic.Int64

	ctx    context.Context //nolint:containedctx // ends what takes events, before the connections are closed
	cancel context.CancelFunc

	mu struct {
		sync.Mutex
		closed bool
		takers sync.WaitGroup // is not added to when closed is set
	}
}

var _ driver.Queuer = (*Driver)(nil)

// open prepares q. What takes events ends with ctx.
func (q *queues) open(ctx context.Context) { q.ctx, q.cancel = context.WithCancel(ctx) }

// close ends all calls of Pull, and waits until none of them has an event that it would have
// to give back, for closeGrace at most.
func (q *queues) close(ctx context.Context) {
	q.mu.Lock()
	q.mu.closed = true
	q.mu.Unlock()
	q.cancel()
	done := make(chan struct{})
	go func() {
		q.mu.takers.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-done:
	case <-ctx.Done():
	case <-timer.C:
	}
}

// closeGrace is how long Close waits until servers have ended what was waiting there.
const closeGrace = 5 * time.Second

// start calls f in n goroutines, with 0 to n-1, unless q is closed.
func (q *queues) start(n int, f func(i int)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return false
	}
	for i := range n {
		q.mu.takers.Go(func() { f(i) })
	}
	return true
}

// queueKey returns the key of a named channel.
func (d *Driver) queueKey(channel string) string {
	if d.isCluster() {
		return d.homeServer(channel).prefix + ":wye:queue:" + channel
	}
	return d.settings.Prefix + channel
}

// queueServers returns the servers that a named channel is on. In a cluster, it is one partition.
func (d *Driver) queueServers(channel string) []*server {
	if d.isCluster() {
		return []*server{d.homeServer(channel)}
	}
	return d.servers
}

// pushScript adds the event ARGV[1] to the channel KEYS[1], unless ARGV[3] events are there
// that are not older than ARGV[2] seconds. The key expires ARGV[4] seconds later. Events that
// are added in the same microsecond would be read in random order, and also those that follow
// a change of the clock by less than a second: they get the next score. The script returns how
// many events have expired, and whether the event was added. ZADD is the first command that
// writes: a server that is out of memory refuses it then, and only then.
//
//nolint:gochecknoglobals // a constant
var pushScript = newScript(`
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local oldest = string.format('%.17g', now - ARGV[2])
local added = 0
if redis.call('ZCOUNT', KEYS[1], '(' .. oldest, '+inf') < tonumber(ARGV[3]) then
  local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
  if last and last >= now and last < now + 1 then
    now = last + 0.000001
  end
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  added = 1
end
return {redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', oldest), added}`)

// Push adds e to a named channel: see [driver.Queuer]. With several servers, the events of a
// channel are spread over those that are up, and each holds as many events as Options.Channels
// says. The name of a consumer of channels_redis's Pub/Sub layer is not a named channel: e is
// published to that consumer.
func (d *Driver) Push(ctx context.Context, channel string, e *protocol.Event) error {
	if d.isPubSubConsumer(channel) {
		return d.Send(ctx, channel, e)
	}
	if err := d.usable(ctx); err != nil {
		return err
	}
	member, err := d.encodeMember(&driver.Message{Event: e})
	if err != nil {
		return err
	}
	s, c, err := d.nextServer(d.queueServers(channel))
	if err != nil {
		return err
	}
	limit := d.settings.limit(channel)
	reply, err := pushScript.Exec(ctx, c, []string{d.queueKey(channel)}, []string{
		member, seconds(limit.Expiry), strconv.Itoa(limit.Capacity), wholeSeconds(limit.Expiry),
	}).AsIntSlice()
	if err != nil {
		return d.callError(ctx, s, err)
	}
	d.queues.expired.Add(reply[0])
	if reply[1] == 0 {
		return driver.ErrChannelFull
	}
	return nil
}

// nextServer returns the next of servers that is up. If none is known to be, it returns the next
// one that may be.
func (d *Driver) nextServer(servers []*server) (*server, *commands, error) {
	first := int(d.queues.pushes.Add(1) % uint64(len(servers))) //nolint:gosec // less than the number of servers
	var errs []error
	for _, mayBeDown := range []bool{false, true} {
		for i := range servers {
			s := servers[(first+i)%len(servers)]
			if !mayBeDown && s.isDown() {
				continue
			}
			c, err := s.client()
			if err == nil {
				return s, c, nil
			}
			errs = append(errs, err)
		}
	}
	return nil, nil, errors.Join(errs...)
}

// isPubSubConsumer reports whether channel is the name of a consumer of channels_redis's
// Pub/Sub layer: the prefix, as a rule "specific.", and 32 hexadecimal digits.
func (d *Driver) isPubSubConsumer(channel string) bool {
	const digits = 32
	_, pubSub := d.transport.(*pubSub)
	rest, ok := strings.CutPrefix(channel, d.settings.Prefix)
	if !pubSub || d.settings.Sharded || !ok || len(rest) <= digits || rest[len(rest)-digits-1] != '.' {
		return false
	}
	return strings.Trim(rest[len(rest)-digits:], "0123456789abcdef") == ""
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// Expired returns how many events were dropped because they waited in a named channel for too
// long, as far as this node has dropped them. Redis removes a channel as a whole if nothing is
// added for that long; those events are not counted.
func (d *Driver) Expired() int64 { return d.queues.expired.Load() }

// Pull waits for an event in a named channel until ctx is done, removes the oldest one and
// returns it: see [driver.Puller]. With several servers it waits on all, also on those that
// are up only later. An event that arrives while ctx ends is returned, or added again with its
// old score. An event that cannot be decoded is dropped and logged.
func (d *Driver) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	for {
		if err := d.usable(ctx); err != nil {
			return nil, err
		}
		t, err := d.take(ctx, channel)
		if err != nil {
			return nil, err
		}
		e, err := d.decodeQueued(channel, t.member)
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, wire.ErrExpired):
			d.queues.expired.Add(1)
		default:
			d.malformed.note(d, packet{name: channel, message: bytesOf(t.member)}, err)
		}
	}
}

// tokenGrace is how much longer than its expiry an encrypted event is valid, as in
// channels_redis.
const tokenGrace = 10 * time.Second

// decodeQueued returns the event of a member of a named channel.
func (d *Driver) decodeQueued(channel, member string) (*protocol.Event, error) {
	m, err := d.decodeMember(d.settings.limit(channel), member)
	return m.Event, err
}

// decodeMember returns the message of a member of a queue with this limit.
func (d *Driver) decodeMember(limit ChannelLimit, member string) (driver.Message, error) {
	n := d.settings.RandomPrefixLength
	if len(member) < n {
		return driver.Message{}, fmt.Errorf("%w: it is shorter than its random prefix of %d bytes", protocol.ErrEventPayload, n)
	}
	plain, err := d.codec.Open(bytesOf(member[n:]), limit.Expiry.Truncate(time.Second)+tokenGrace)
	if err != nil {
		return driver.Message{}, err
	}
	return d.codec.Parse(plain)
}

// encodeMember returns m as a member of a queue: behind random bytes, so that equal messages
// are different members.
func (d *Driver) encodeMember(m *driver.Message) (string, error) {
	b := make([]byte, d.settings.RandomPrefixLength, 256)
	rand.Read(b)
	b, err := d.codec.Append(b, m)
	return rueidis.BinaryString(b), err
}
