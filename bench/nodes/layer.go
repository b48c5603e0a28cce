package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/bench/internal/hist"
	"github.com/wye-go/wye/bench/internal/node"
)

const (
	warmup       = 300 * time.Millisecond
	endPatience  = 10 * time.Second // for a node to end
	drainTimeout = 20 * time.Second // for messages under way
)

func after(d time.Duration) <-chan time.Time { return time.After(d) }

// size is a number of members of one group, and the load on it.
type size struct {
	members int
	// window and senders are for as many deliveries as possible: that many messages are
	// under way at most, and that many are being sent.
	window, senders int
	rate            float64 // messages a second for the latencies, the same for all systems
}

// layerSizes are the groups at the level of the layer.
func layerSizes() []size {
	return []size{
		{members: 1, window: 256, senders: 64, rate: 500},
		{members: 100, window: 64, senders: 16, rate: 100},
		{members: 10_000, window: 4, senders: 4, rate: 4},
	}
}

// split says where the members are. A single one is not where the sender is.
func (z size) split() (here, there int) { return z.members / 2, z.members - z.members/2 }

func (b *bench) layerRound(ctx context.Context, round int) {
	for _, z := range layerSizes() {
		for _, s := range systems {
			if s.layer == nil || !b.wants(s, z.members) || ctx.Err() != nil || s.most > 0 && z.members > s.most {
				continue
			}
			r, err := b.runLayer(ctx, s, z)
			if err != nil && !b.limited(ctx) {
				b.fail(fmt.Sprintf("%s, %d members at the layer", s.title, z.members), err)
			}
			if err != nil {
				continue
			}
			progressf("round %d, layer, %s, %d members: %v", round+1, s.name, z.members, r)
			b.Layer = append(b.Layer, r)
		}
	}
}

// runLayer does one run.
func (b *bench) runLayer(ctx context.Context, s *system, z size) (r layerResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	p, err := b.startPair(ctx, s)
	if err != nil {
		return r, err
	}
	defer func() {
		_, flushErr := b.redis.Do(context.WithoutCancel(ctx), "FLUSHALL")
		err = errors.Join(err, p.stop(), flushErr)
	}()
	here, there := z.split()
	if _, err = p.receiver.do(node.Request{Do: node.Join, Groups: 1, Members: there}); err != nil {
		return r, err
	}
	if _, err = p.sender.do(node.Request{Do: node.Join, Groups: 1, Members: here}); err != nil {
		return r, err
	}
	r = layerResult{System: s.name, Members: z.members}
	flood := node.Request{Senders: z.senders, Window: z.window, Acknowledge: max(z.window/4, 1)}
	if r.Flood, err = b.phase(ctx, p, z, flood, b.duration); err != nil {
		return r, err
	}
	paced := node.Request{Senders: z.senders, Rate: z.rate}
	r.Paced, err = b.phase(ctx, p, z, paced, 2*b.duration)
	return r, err
}

// phase has the nodes send for some time, and measures.
func (b *bench) phase(ctx context.Context, p *pair, z size, q node.Request, d time.Duration) (ph phase, err error) {
	here, there := z.split()
	if q.Peers = 1; here > 0 {
		q.Peers = 2
	}
	if _, err = p.sender.do(node.Request{Do: node.Expect, Acknowledge: q.Acknowledge, Members: here}); err != nil {
		return ph, err
	}
	if _, err = p.receiver.do(node.Request{Do: node.Expect, Acknowledge: q.Acknowledge, Members: there}); err != nil {
		return ph, err
	}
	q.Do = node.Start
	if _, err = p.sender.do(q); err != nil {
		return ph, err
	}
	if err = pause(ctx, warmup); err != nil {
		return ph, err
	}
	before, err := b.reading(p)
	if err != nil {
		return ph, err
	}
	if err = pause(ctx, d); err != nil {
		return ph, err
	}
	now, err := b.reading(p)
	if err != nil {
		return ph, err
	}
	ph = now.since(before)
	if q.Rate > 0 && ph.Sends < 0.9*q.Rate {
		ph.Behind = true
	}
	return ph, p.drain(ctx, here, there)
}

// drain ends the sending and waits until every message has been delivered to every member,
// exactly once.
func (p *pair) drain(ctx context.Context, here, there int) error {
	if _, err := p.sender.do(node.Request{Do: node.Stop}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		s, r, err := p.both(node.Request{Do: node.Stats})
		if err != nil {
			return err
		}
		wantHere, wantThere := s.Sends*int64(here), s.Sends*int64(there)
		if s.Deliveries == wantHere && r.Deliveries == wantThere {
			return nil
		}
		// There may be too many for a moment: a send counts when it has returned.
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d messages were sent; the members of the sender's node have received %d of %d, those of the other one %d of %d",
				s.Sends, s.Deliveries, wantHere, r.Deliveries, wantThere)
		}
	}
}

// reading is what has been used and delivered so far.
type reading struct {
	sender, receiver node.Reply
	at               time.Time
	redis            time.Duration
}

func (b *bench) reading(p *pair) (r reading, err error) {
	if r.sender, r.receiver, err = p.both(node.Request{Do: node.Stats}); err != nil {
		return r, err
	}
	r.at = time.Now()
	r.redis, err = b.redisCPU()
	return r, err
}

// since returns what has happened since an earlier reading. Each node's figures are for the
// time between its own replies.
func (r reading) since(before reading) phase {
	var ph phase
	var h hist.Histogram
	var user, system float64 // cores
	for _, n := range []struct{ now, before *node.Reply }{{&r.sender, &before.sender}, {&r.receiver, &before.receiver}} {
		ns := float64(n.now.At - n.before.At)
		ph.Sends += float64(n.now.Sends-n.before.Sends) / ns * 1e9
		ph.Deliveries += float64(n.now.Deliveries-n.before.Deliveries) / ns * 1e9
		if n.now == &r.sender {
			ph.SenderNs = float64(n.now.User+n.now.System-n.before.User-n.before.System) / ns * 1e9
		}
		user += float64(n.now.User-n.before.User) / ns
		system += float64(n.now.System-n.before.System) / ns
		h.AddCounts(n.now.Latencies)
	}
	if ph.Deliveries > 0 {
		ph.SenderNs /= ph.Deliveries
		ph.UserNs, ph.SystemNs = user*1e9/ph.Deliveries, system*1e9/ph.Deliveries
		ph.RedisNs = float64(r.redis-before.redis) / r.at.Sub(before.at).Seconds() / ph.Deliveries
	}
	ph.P50us, ph.P99us = float64(h.Quantile(0.50))/1e3, float64(h.Quantile(0.99))/1e3
	return ph
}
