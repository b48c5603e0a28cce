package redis

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
)

// taking is one call of Pull. On each server, a taker takes an event that is there, one server
// after the other, and then waits for one, on all servers. When a taker has an event, the
// others are unblocked, and give back what they may have taken at the same time. A taker never
// abandons a command that takes an event, so that none is lost.
type taking struct {
	driver  *Driver
	servers []*server // that the channel is on
	channel string
	key     string
	expiry  time.Duration

	ctx    context.Context //nolint:containedctx // ends when nothing more is to be taken
	cancel context.CancelFunc
	result chan taken      // has room for one
	turns  []chan struct{} // of each server: closed when those before it have no event
	left   atomic.Int64
	ended  chan struct{} // closed when the last taker has ended

	mu struct {
		sync.Mutex
		closed bool // there is a result, or nobody waits for one
		down   map[*server]struct{}
	}
}

// taken is an event that has been removed from a channel, or an error.
type taken struct {
	member string
	score  float64
	err    error
}

var errNothing = errors.New("there was no event")

// take removes an event from a channel and returns it.
func (d *Driver) take(ctx context.Context, channel string) (taken, error) {
	t := &taking{
		driver: d, servers: d.queueServers(channel), channel: channel, key: d.queueKey(channel), expiry: d.settings.limit(channel).Expiry,
		result: make(chan taken, 1), ended: make(chan struct{}),
	}
	t.mu.down = make(map[*server]struct{})
	t.left.Store(int64(len(t.servers)))
	t.ctx, t.cancel = context.WithCancel(d.queues.ctx)
	defer t.cancel()
	for range t.servers {
		t.turns = append(t.turns, make(chan struct{}))
	}
	close(t.turns[0])
	first := int(d.queues.takes.Add(1) % uint64(len(t.servers))) //nolint:gosec // less than the number of servers
	if !d.queues.start(len(t.servers), func(i int) { t.run(i, t.servers[(first+i)%len(t.servers)]) }) {
		return taken{}, driver.ErrLayerClosed
	}
	select {
	case got := <-t.result:
		return got, got.err
	case <-ctx.Done():
	case <-d.queues.ctx.Done():
	}
	if got, ok := t.abandon(); ok {
		return got, nil
	}
	if err := d.usable(ctx); err != nil {
		return taken{}, err
	}
	return taken{}, driver.ErrLayerClosed
}

// unblockGrace is how long a call of Pull whose ctx has ended waits for the servers to say
// that they have given it no event. After that, events are given back without it.
const unblockGrace = 500 * time.Millisecond

// abandon ends the takers. It returns what one of them has taken meanwhile.
func (t *taking) abandon() (got taken, ok bool) {
	t.cancel()
	timer := time.NewTimer(unblockGrace)
	defer timer.Stop()
	select {
	case got = <-t.result:
		return got, got.err == nil
	case <-t.ended:
	case <-timer.C:
	}
	t.mu.Lock()
	t.mu.closed = true
	t.mu.Unlock()
	select {
	case got = <-t.result:
		return got, got.err == nil
	default:
		return taken{}, false
	}
}

// deliver makes got the result, unless there is one or nobody waits for it.
func (t *taking) deliver(got taken) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return false
	}
	t.mu.closed = true
	t.result <- got
	t.cancel()
	return true
}

// waitForTurn waits until taker i may take an event that is there. It does not wait long for a
// server that is silent.
func (t *taking) waitForTurn(i int) {
	timer := time.NewTimer(turnTimeout)
	defer timer.Stop()
	select {
	case <-t.turns[i]:
	case <-timer.C:
	case <-t.ctx.Done():
	}
}

const turnTimeout = 100 * time.Millisecond

// endTurn lets the next taker take an event.
func (t *taking) endTurn(i int) {
	if i+1 < len(t.turns) {
		close(t.turns[i+1])
	}
}

// run is taker i: it takes an event from s.
func (t *taking) run(i int, s *server) {
	defer func() {
		if t.left.Add(-1) == 0 {
			close(t.ended)
		}
	}()
	if i > 0 {
		t.waitForTurn(i)
	}
	endTurn := sync.OnceFunc(func() { t.endTurn(i) })
	defer endTurn()
	var pauses backoff
	for t.ctx.Err() == nil {
		got, err := t.takeFrom(s, endTurn)
		switch {
		case err == nil:
			if !t.deliver(got) {
				t.giveBack(s, got)
			}
			return
		case errors.Is(err, errNothing):
			pauses = backoff{}
		case t.ctx.Err() != nil:
			return
		case t.noteDown(s):
			t.deliver(taken{err: t.errorOf(s, err)})
			return
		default:
			pauses.wait(t.ctx)
		}
	}
}

// errorOf returns the error of Pull if err is that of s.
func (t *taking) errorOf(s *server, err error) error {
	if errors.Is(err, driver.ErrDown) || errors.Is(err, driver.ErrLayerClosed) {
		return err // of server.client
	}
	return t.driver.callError(context.Background(), s, err)
}

// noteDown notes that s cannot be used, and reports whether no other server can be either.
func (t *taking) noteDown(s *server) (all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.down[s] = struct{}{}
	return len(t.mu.down) == len(t.servers)
}

func (t *taking) noteUp(s *server) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.down, s)
}

// takeFrom takes an event from a server, and waits for it there. It calls endTurn before it
// waits.
func (t *taking) takeFrom(s *server, endTurn func()) (taken, error) {
	c, err := s.client()
	if err != nil {
		endTurn()
		return taken{}, err
	}
	got, err := t.takeNow(c)
	if err == nil {
		return got, nil // the turn ends when it is the result
	}
	endTurn()
	if !errors.Is(err, errNothing) {
		return got, err
	}
	t.noteUp(s)
	return t.takeLater(c)
}

// takeScript removes the events of the channel KEYS[1] that are older than ARGV[1] seconds,
// and the oldest of the others. It returns how many have expired, and that event and its score.
//
//nolint:gochecknoglobals // a constant
var takeScript = newScript(`
local t = redis.call('TIME')
local expired = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', t[1] + t[2] / 1000000 - ARGV[1])
local first = redis.call('ZPOPMIN', KEYS[1])
return {expired, first[1] or false, first[2] or false}`)

// takeNow takes an event that is there already.
func (t *taking) takeNow(c *commands) (taken, error) {
	reply, err := takeScript.Exec(context.Background(), c, []string{t.key}, []string{seconds(t.expiry)}).ToArray()
	if err != nil {
		return taken{}, err
	}
	if expired, err := reply[0].AsInt64(); err == nil {
		t.driver.queues.expired.Add(expired)
	}
	return parseTaken(reply[1:])
}

// parseTaken parses an event and its score.
func parseTaken(reply []rueidis.RedisMessage) (got taken, err error) {
	if got.member, err = reply[0].ToString(); err != nil {
		if rueidis.IsRedisNil(err) {
			err = errNothing
		}
		return taken{}, err
	}
	got.score, err = reply[1].AsFloat64()
	return got, err
}

// takeLater waits for an event on a connection of its own. When t.ctx ends, it returns what
// the server has sent until then, or errNothing.
func (t *taking) takeLater(c *commands) (taken, error) {
	conn, release := c.Dedicate()
	defer release()
	id, err := conn.Do(context.Background(), conn.B().ClientId().Build()).AsInt64()
	if err != nil {
		return taken{}, err
	}
	waiting, over := context.WithCancel(context.Background())
	unblocked := make(chan struct{})
	stop := context.AfterFunc(t.ctx, func() {
		defer close(unblocked)
		unblock(waiting, c, conn, id)
	})
	reply, err := conn.Do(context.Background(), conn.B().Bzpopmin().Key(t.key).Timeout(0).Build()).ToArray()
	over()
	if !stop() {
		<-unblocked // so that it does not unblock the connection's next user
	}
	if rueidis.IsRedisNil(err) {
		return taken{}, errNothing
	}
	if err != nil {
		return taken{}, err
	}
	return parseTaken(reply[1:])
}

// unblock ends the command for which the connection with this id waits, until ctx is done. The
// command may arrive at the server only after the first attempts.
func unblock(ctx context.Context, c *commands, conn rueidis.DedicatedClient, id int64) {
	for pause := time.Millisecond; ctx.Err() == nil; pause = min(2*pause, lastUnblockPause) {
		err := c.Do(ctx, c.B().ClientUnblock().ClientId(id).Build()).Error()
		if isReply(err) {
			conn.Close() // the user may not unblock it
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

const lastUnblockPause = 100 * time.Millisecond

// giveBack adds an event to its channel again, with its old score.
func (t *taking) giveBack(s *server, got taken) {
	ctx, cancel := context.WithTimeout(t.driver.ctx, giveBackTimeout)
	defer cancel()
	var pauses backoff
	for {
		err := t.giveBackNow(ctx, s, got)
		if err == nil {
			return
		}
		if !pauses.wait(ctx) {
			s.logger().Error("wye: redis: an event may have been lost: it was taken from a named channel when nobody waited for it any longer, "+
				"and could not be added again", "channel", t.channel, "error", err)
			return
		}
	}
}

// giveBackTimeout is how long it is tried to give an event back.
const giveBackTimeout = 10 * time.Second

func (t *taking) giveBackNow(ctx context.Context, s *server, got taken) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	expire, err := strconv.ParseInt(wholeSeconds(t.expiry), 10, 64)
	if err != nil {
		return err
	}
	for _, reply := range c.DoMulti(ctx,
		c.B().Zadd().Key(t.key).ScoreMember().ScoreMember(got.score, got.member).Build(),
		c.B().Expire().Key(t.key).Seconds(expire).Build()) {
		if err := reply.Error(); err != nil {
			return err
		}
	}
	return nil
}
