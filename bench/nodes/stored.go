package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wye-go/wye/bench/internal/node"
	"github.com/wye-go/wye/internal/redistest"
)

const (
	missedEvents = 100    // by a member that joins
	presences    = 10_000 // in one group, half of them from each node
	entering     = 16     // at a time, at one node
	plainGroup   = node.CountedGroup + 1
	joinTimes    = 500
	presentTimes = 20
	countTimes   = 1000
)

// recorded is the group that events are recorded to.
func recorded() size { return size{members: 100, window: 64, senders: 16} }

// storedResult is about what a layer keeps for its groups.
type storedResult struct {
	System     string  `json:"system"`
	Record     phase   `json:"record"`
	EventBytes float64 `json:"event_bytes"` // in Redis
	Join       usage   `json:"join"`        // of one that has missed some events
	Enter      usage   `json:"enter"`       // of one presence
	Present    usage   `json:"present"`     // of reading all
	Count      usage   `json:"count"`
	// PresenceBytes are those in Redis. PlainBytes are, and PlainEnter is, for a group
	// whose presences can only be counted by reading them, if there is such a thing.
	PresenceBytes float64 `json:"presence_bytes"`
	PlainEnter    usage   `json:"plain_enter,omitzero"`
	PlainBytes    float64 `json:"plain_bytes,omitempty"`
}

// perEvent returns, for a time per delivery, that per event.
func (r *storedResult) perEvent(ns float64) float64 { return ns * float64(recorded().members) }

// usage is what one of some equal things takes, in nanoseconds.
type usage struct {
	WallNs  float64 `json:"wall_ns"`
	NodesNs float64 `json:"nodes_ns"` // CPU time of both nodes
	RedisNs float64 `json:"redis_ns"` // and of redis-server
}

// using measures n equal things, which f does.
func (b *bench) using(p *pair, n int, f func() error) (u usage, err error) {
	before, err := b.reading(p)
	if err != nil {
		return u, err
	}
	if err = f(); err != nil {
		return u, err
	}
	now, err := b.reading(p)
	cpu := func(r *reading) int64 { return r.sender.User + r.sender.System + r.receiver.User + r.receiver.System }
	return usage{
		WallNs:  float64(now.at.Sub(before.at)) / float64(n),
		NodesNs: float64(cpu(&now)-cpu(&before)) / float64(n),
		RedisNs: float64(now.redis-before.redis) / float64(n),
	}, err
}

func (b *bench) storedRound(ctx context.Context, round int) {
	for _, s := range systems {
		if !s.stores || !b.wants(s, recorded().members) || ctx.Err() != nil {
			continue
		}
		r, err := b.runStored(ctx, s)
		if err != nil && !b.limited(ctx) {
			b.fail(s.title+", history and presence", err)
		}
		if err != nil {
			continue
		}
		progressf("round %d, stored, %s: %+v", round+1, s.name, r)
		b.Stored = append(b.Stored, r)
	}
}

// runStored does one run.
func (b *bench) runStored(ctx context.Context, s *system) (r storedResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p, err := b.startPair(ctx, s)
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, p.stop())
		_, flushErr := b.redis.Do(context.WithoutCancel(ctx), "FLUSHALL")
		err = errors.Join(err, flushErr)
	}()
	r.System = s.name
	if err = b.record(ctx, p, &r); err != nil {
		return r, err
	}
	if r.Enter, r.PresenceBytes, err = b.enter(ctx, p, node.CountedGroup); err != nil {
		return r, err
	}
	if r.Present, err = b.found(p, node.Request{Do: node.Present, First: node.CountedGroup, Times: presentTimes}, presences); err != nil {
		return r, err
	}
	if r.Count, err = b.found(p, node.Request{Do: node.Count, First: node.CountedGroup, Times: countTimes}, presences); err != nil {
		return r, err
	}
	if s.plain {
		r.PlainEnter, r.PlainBytes, err = b.enter(ctx, p, plainGroup)
	}
	return r, err
}

// record has events recorded, and has members join that have missed some.
func (b *bench) record(ctx context.Context, p *pair, r *storedResult) error {
	z := recorded()
	here, there := z.split()
	if _, err := p.receiver.do(node.Request{Do: node.Join, Groups: 1, Members: there}); err != nil {
		return err
	}
	if _, err := p.sender.do(node.Request{Do: node.Join, Groups: 1, Members: here}); err != nil {
		return err
	}
	before, err := b.keyBytes(ctx)
	if err != nil {
		return err
	}
	flood := node.Request{Senders: z.senders, Window: z.window, Acknowledge: max(z.window/4, 1), Record: true}
	if r.Record, err = b.phase(ctx, p, z, flood, b.duration); err != nil {
		return err
	}
	now, err := b.keyBytes(ctx)
	if err != nil {
		return err
	}
	kept, err := p.sender.do(node.Request{Do: node.Recover}) // all
	if err != nil {
		return err
	}
	if kept.Found < missedEvents {
		return fmt.Errorf("%d events are kept; want at least %d", kept.Found, missedEvents)
	}
	r.EventBytes = (now - before) / float64(kept.Found)
	q := node.Request{Do: node.Recover, Missed: missedEvents, Times: 1}
	if _, err = p.sender.do(q); err != nil { // reads the position that a member has
		return err
	}
	q.Times = joinTimes
	r.Join, err = b.found(p, q, missedEvents)
	return err
}

// enter enters the presences into a group. The usage is that of one.
func (b *bench) enter(ctx context.Context, p *pair, group int) (u usage, bytes float64, err error) {
	before, err := b.keyBytes(ctx)
	if err != nil {
		return u, 0, err
	}
	const half = presences / 2
	u, err = b.using(p, presences, func() error {
		q := node.Request{Do: node.Enter, First: group, Members: half, Senders: entering}
		if _, err := p.sender.do(q); err != nil {
			return err
		}
		q.From = half
		_, err := p.receiver.do(q)
		return err
	})
	if err != nil {
		return u, 0, err
	}
	now, err := b.keyBytes(ctx)
	return u, (now - before) / presences, err
}

// found measures a request to the node that sends, which must find so many each time.
func (b *bench) found(p *pair, q node.Request, want int) (usage, error) {
	return b.using(p, q.Times, func() error {
		r, err := p.sender.do(q)
		if err == nil && r.Found != want {
			err = fmt.Errorf("a node that was asked to %s: found %d; want %d", q.Do, r.Found, want)
		}
		return err
	})
}

// keyBytes is what all keys in Redis take. The buffers of connections are not in it.
func (b *bench) keyBytes(ctx context.Context) (sum float64, err error) {
	reply, err := b.redis.Do(ctx, "KEYS", "*")
	if err != nil {
		return 0, err
	}
	keys, ok := reply.([]any)
	if !ok {
		return 0, fmt.Errorf("KEYS: %v", reply)
	}
	for _, key := range keys {
		n, err := b.redis.Do(ctx, "MEMORY", "USAGE", redistest.Text(key), "SAMPLES", "0")
		if err != nil {
			return 0, err
		}
		if n, ok := n.(int64); ok { // otherwise it has expired
			sum += float64(n)
		}
	}
	return sum, nil
}

// storedSection is the part of the report.
func (r *results) storedSection(w *strings.Builder) {
	of := func(s *storedResult) string { return s.System }
	names, titles := titled(r.Stored, of)
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(w, `
## History and presence

Both nodes of Wye and of centrifuge, with its Redis broker and presence manager, keep events and presences in the same Redis.

- Events are recorded to a group with 100 members, half of them at each node, and delivered: `+"`Layer.Record`"+` and `+"`Publish`"+` with
  a history; 64 are under way, and the last 1,000 are kept for an hour. The CPU time of an event is that of its 100 deliveries as well.
- Members join, one after the other, that have missed 100 events, at a node where the group has members. In Wye that is
  `+"`JoinFrom`"+`, which joins. In centrifuge it is only the read of the history that a recovery makes, `+"`Node.History`"+` with
  `+"`Since`"+`: the rest of a subscription is left out, so that centrifuge does less here.
- 10,000 different users are present in one group, half of them at each node, with an ID of 36 bytes, a name of 11, and 22 bytes of JSON.
  They enter through one node and then the other, 16 at a time. centrifuge counts without reading everybody only for channels for
  which that is chosen (`+"`EnableUserMapping`"+`), as here; the rows "without counting" are for a channel without. Wye always does.
- Nobody is told that they have entered: in Wye no member is in the group, in centrifuge no join messages are sent. Wye's script
  publishes the news all the same, and keeps in Redis which node a presence is of. It renews the presences of a node together,
  centrifuge those of each client, which is not measured here.
- Both have their defaults. centrifuge's client of Redis waits up to 100 us for more commands before it writes (MaxFlushDelay), which is
  in the times of its calls that are alone: joins, reads and counts.
- Bytes in Redis are the sum of MEMORY USAGE of all keys.
`)
	rows := make([][]string, 0, 20)
	for _, l := range storedLines() {
		rows = append(rows, lines(r.Stored, l.what, l.lines, names, of, func(*storedResult) bool { return true })...)
	}
	table(w, append([]string{"what: figure"}, titles...), rows)
}

// storedLine is some rows of the report.
type storedLine struct {
	what  string
	lines []line[storedResult]
}

func storedLines() []storedLine {
	used := func(what, each string, of func(*storedResult) *usage) storedLine {
		return storedLine{what, []line[storedResult]{
			{each + ", us", func(r *storedResult) float64 { return of(r).WallNs }, microsIf},
			{"CPU of the nodes, us", func(r *storedResult) float64 { return of(r).NodesNs }, microsIf},
			{"CPU of redis-server, us", func(r *storedResult) float64 { return of(r).RedisNs }, microsIf},
		}}
	}
	bytes := func(what string, of func(*storedResult) float64) storedLine {
		return storedLine{what, []line[storedResult]{{"bytes in Redis", of, figureIf}}}
	}
	return []storedLine{
		{"record and deliver to 100", []line[storedResult]{
			{"events a second", func(r *storedResult) float64 { return r.Record.Sends }, figure},
			{"CPU of the nodes per event, us", func(r *storedResult) float64 { return r.perEvent(r.Record.nodesNs()) }, micros},
			{"CPU of redis-server per event, us", func(r *storedResult) float64 { return r.perEvent(r.Record.RedisNs) }, micros},
			{"p50, us", func(r *storedResult) float64 { return r.Record.P50us }, figure},
			{"p99, us", func(r *storedResult) float64 { return r.Record.P99us }, figure},
		}},
		bytes("an event that is kept", func(r *storedResult) float64 { return r.EventBytes }),
		used("join after 100 missed events", "time of a join", func(r *storedResult) *usage { return &r.Join }),
		used("enter", "time per presence, 16 at a time", func(r *storedResult) *usage { return &r.Enter }),
		bytes("a presence", func(r *storedResult) float64 { return r.PresenceBytes }),
		used("read all 10,000", "time", func(r *storedResult) *usage { return &r.Present }),
		used("count all 10,000", "time", func(r *storedResult) *usage { return &r.Count }),
		used("enter without counting", "time per presence, 16 at a time", func(r *storedResult) *usage { return &r.PlainEnter }),
		bytes("a presence without counting", func(r *storedResult) float64 { return r.PlainBytes }),
	}
}

// microsIf is micros if it was measured.
func microsIf(ns float64) string { return figureIf(ns / 1e3) }

func figureIf(v float64) string {
	if v == 0 {
		return "-"
	}
	return figure(v)
}
