package layertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
)

// brokenMemory is a layer of one process that does what a good one does, except where
// a function of its own is set.
type brokenMemory struct {
	*layers.Layer

	broken  broken // for its helpers only
	mu      sync.Mutex
	members map[layers.Member]layers.Member // those that stand for others

	deliver func(m layers.Member, e *protocol.Event) // to a member of a group
	join    func(ctx context.Context, group string, m layers.Member) error
	leave   func(group string, m layers.Member)
	publish func(ctx context.Context, group string, e *protocol.Event, but layers.Member) error
	send    func(ctx context.Context, channel string, e *protocol.Event) error
	pull    func(ctx context.Context, channel string) (*protocol.Event, error)
	record  func(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error)
	read    func(ctx context.Context, group string, r layers.Range) (layers.History, error)
	enter   func(ctx context.Context, group string, p layers.Presence) error
	exit    func(ctx context.Context, group, id string) error
	linger  func(ctx context.Context, group, id string, linger time.Duration) error
	present func(ctx context.Context, group string) ([]layers.Presence, error)
	key     func(ctx context.Context, group, key string) ([]layers.Presence, error)
}

// tampered stands for a member to whom the layer delivers wrongly.
type tampered struct {
	layers.Member
	deliver func(m layers.Member, e *protocol.Event)
}

func (t *tampered) Deliver(e *protocol.Event) bool {
	t.deliver(t.Member, e)
	return false
}

func (t *tampered) Offer(p *protocol.Prepared) bool { return t.Deliver(p.Event()) }

// standIn is who stands for m.
func (b *brokenMemory) standIn(m layers.Member) layers.Member {
	if b.deliver == nil || m == nil {
		return m
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.members[m] == nil {
		b.members[m] = &tampered{m, b.deliver}
	}
	return b.members[m]
}

func (b *brokenMemory) Join(ctx context.Context, group string, m layers.Member) error {
	if b.join != nil {
		return b.join(ctx, group, m)
	}
	return b.Layer.Join(ctx, group, b.standIn(m))
}

func (b *brokenMemory) Leave(group string, m layers.Member) {
	if b.leave != nil {
		b.leave(group, m)
		return
	}
	b.Layer.Leave(group, b.standIn(m))
}

func (b *brokenMemory) GroupSendExcept(ctx context.Context, group string, e *protocol.Event, but layers.Member) error {
	if b.publish != nil {
		return b.publish(ctx, group, e, but)
	}
	return b.Layer.GroupSendExcept(ctx, group, e, b.standIn(but))
}

func (b *brokenMemory) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if b.send != nil {
		return b.send(ctx, channel, e)
	}
	return b.Layer.Send(ctx, channel, e)
}

func (b *brokenMemory) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if b.pull != nil {
		return b.pull(ctx, channel)
	}
	return b.Layer.Pull(ctx, channel)
}

func (b *brokenMemory) Record(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error) {
	if b.record != nil {
		return b.record(ctx, group, e, k)
	}
	return b.Layer.Record(ctx, group, e, k)
}

func (b *brokenMemory) History(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	if b.read != nil {
		return b.read(ctx, group, r)
	}
	return b.Layer.History(ctx, group, r)
}

func (b *brokenMemory) Enter(ctx context.Context, group string, p layers.Presence) error {
	if b.enter != nil {
		return b.enter(ctx, group, p)
	}
	return b.Layer.Enter(ctx, group, p)
}

func (b *brokenMemory) Exit(ctx context.Context, group, id string) error {
	if b.exit != nil {
		return b.exit(ctx, group, id)
	}
	return b.Layer.Exit(ctx, group, id)
}

func (b *brokenMemory) ExitAfter(ctx context.Context, group, id string, linger time.Duration) error {
	if b.linger != nil {
		return b.linger(ctx, group, id, linger)
	}
	return b.Layer.ExitAfter(ctx, group, id, linger)
}

func (b *brokenMemory) PresentKey(ctx context.Context, group, key string) ([]layers.Presence, error) {
	if b.key != nil {
		return b.key(ctx, group, key)
	}
	return b.Layer.PresentKey(ctx, group, key)
}

func (b *brokenMemory) Present(ctx context.Context, group string) ([]layers.Presence, error) {
	if b.present != nil {
		return b.present(ctx, group)
	}
	return b.Layer.Present(ctx, group)
}

// memoryRow is a way for a layer of one process to be broken, and cases that must
// notice.
type memoryRow struct {
	at    testkit.Line
	name  string
	cases []string
	harm  func(b *brokenMemory)
}

func hand(m layers.Member, e *protocol.Event) { m.Deliver(e) }

func brokenMemories() []memoryRow {
	return []memoryRow{
		{testkit.Here(), "loses the 10th event", []string{"fan-out", "order-of-many", "layer-storm"}, func(b *brokenMemory) {
			b.deliver = func(m layers.Member, e *protocol.Event) {
				if !b.broken.every(10) {
					hand(m, e)
				}
			}
		}},
		{testkit.Here(), "delivers twice", []string{"presence-node-leaves"}, func(b *brokenMemory) {
			b.deliver = func(m layers.Member, e *protocol.Event) {
				hand(m, e)
				hand(m, e)
			}
		}},
		{testkit.Here(), "reorders", []string{"payloads", "drop-before-add"}, func(b *brokenMemory) {
			b.deliver = func(m layers.Member, e *protocol.Event) {
				b.broken.shuffle("one", func() { hand(m, e) })
			}
		}},
		{testkit.Here(), "has messages overtake events", []string{"order-of-kinds"}, func(b *brokenMemory) {
			b.deliver = func(m layers.Member, e *protocol.Event) {
				if e.Prepared() != nil {
					hand(m, e)
				} else {
					b.broken.shuffle("one", func() { hand(m, e) })
				}
			}
		}},
		{testkit.Here(), "leaves nobody out", []string{"no-echo", "a-node-leaves", "layer-join", "layer-broadcast"}, func(b *brokenMemory) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event, _ layers.Member) error {
				return b.GroupSend(ctx, group, e)
			}
		}},
		{testkit.Here(), "does not tell capital letters", []string{"own-groups-only", "names"}, func(b *brokenMemory) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event, but layers.Member) error {
				return b.Layer.GroupSendExcept(ctx, strings.ToLower(group), e, but)
			}
		}},
		{testkit.Here(), "sends into channels too", []string{"groups-are-no-channels", "order"}, func(b *brokenMemory) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event, but layers.Member) error {
				return errors.Join(b.Layer.GroupSendExcept(ctx, group, e, but), b.Layer.Send(ctx, group, e))
			}
		}},
		{testkit.Here(), "never leaves", []string{"subscribe-again", "nothing-after-drop", "subscribe-storm", "ten-thousand-groups"}, func(b *brokenMemory) {
			b.leave = func(string, layers.Member) {}
		}},
		{testkit.Here(), "forgets each 3rd who joins", []string{"fan-out", "order-of-groups", "subscribed-at-once"}, func(b *brokenMemory) {
			b.join = func(ctx context.Context, group string, m layers.Member) error {
				if b.broken.every(3) {
					return nil
				}
				return b.Layer.Join(ctx, group, m)
			}
		}},
		{testkit.Here(), "has members twice", []string{"a-node-leaves"}, func(b *brokenMemory) {
			b.join = func(ctx context.Context, group string, m layers.Member) error {
				return errors.Join(b.Layer.Join(ctx, group, m), b.Layer.Join(ctx, group, &tampered{m, hand}))
			}
		}},
		{testkit.Here(), "empties payloads", []string{"layer-broadcast"}, func(b *brokenMemory) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event, but layers.Member) error {
				if p := e.Prepared(); p != nil {
					e = protocol.SendType.New(protocol.Text("text"))
				} else {
					e = protocol.EventType[struct{}]{Name: e.Type()}.New(struct{}{})
				}
				return b.Layer.GroupSendExcept(ctx, group, e, but)
			}
		}},
		{testkit.Here(), "drops types it does not know", []string{"types"}, func(b *brokenMemory) {
			b.deliver = func(m layers.Member, e *protocol.Event) {
				if e.Type() != "No_Such.Type" {
					hand(m, e)
				}
			}
		}},
		{testkit.Here(), "takes 64 KB", []string{"megabyte", "messages"}, func(b *brokenMemory) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event, but layers.Member) error {
				if len(wireOf(e)) > 1<<16 {
					return errors.New("it is too large")
				}
				return b.Layer.GroupSendExcept(ctx, group, e, but)
			}
		}},
		{testkit.Here(), "ignores ctx", []string{"ctx-has-ended"}, func(b *brokenMemory) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event, but layers.Member) error {
				return b.Layer.GroupSendExcept(forever(ctx), group, e, but)
			}
		}},
		{testkit.Here(), "hides why a pull has ended", []string{"pull-ends-with-ctx", "cancelled-pull-loses-nothing"}, func(b *brokenMemory) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.Layer.Pull(ctx, channel)
				return e, unknown(unknown(err, context.Canceled), context.DeadlineExceeded)
			}
		}},
		{testkit.Here(), "loses the 5th of a channel", []string{"specific-channel"}, func(b *brokenMemory) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				if b.broken.every(5) {
					return nil
				}
				return b.Layer.Send(ctx, channel, e)
			}
		}},
		{testkit.Here(), "sends twice to a channel", []string{"channel-of-nobody", "expiry"}, func(b *brokenMemory) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				return errors.Join(b.Layer.Send(ctx, channel, e), b.Layer.Send(ctx, channel, e))
			}
		}},
		{testkit.Here(), "reorders a channel", []string{"layer-send"}, func(b *brokenMemory) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) (err error) {
				b.broken.shuffle(channel, func() { err = errors.Join(err, b.Layer.Send(ctx, channel, e)) })
				return err
			}
		}},
		{testkit.Here(), "is full in silence", []string{"capacity"}, func(b *brokenMemory) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				return hidden(b.Layer.Send(ctx, channel, e), layers.ErrFull)
			}
		}},
		{testkit.Here(), "takes out what it does not return", []string{"close-ends-pulls", "layer-send"}, func(b *brokenMemory) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.Layer.Pull(ctx, channel)
				if err == nil && b.broken.every(2) {
					e, err = b.Layer.Pull(ctx, channel)
				}
				return e, err
			}
		}},
		{testkit.Here(), "puts back what it has pulled", []string{"first-in-first-out", "many-pullers"}, func(b *brokenMemory) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.Layer.Pull(ctx, channel)
				if err == nil {
					err = b.Layer.Send(ctx, channel, e)
				}
				return e, err
			}
		}},
		{testkit.Here(), "keeps nothing", []string{"history-read"}, func(b *brokenMemory) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				h, err := b.Layer.History(ctx, group, r)
				h.Events, h.Complete = nil, true
				return h, err
			}
		}},
		{testkit.Here(), "keeps as much as may be", []string{"history-keep-events", "history-keep-age"}, func(b *brokenMemory) {
			b.record = func(ctx context.Context, group string, e *protocol.Event, _ layers.Keep) (protocol.Position, error) {
				return b.Layer.Record(ctx, group, e, layers.Keep{Events: layers.MaxKeepEvents, For: layers.MaxKeepFor})
			}
		}},
		{testkit.Here(), "reads without ctx", []string{"history-ctx"}, func(b *brokenMemory) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				return b.Layer.History(forever(ctx), group, r)
			}
		}},
		{testkit.Here(), "records without ctx", []string{"history-ctx"}, func(b *brokenMemory) {
			b.record = func(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error) {
				p, err := b.Layer.Record(forever(ctx), group, e, k)
				return p, errors.Join(err, context.Cause(ctx))
			}
		}},
		{testkit.Here(), "records each 7th event elsewhere", []string{"history-keep-age"}, func(b *brokenMemory) {
			b.record = func(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error) {
				if b.broken.every(7) {
					group = "elsewhere"
				}
				return b.Layer.Record(ctx, group, e, k)
			}
		}},
		{testkit.Here(), "has one history", []string{"history-order", "history-join"}, func(b *brokenMemory) {
			b.read = func(ctx context.Context, _ string, r layers.Range) (layers.History, error) {
				return b.Layer.History(ctx, "one", r)
			}
			b.record = func(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error) {
				p, err := b.Layer.Record(ctx, "one", e, k)
				return p, errors.Join(err, b.GroupSend(ctx, group, e.At(p)))
			}
		}},
		{testkit.Here(), "finds nobody by a key", []string{"presence-key"}, func(b *brokenMemory) {
			b.key = func(context.Context, string, string) ([]layers.Presence, error) { return nil, nil }
		}},
		{testkit.Here(), "does not linger", []string{"presence-linger"}, func(b *brokenMemory) {
			b.linger = func(ctx context.Context, group, id string, _ time.Duration) error {
				return b.Layer.Exit(ctx, group, id)
			}
		}},
		{testkit.Here(), "enters nobody", []string{"presence-node-leaves"}, func(b *brokenMemory) {
			b.enter = func(context.Context, string, layers.Presence) error { return nil }
		}},
		{testkit.Here(), "exits nobody", []string{"presence-events", "presence-storm", "presence-node-leaves"}, func(b *brokenMemory) {
			b.exit = func(context.Context, string, string) error { return nil }
		}},
		{testkit.Here(), "exits before it enters again", []string{"presence-changed"}, func(b *brokenMemory) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				return errors.Join(b.Layer.Exit(ctx, group, p.ID), b.Layer.Enter(ctx, group, p))
			}
		}},
		{testkit.Here(), "enters although ctx has ended", []string{"presence-ctx"}, func(b *brokenMemory) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				return errors.Join(b.Layer.Enter(forever(ctx), group, p), context.Cause(ctx))
			}
		}},
		{testkit.Here(), "orders by ID", []string{"presence-present", "presence-replaced"}, func(b *brokenMemory) {
			b.present = func(ctx context.Context, group string) ([]layers.Presence, error) {
				all, err := b.Layer.Present(ctx, group)
				slices.SortFunc(all, func(a, b layers.Presence) int { return strings.Compare(a.ID, b.ID) })
				return all, err
			}
		}},
	}
}

func (row *memoryRow) try(t *testing.T, c testCase) []error {
	t.Helper()
	b := &brokenMemory{Layer: memory.New(), members: map[layers.Member]layers.Member{}}
	b.broken.held = map[string]func(){}
	row.harm(b)
	return c.try(t, inMemory(b))
}

// TestEachCaseFailsForABrokenMemory: what a layer of one process is asked, it can fail.
func TestEachCaseFailsForABrokenMemory(t *testing.T) {
	t.Parallel()
	all, noticed := ofMemory(t), map[string]bool{}
	for _, row := range brokenMemories() {
		for _, name := range row.cases {
			noticed[name] = true
			t.Run(row.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				i := slices.IndexFunc(all, func(c testCase) bool { return c.name == name })
				if i < 0 {
					t.Fatalf("%s: there is no case %q", row.at, name)
				}
				synctest.Test(t, func(t *testing.T) {
					if len(row.try(t, all[i])) == 0 {
						t.Errorf("%s: the case %q has passed a layer that %s", row.at, name, row.name)
					}
				})
			})
		}
	}
	for _, c := range all {
		if !noticed[c.name] {
			t.Errorf("no broken layer shows that the case %q can fail", c.name)
		}
	}
}
