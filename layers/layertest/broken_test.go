package layertest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// broken is a driver that does what a good one does, except where a function of
// its own is set.
type broken struct {
	archival

	good layers.Driver
	to   layers.Receiver

	ctx     context.Context //nolint:containedctx // ends when the case is over
	world   *world
	gone    atomic.Bool
	mu      sync.Mutex
	wanted  map[string]int    // how often a group has been asked for
	held    map[string]func() // what waits for the next one of its kind
	kept    *protocol.Event
	n       int
	buffer  []byte
	publish func(ctx context.Context, group string, e *protocol.Event) error
	send    func(ctx context.Context, channel string, e *protocol.Event) error
	pull    func(ctx context.Context, channel string) (*protocol.Event, error)
	change  func(ctx context.Context, add, drop []string) error
	start   func(ctx context.Context, r layers.Receiver) error
	close   func(ctx context.Context) error
	group   func(group string, e *protocol.Event)
	channel func(channel string, e *protocol.Event)
	state   func(cause error)
	gap     func(groups ...string)
}

// world is what the nodes of a broken back end have in common.
type world struct {
	sync.Mutex
	somebodyLeft, somebodyDied atomic.Bool
	names                      map[string]bool
	sent                       map[string]*protocol.Event
}

func (b *broken) Start(ctx context.Context, r layers.Receiver) error {
	b.to = r
	b.world.Lock()
	b.world.names[r.Node()] = true
	b.world.Unlock()
	if b.start != nil {
		return b.start(ctx, tampering{b})
	}
	return b.good.Start(ctx, tampering{b})
}

func (b *broken) Subscribe(ctx context.Context, add, drop []string) error {
	if b.change != nil {
		return b.change(ctx, add, drop)
	}
	return b.good.Subscribe(ctx, add, drop)
}

func (b *broken) Publish(ctx context.Context, group string, e *protocol.Event) error {
	if b.publish != nil {
		return b.publish(ctx, group, e)
	}
	return b.good.Publish(ctx, group, e)
}

func (b *broken) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if b.send != nil {
		return b.send(ctx, channel, e)
	}
	return b.good.Send(ctx, channel, e)
}

func (b *broken) Push(ctx context.Context, channel string, e *protocol.Event) error {
	if b.send != nil {
		return b.send(ctx, channel, e)
	}
	return b.queuer().Push(ctx, channel, e)
}

// sendOn is what a good driver does with an event for a channel of either kind.
func (b *broken) sendOn(ctx context.Context, channel string, e *protocol.Event) error {
	if _, specific := driver.NodeOf(channel); specific {
		return b.good.Send(ctx, channel, e)
	}
	return b.queuer().Push(ctx, channel, e)
}

func (b *broken) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if b.pull != nil {
		return b.pull(ctx, channel)
	}
	return b.queuer().Pull(ctx, channel)
}

func (b *broken) Close(ctx context.Context) error {
	b.gone.Store(true)
	b.world.somebodyLeft.Store(true)
	b.world.Lock()
	delete(b.world.names, b.to.Node())
	b.world.Unlock()
	if b.close != nil {
		return b.close(ctx)
	}
	return b.good.Close(ctx)
}

// tampering is what a broken driver's good one delivers to.
type tampering struct{ b *broken }

func (t tampering) Node() string { return t.b.to.Node() }

func (t tampering) Group(group string, e *protocol.Event) {
	if t.b.group != nil {
		t.b.group(group, e)
	} else {
		t.b.to.Group(group, e)
	}
}

func (t tampering) Channel(channel string, e *protocol.Event) {
	if t.b.channel != nil {
		t.b.channel(channel, e)
	} else {
		t.b.to.Channel(channel, e)
	}
}

func (t tampering) State(cause error) {
	if t.b.state != nil {
		t.b.state(cause)
	} else {
		t.b.to.State(cause)
	}
}

func (t tampering) Gap(groups ...string) {
	if t.b.gap != nil {
		t.b.gap(groups...)
	} else {
		t.b.to.Gap(groups...)
	}
}

// every reports true each nth time.
func (b *broken) every(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	return b.n%n == 0
}

// count counts how often groups are asked for.
func (b *broken) count(add, drop []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range drop {
		delete(b.wanted, g)
	}
	for _, g := range add {
		b.wanted[g]++
	}
}

func (b *broken) asked(group string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wanted[group]
}

// later runs f after a while, as long as the case plays.
func (b *broken) later(f func()) {
	go func() {
		select {
		case <-time.After(time.Millisecond):
			f()
		case <-b.ctx.Done():
		}
	}()
}

// shuffle runs f now, or behind the next one of its kind.
func (b *broken) shuffle(kind string, f func()) {
	b.mu.Lock()
	held := b.held[kind]
	delete(b.held, kind)
	b.n++
	if b.n%5 == 1 && held == nil {
		b.held[kind] = f
		f = func() {}
	}
	b.mu.Unlock()
	f()
	if held != nil {
		held()
	}
}

// forever is ctx, but never ends.
func forever(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func wireOf(e *protocol.Event) []byte {
	body, err := events.Payload(e)
	if err != nil {
		panic(err)
	}
	return body
}

// brokenDriver is a way to be broken, and the cases that must notice.
type brokenDriver struct {
	at      testkit.Line
	name    string
	harm    func(b *broken)
	options *Options
	cases   []string
}

// Each case of the suite must fail for a driver that breaks its rule.
func TestEachCaseFailsForABrokenDriver(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{}
	for _, row := range slices.Concat(brokenGroups(), brokenPayloads(), brokenMembers(), brokenChannels(), brokenLives(),
		brokenHistories(), brokenPresences()) {
		for _, name := range row.cases {
			noticed[name] = true
			t.Run(row.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { row.mustFail(t, name) })
			})
		}
	}
	for _, c := range cases() {
		if !noticed[c.name] {
			t.Errorf("no broken driver shows that the case %q can fail", c.name)
		}
	}
}

func (row *brokenDriver) mustFail(t *testing.T, name string) {
	t.Helper()
	b := NewBroker(row.options)
	w := &world{names: map[string]bool{}, sent: map[string]*protocol.Event{}}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		b.Close()
	})
	suite := whole(b)
	suite.New = func(*testing.T) layers.Driver {
		d := &broken{good: b.Node(), ctx: ctx, world: w, wanted: map[string]int{}, held: map[string]func(){}}
		row.harm(d)
		return d
	}
	suite.Expire = func() { <-time.After(time.Minute) }
	suite.Kill = func(d layers.Driver) {
		w.somebodyDied.Store(true)
		b.Kill(d.(*broken).good)
	}
	all := cases()
	i := slices.IndexFunc(all, func(c testCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("%s: there is no case %q", row.at, name)
	}
	failures := all[i].try(t, suite)
	if len(failures) == 0 {
		t.Errorf("%s: the case %q has passed a driver that %s", row.at, name, row.name)
	}
	for _, err := range failures {
		t.Logf("noticed: %v", err)
	}
}

func brokenGroups() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "loses the 10th event", cases: []string{"fan-out", "order", "order-of-many", "order-of-groups", "own-bytes"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if !b.every(10) {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "delivers twice", cases: []string{"fan-out", "order", "names", "layer-join", "layer-storm", "layer-broadcast"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				b.to.Group(group, e)
				b.to.Group(group, e)
			}
		}},
		{at: testkit.Here(), name: "delivers the last event twice", cases: []string{"subscribed-at-once"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				b.to.Group(group, e)
				if n, err := noteOf(e); err == nil && n.N == 99 {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "reorders", cases: []string{"order", "order-of-many", "order-of-groups"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				b.shuffle(group, func() { b.to.Group(group, e) })
			}
		}},
		{at: testkit.Here(), name: "echoes", cases: []string{"no-echo", "order-of-many", "layer-join", "layer-broadcast"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				b.count(add, drop)
				return b.good.Subscribe(ctx, add, drop)
			}
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				if b.asked(group) > 0 {
					b.to.Group(group, e)
				}
				return b.good.Publish(ctx, group, e)
			}
		}},
		{at: testkit.Here(), name: "publishes to prefixes too", cases: []string{"own-groups-only", "names"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				for i := range len(group) - 1 {
					if err := b.good.Publish(ctx, group[:i+1], e); err != nil {
						return err
					}
				}
				return b.good.Publish(ctx, group, e)
			}
		}},
		{at: testkit.Here(), name: "does not tell capital letters", cases: []string{"own-groups-only", "names"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				return b.good.Publish(ctx, strings.ToLower(group), e)
			}
		}},
		{at: testkit.Here(), name: "cuts names", cases: []string{"names"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				return b.good.Publish(ctx, group[:min(len(group), 98)], e)
			}
		}},
		{at: testkit.Here(), name: "publishes into a channel", cases: []string{"groups-are-no-channels"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				return errors.Join(b.good.Publish(ctx, group, e), b.sendOn(ctx, group, e))
			}
		}},
	}
}

func brokenPayloads() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "speaks JSON", cases: []string{"payloads"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				var v map[string]any
				v, err := protocol.EventType[map[string]any]{Name: e.Type()}.Payload(e)
				if err != nil {
					return err
				}
				text, err := json.Marshal(v)
				if err != nil {
					return err
				}
				if err := json.Unmarshal(text, &v); err != nil {
					return err
				}
				return b.good.Publish(ctx, group, protocol.EventType[map[string]any]{Name: e.Type()}.New(v))
			}
		}},
		{at: testkit.Here(), name: "drops types it does not know", cases: []string{"types"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if e.Type() != "No_Such.Type" {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "takes 64 KB", cases: []string{"megabyte", "messages"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				if body, err := events.Payload(e); err != nil || len(body) > 1<<16 {
					return errors.New("it is too large")
				}
				return b.good.Publish(ctx, group, e)
			}
		}},
		{at: testkit.Here(), name: "drops binary messages", cases: []string{"messages", "layer-broadcast"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				if p := e.Prepared(); p != nil && p.Message().Kind == protocol.KindBinary {
					return nil
				}
				return b.good.Publish(ctx, group, e)
			}
		}},
		{at: testkit.Here(), name: "has messages overtake events", cases: []string{"order-of-kinds"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if e.Prepared() != nil {
					b.to.Group(group, e)
				} else {
					b.shuffle("events of "+group, func() { b.to.Group(group, e) })
				}
			}
		}},
		{at: testkit.Here(), name: "makes text of binary messages", cases: []string{"messages", "layer-broadcast"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				if p := e.Prepared(); p != nil {
					e = protocol.SendType.New(protocol.Text(string(p.Message().Data)))
				}
				return b.good.Publish(ctx, group, e)
			}
		}},
		{at: testkit.Here(), name: "reads into one buffer", cases: []string{"own-bytes"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				body := wireOf(e)
				b.buffer = append(b.buffer[:0], body...)
				if again, err := events.New(e.Type(), b.buffer); err == nil {
					b.to.Group(group, again)
				}
			}
		}},
		{at: testkit.Here(), name: "shares events between nodes", cases: []string{"own-bytes"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				body := wireOf(e)
				b.world.Lock()
				if first := b.world.sent[string(body)]; first != nil {
					e = first
				}
				b.world.sent[string(body)] = e
				b.world.Unlock()
				b.to.Group(group, e)
			}
		}},
	}
}

func brokenMembers() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "returns before it has subscribed", cases: []string{"subscribed-at-once", "layer-join", "layer-storm"}, harm: func(b *broken) {
			b.change = func(_ context.Context, add, drop []string) error {
				b.later(func() { _ = b.good.Subscribe(b.ctx, add, drop) })
				return nil
			}
		}},
		{at: testkit.Here(), name: "delivers once for each subscription", cases: []string{"subscribe-again"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				b.count(add, drop)
				return b.good.Subscribe(ctx, add, drop)
			}
			b.group = func(group string, e *protocol.Event) {
				for range b.asked(group) {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "complains of strange drops", cases: []string{"drop-before-add"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				for _, g := range drop {
					if b.asked(g) == 0 {
						return errors.New("it is not subscribed")
					}
				}
				b.count(add, drop)
				return b.good.Subscribe(ctx, add, drop)
			}
		}},
		{at: testkit.Here(), name: "never drops", cases: []string{"nothing-after-drop", "subscribe-storm", "ten-thousand-groups"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, _ []string) error { return b.good.Subscribe(ctx, add, nil) }
		}},
		{at: testkit.Here(), name: "forgets each 3rd subscription", cases: []string{"subscribed-at-once", "subscribe-storm", "ten-thousand-groups", "layer-storm"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				add = slices.DeleteFunc(slices.Clone(add), func(string) bool { return b.every(3) })
				return b.good.Subscribe(ctx, add, drop)
			}
		}},
		{at: testkit.Here(), name: "has room for 4096 groups", cases: []string{"ten-thousand-groups"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				b.count(nil, drop)
				b.mu.Lock()
				room := max(0, 4096-len(b.wanted))
				b.mu.Unlock()
				add = add[:min(room, len(add))]
				b.count(add, nil)
				return b.good.Subscribe(ctx, add, drop)
			}
		}},
	}
}
