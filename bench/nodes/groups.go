package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/node"
	"github.com/wye-go/wye/bench/internal/probe"
	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

const (
	manyGroups  = 10_000 // with one member each
	manyMembers = 10_000 // of one group
	// outage is how long Redis is away.
	outage = time.Second
	// wholeTimeout is how long the nodes may need to be whole again.
	wholeTimeout = 20 * time.Second
	// groupChannel starts the names of the channels of Redis that groups have.
	groupChannel = "asgi__group__"
)

func (b *bench) groupRound(ctx context.Context, round int) {
	for _, s := range systems {
		if s.name != "wye" || !b.wants(s, manyGroups) || ctx.Err() != nil {
			continue
		}
		r, err := b.runGroups(ctx, s)
		if err != nil && !b.limited(ctx) {
			b.fail(fmt.Sprintf("%s, %d groups", s.title, manyGroups), err)
		}
		if err != nil {
			continue
		}
		progressf("round %d, groups, %s: %+v", round+1, s.name, r)
		b.Groups = append(b.Groups, r)
	}
}

// runGroups has a node with many groups, and another one that sends.
func (b *bench) runGroups(ctx context.Context, s *system) (r groupResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	sample := filepath.Join(b.temp, "sample")
	p, err := b.startPair(ctx, s, probe.Env+"="+sample)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err = b.joinGroups(ctx, p.receiver, sample, &r); err != nil {
		return r, err
	}
	if err = b.restart(ctx, p, &r); err != nil {
		return r, err
	}
	err = b.joinMembers(ctx, p.receiver, &r)
	return r, err
}

// joinGroups has the node join many groups, and measures what each takes.
func (b *bench) joinGroups(ctx context.Context, d *driven, sample string, r *groupResult) error {
	before, err := b.memory(ctx, d, sample)
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := d.do(node.Request{Do: node.Join, Groups: manyGroups, Members: 1}); err != nil {
		return err
	}
	r.Groups, r.JoinSeconds = manyGroups, time.Since(start).Seconds()
	now, err := b.memory(ctx, d, sample)
	if err != nil {
		return err
	}
	r.HeapPerGroup = (now.heap - before.heap) / manyGroups
	r.RSSPerGroup = (now.rss - before.rss) / manyGroups
	r.RedisPer = (now.redis - before.redis) / manyGroups
	return nil
}

// memory is bytes.
type memory struct{ heap, rss, redis float64 }

func (b *bench) memory(ctx context.Context, d *driven, sample string) (m memory, err error) {
	if _, err := d.do(node.Request{Do: node.Stats}); err != nil { // it has started
		return m, err
	}
	s, err := probe.Ask(ctx, d.process.PID(), sample)
	if err != nil {
		return m, err
	}
	p, err := load.ReadProcess(d.process.PID())
	if err != nil {
		return m, err
	}
	info, err := b.redis.Do(ctx, "INFO", "memory")
	if err != nil {
		return m, err
	}
	used := regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(redistest.Text(info))
	if used == nil {
		return m, errors.New("redis-server does not say how much memory it uses")
	}
	m = memory{heap: float64(s.Heap), rss: float64(p.RSS)}
	m.redis, err = strconv.ParseFloat(used[1], 64)
	return m, err
}

// restart kills Redis and starts it again, and measures how long it takes until every group
// receives and the other node can send.
func (b *bench) restart(ctx context.Context, p *pair, r *groupResult) error {
	if _, err := p.receiver.do(node.Request{Do: node.Expect}); err != nil {
		return err
	}
	b.redis.Kill()
	if err := pause(ctx, outage); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	accepted := make(chan time.Time, 1)
	go func() { accepted <- acceptsAt(ctx, b.redis.Addr()) }()
	if err := b.redis.Start(); err != nil {
		return err
	}
	at := <-accepted
	sends := make(chan time.Time, 1)
	go func() { sends <- sendsAt(ctx, p.sender) }()
	if err := b.publishToAll(ctx); err != nil {
		return err
	}
	for {
		n, err := p.receiver.do(node.Request{Do: node.Stats})
		if err != nil {
			return err
		}
		if n.Heard == manyGroups {
			r.WholeSeconds = time.Unix(0, n.HeardAt).Sub(at).Seconds()
			break
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d groups have received after the restart: %w", n.Heard, manyGroups, err)
		}
	}
	r.SendSeconds = (<-sends).Sub(at).Seconds()
	return ctx.Err()
}

// acceptsAt returns when a server accepts, which it does not yet.
func acceptsAt(ctx context.Context, addr string) time.Time {
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = c.Close() // it was only about the accept
			return time.Now()
		}
		if pause(ctx, 2*time.Millisecond) != nil {
			return time.Now()
		}
	}
}

// sendsAt returns when a node's sends succeed.
func sendsAt(ctx context.Context, d *driven) time.Time {
	for {
		if _, err := d.do(node.Request{Do: node.Send}); err == nil || pause(ctx, 10*time.Millisecond) != nil {
			return time.Now()
		}
	}
}

// publishToAll publishes to every group, as Django does, until somebody has received it.
func (b *bench) publishToAll(ctx context.Context) error {
	c, err := b.redis.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	message := driver.Message{Event: protocol.EventType[map[string]any]{Name: "bench.said"}.New(map[string]any{"t": 0, "text": node.Text})}
	body, err := message.Append(nil)
	if err != nil {
		return err
	}
	missing := make([]int, manyGroups)
	for i := range missing {
		missing[i] = i
	}
	for len(missing) > 0 {
		if missing, err = publishTo(ctx, c, missing, string(body)); err != nil {
			return err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("%d groups are not subscribed to: %w", len(missing), err)
		}
	}
	return nil
}

// publishTo publishes to some groups and returns those that nobody receives.
func publishTo(ctx context.Context, c *redistest.Conn, groups []int, body string) (missing []int, err error) {
	const batch = 1000
	for some := range slices.Chunk(groups, batch) {
		for _, i := range some {
			if err := c.Send("PUBLISH", groupChannel+node.GroupName(i), body); err != nil {
				return nil, err
			}
		}
		for _, i := range some {
			n, err := c.Receive(ctx)
			if err != nil {
				return nil, err
			}
			if n == int64(0) {
				missing = append(missing, i)
			}
		}
	}
	return missing, nil
}

// joinMembers has many members join one group, and counts the subscriptions.
func (b *bench) joinMembers(ctx context.Context, d *driven, r *groupResult) error {
	start := time.Now()
	if _, err := d.do(node.Request{Do: node.Join, First: manyGroups, Groups: 1, Members: manyMembers}); err != nil {
		return err
	}
	r.Members, r.MembersJoin = manyMembers, time.Since(start).Seconds()
	reply, err := b.redis.Do(ctx, "PUBSUB", "NUMSUB", groupChannel+node.GroupName(manyGroups))
	if err != nil {
		return err
	}
	pairs, ok := reply.([]any)
	if !ok || len(pairs) != 2 {
		return fmt.Errorf("PUBSUB NUMSUB: %v", reply)
	}
	if r.Subscriptions, ok = pairs[1].(int64); !ok {
		return fmt.Errorf("PUBSUB NUMSUB: %v", reply)
	}
	return nil
}
