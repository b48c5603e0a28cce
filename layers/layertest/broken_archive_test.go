package layertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// archival is what a broken driver does otherwise with history and presence.
type archival struct {
	append  func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error)
	read    func(ctx context.Context, group string, r layers.Range) (layers.History, error)
	enter   func(ctx context.Context, group string, p layers.Presence) error
	exit    func(ctx context.Context, group, id string, linger time.Duration) error
	present func(ctx context.Context, group, key string) ([]layers.Presence, error)
	counts  func(ctx context.Context, group string) (layers.PresenceCount, error)
}

func (b *broken) queuer() layers.Queuer       { return b.good.(layers.Queuer) }
func (b *broken) historian() layers.Historian { return b.good.(layers.Historian) }
func (b *broken) presencer() layers.Presencer { return b.good.(layers.Presencer) }

func (b *broken) Append(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
	if b.append != nil {
		return b.append(ctx, group, e, k)
	}
	return b.historian().Append(ctx, group, e, k)
}

func (b *broken) Read(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	if b.read != nil {
		return b.read(ctx, group, r)
	}
	return b.historian().Read(ctx, group, r)
}

func (b *broken) Enter(ctx context.Context, group string, p layers.Presence) error {
	if b.enter != nil {
		return b.enter(ctx, group, p)
	}
	return b.presencer().Enter(ctx, group, p)
}

func (b *broken) Exit(ctx context.Context, group, id string, linger time.Duration) error {
	if b.exit != nil {
		return b.exit(ctx, group, id, linger)
	}
	return b.presencer().Exit(ctx, group, id, linger)
}

func (b *broken) Present(ctx context.Context, group, key string) ([]layers.Presence, error) {
	if b.present != nil {
		return b.present(ctx, group, key)
	}
	return b.presencer().Present(ctx, group, key)
}

func (b *broken) Count(ctx context.Context, group string) (layers.PresenceCount, error) {
	if b.counts != nil {
		return b.counts(ctx, group)
	}
	return b.presencer().Count(ctx, group)
}

// reads has f change what is read.
func (b *broken) reads(f func(h *layers.History, after protocol.Position)) {
	b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
		h, err := b.historian().Read(ctx, group, r)
		f(&h, r.After)
		return h, err
	}
}

// keeps has f change how much is kept.
func (b *broken) keeps(f func(k *layers.Retention)) {
	b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
		f(&k)
		return b.historian().Append(ctx, group, e, k)
	}
}

func brokenHistories() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "reorders", cases: []string{"history-order"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) { b.shuffle(group, func() { b.to.Group(group, e) }) }
		}},
		{at: testkit.Here(), name: "loses the 10th event", cases: []string{"history-order", "history-join"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if !b.every(10) {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "delivers twice", cases: []string{"history-order", "history-join"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				b.to.Group(group, e)
				b.to.Group(group, e)
			}
		}},
		{at: testkit.Here(), name: "delivers without positions", cases: []string{"history-order", "history-join", "history-restart"},
			harm: func(b *broken) {
				b.group = func(group string, e *protocol.Event) { b.to.Group(group, events.At(e, protocol.Position{})) }
			}},
		{at: testkit.Here(), name: "returns the position before", cases: []string{"history-order", "history-read"}, harm: func(b *broken) {
			b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				p, err := b.historian().Append(ctx, group, e, k)
				p.Offset--
				return p, err
			}
		}},
		{at: testkit.Here(), name: "has one history for all groups", cases: []string{"history-order", "history-keep-age"}, harm: func(b *broken) {
			b.append = func(ctx context.Context, _ string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				return b.historian().Append(ctx, "all", e, k)
			}
			b.change = func(ctx context.Context, add, drop []string) error {
				return b.good.Subscribe(ctx, append(slices.Clone(add), "all"), drop)
			}
			b.group = func(_ string, e *protocol.Event) {
				b.mu.Lock()
				defer b.mu.Unlock()
				for g := range b.wanted {
					b.to.Group(g, e)
				}
			}
			b.read = func(ctx context.Context, _ string, r layers.Range) (layers.History, error) {
				return b.historian().Read(ctx, "all", r)
			}
		}},
		{at: testkit.Here(), name: "does not deliver to the sender", cases: []string{"history-order"}, harm: func(b *broken) {
			var mu sync.Mutex
			own := map[protocol.Position]bool{}
			b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				mu.Lock()
				defer mu.Unlock()
				p, err := b.historian().Append(ctx, group, e, k)
				own[p] = true
				return p, err
			}
			b.group = func(group string, e *protocol.Event) {
				mu.Lock()
				mine := own[e.Position()]
				mu.Unlock()
				if !mine {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "reads newest first", cases: []string{"history-read", "history-keep-events"}, harm: func(b *broken) {
			b.reads(func(h *layers.History, _ protocol.Position) { slices.Reverse(h.Events) })
		}},
		{at: testkit.Here(), name: "ignores the limit", cases: []string{"history-read"}, harm: func(b *broken) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				return b.historian().Read(ctx, group, layers.Range{After: r.After})
			}
		}},
		{at: testkit.Here(), name: "reads the first ones, not the newest", cases: []string{"history-read"}, harm: func(b *broken) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				return b.historian().Read(ctx, group, layers.Range{After: r.After, Limit: r.Limit})
			}
		}},
		{at: testkit.Here(), name: "ignores the position", cases: []string{"history-read", "history-keep-events"}, harm: func(b *broken) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				return b.historian().Read(ctx, group, layers.Range{Limit: r.Limit, Newest: r.Newest})
			}
		}},
		{at: testkit.Here(), name: "reads the position too", cases: []string{"history-read", "history-keep-events", "history-keep-age"},
			harm: func(b *broken) {
				b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
					if r.After.Offset == 1 {
						r.After = protocol.Position{}
					} else if r.After.Offset > 0 {
						r.After.Offset--
					}
					return b.historian().Read(ctx, group, r)
				}
			}},
		{at: testkit.Here(), name: "takes the last that is read for Last", cases: []string{"history-read", "history-keep-age"}, harm: func(b *broken) {
			b.reads(func(h *layers.History, _ protocol.Position) {
				h.Last = protocol.Position{}
				if n := len(h.Events); n > 0 {
					h.Last = h.Events[n-1].Position()
				}
			})
		}},
		{at: testkit.Here(), name: "is always complete", cases: []string{
			"history-read", "history-keep-events", "history-keep-age", "history-restart",
		}, harm: func(b *broken) {
			b.reads(func(h *layers.History, _ protocol.Position) { h.Complete = true })
		}},
		{at: testkit.Here(), name: "keeps one event more", cases: []string{"history-keep-events"}, harm: func(b *broken) {
			b.keeps(func(k *layers.Retention) { k.MaxEvents++ })
		}},
		{at: testkit.Here(), name: "keeps one event less", cases: []string{"history-keep-events"}, harm: func(b *broken) {
			b.keeps(func(k *layers.Retention) { k.MaxEvents-- })
		}},
		{at: testkit.Here(), name: "keeps for ever", cases: []string{"history-keep-age"}, harm: func(b *broken) {
			b.keeps(func(k *layers.Retention) { k.MaxAge = time.Hour })
		}},
		{at: testkit.Here(), name: "keeps for half the time", cases: []string{"history-keep-age"}, harm: func(b *broken) {
			b.keeps(func(k *layers.Retention) { k.MaxAge = min(k.MaxAge, time.Nanosecond) })
		}},
		{at: testkit.Here(), name: "ignores ctx in Append", cases: []string{"history-ctx"}, harm: func(b *broken) {
			b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				return b.historian().Append(forever(ctx), group, e, k)
			}
		}},
		{at: testkit.Here(), name: "appends although ctx has ended", cases: []string{"history-ctx"}, harm: func(b *broken) {
			b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				p, err := b.historian().Append(forever(ctx), group, e, k)
				return p, errors.Join(err, context.Cause(ctx))
			}
		}},
		{at: testkit.Here(), name: "ignores ctx in Read", cases: []string{"history-ctx"}, harm: func(b *broken) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				return b.historian().Read(forever(ctx), group, r)
			}
		}},
		{at: testkit.Here(), name: "hides that it is down from Append", cases: []string{"history-restart"}, harm: func(b *broken) {
			b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				p, err := b.historian().Append(ctx, group, e, k)
				return p, hidden(err, layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "hides that it is down from Read", cases: []string{"history-restart"}, harm: func(b *broken) {
			b.read = func(ctx context.Context, group string, r layers.Range) (layers.History, error) {
				h, err := b.historian().Read(ctx, group, r)
				return h, hidden(err, layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "has one epoch only", cases: []string{"history-restart"}, harm: func(b *broken) {
			b.append = func(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
				p, err := b.historian().Append(ctx, group, e, k)
				if err == nil {
					p.Epoch = "E"
				}
				return p, err
			}
			b.group = func(group string, e *protocol.Event) {
				b.to.Group(group, events.At(e, protocol.Position{Epoch: "E", Offset: e.Position().Offset}))
			}
		}},
		{at: testkit.Here(), name: "returns before it has subscribed", cases: []string{"history-join"}, harm: func(b *broken) {
			b.change = func(_ context.Context, add, drop []string) error {
				b.later(func() { _ = b.good.Subscribe(b.ctx, add, drop) })
				return nil
			}
		}},
		{at: testkit.Here(), name: "reads what was a while ago", cases: []string{"history-join"}, harm: func(b *broken) {
			b.reads(func(h *layers.History, _ protocol.Position) {
				if n := len(h.Events); n > 1 {
					h.Events = h.Events[:n-1]
				}
			})
		}},
	}
}

func brokenPresences() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "knows its own node only", cases: []string{"presence-present", "presence-events"}, harm: func(b *broken) {
			own := func(group string) string { return group[:1] + b.to.Node() }
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				return b.presencer().Enter(ctx, own(group), p)
			}
			b.exit = func(ctx context.Context, group, id string, linger time.Duration) error {
				return b.presencer().Exit(ctx, own(group), id, linger)
			}
			b.present = func(ctx context.Context, group, key string) ([]layers.Presence, error) {
				return b.presencer().Present(ctx, own(group), key)
			}
		}},
		{at: testkit.Here(), name: "ignores the key", cases: []string{"presence-key"}, harm: func(b *broken) {
			b.present = func(ctx context.Context, group, _ string) ([]layers.Presence, error) {
				return b.presencer().Present(ctx, group, "")
			}
		}},
		{at: testkit.Here(), name: "counts those of one node", cases: []string{"presence-key"}, harm: func(b *broken) {
			b.counts = func(ctx context.Context, group string) (layers.PresenceCount, error) {
				n, err := b.presencer().Count(ctx, group)
				return layers.PresenceCount{Keys: n.Keys, Presences: n.Keys}, err
			}
		}},
		{at: testkit.Here(), name: "does not linger", cases: []string{"presence-linger"}, harm: func(b *broken) {
			b.exit = func(ctx context.Context, group, id string, _ time.Duration) error {
				return b.presencer().Exit(ctx, group, id, 0)
			}
		}},
		{at: testkit.Here(), name: "lingers for as long as may be", cases: []string{"presence-linger"}, harm: func(b *broken) {
			b.exit = func(ctx context.Context, group, id string, linger time.Duration) error {
				if linger > 0 {
					linger = layers.MaxLinger
				}
				return b.presencer().Exit(ctx, group, id, linger)
			}
		}},
		{at: testkit.Here(), name: "orders by ID", cases: []string{"presence-present"}, harm: func(b *broken) {
			b.present = func(ctx context.Context, group, key string) ([]layers.Presence, error) {
				all, err := b.presencer().Present(ctx, group, key)
				slices.SortFunc(all, func(a, b layers.Presence) int { return int(a.ID[0]) - int(b.ID[0]) })
				return all, err
			}
		}},
		{at: testkit.Here(), name: "loses metadata", cases: []string{"presence-present", "presence-replaced"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				p.Meta = nil
				return b.presencer().Enter(ctx, group, p)
			}
		}},
		{at: testkit.Here(), name: "has seconds only", cases: []string{"presence-present"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				p.Since = p.Since.Truncate(time.Second)
				return b.presencer().Enter(ctx, group, p)
			}
		}},
		{at: testkit.Here(), name: "tells of every ID", cases: []string{"presence-events"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				p.Key += p.ID
				return b.presencer().Enter(ctx, group, p)
			}
		}},
		{at: testkit.Here(), name: "tells twice", cases: []string{"presence-events", "presence-storm", "presence-node-dies"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				b.to.Group(group, e)
				b.to.Group(group, e)
			}
		}},
		{at: testkit.Here(), name: "does not tell who has gone", cases: []string{
			"presence-events", "presence-replaced", "presence-storm", "presence-node-dies", "presence-node-leaves",
		}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if e.Type() != layers.Exited.Name {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "does not tell who has changed", cases: []string{"presence-changed", "presence-replaced"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if e.Type() != layers.Changed.Name {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "tells who has changed and has not", cases: []string{"presence-changed"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				return errors.Join(b.presencer().Enter(ctx, group, changed(p, "not yet")), b.presencer().Enter(ctx, group, p))
			}
		}},
		{at: testkit.Here(), name: "complains when who exits is not there", cases: []string{"presence-events"}, harm: func(b *broken) {
			b.exit = func(ctx context.Context, group, id string, linger time.Duration) error {
				all, err := b.presencer().Present(ctx, group, "")
				if !slices.ContainsFunc(all, func(p layers.Presence) bool { return p.ID == id }) {
					return errors.Join(err, errors.New("it is not there"))
				}
				return b.presencer().Exit(ctx, group, id, linger)
			}
		}},
		{at: testkit.Here(), name: "exits before it enters again", cases: []string{"presence-replaced"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				_ = b.presencer().Exit(ctx, group, p.ID, 0)
				return b.presencer().Enter(ctx, group, p)
			}
		}},
		{at: testkit.Here(), name: "keeps the first of an ID", cases: []string{"presence-replaced"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				all, err := b.presencer().Present(ctx, group, "")
				if slices.ContainsFunc(all, func(old layers.Presence) bool { return p.ID == old.ID }) {
					return err
				}
				return b.presencer().Enter(ctx, group, p)
			}
		}},
		{at: testkit.Here(), name: "reorders", cases: []string{"presence-events", "presence-storm"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) { b.shuffle(group, func() { b.to.Group(group, e) }) }
		}},
		{at: testkit.Here(), name: "ignores ctx in Enter", cases: []string{"presence-ctx"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				return b.presencer().Enter(forever(ctx), group, p)
			}
		}},
		{at: testkit.Here(), name: "exits although ctx has ended", cases: []string{"presence-ctx"}, harm: func(b *broken) {
			b.exit = func(ctx context.Context, group, id string, linger time.Duration) error {
				return errors.Join(b.presencer().Exit(forever(ctx), group, id, linger), context.Cause(ctx))
			}
		}},
		{at: testkit.Here(), name: "has no leases", cases: []string{"presence-node-dies"}, options: &Options{Lease: time.Hour}, harm: func(*broken) {}},
		{at: testkit.Here(), name: "does not close what it has entered", cases: []string{"presence-node-leaves"}, harm: func(b *broken) {
			b.close = func(context.Context) error { return nil }
		}},
		{at: testkit.Here(), name: "takes everybody out with a node", cases: []string{"presence-node-dies", "presence-node-leaves"}, harm: func(b *broken) {
			b.present = func(ctx context.Context, group, key string) ([]layers.Presence, error) {
				all, err := b.presencer().Present(ctx, group, key)
				if b.world.somebodyDied.Load() || b.world.somebodyLeft.Load() {
					all = nil
				}
				return all, err
			}
		}},
		{at: testkit.Here(), name: "hides that it is down from Enter", cases: []string{"presence-down"}, harm: func(b *broken) {
			b.enter = func(ctx context.Context, group string, p layers.Presence) error {
				return hidden(b.presencer().Enter(ctx, group, p), layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "forgets who exits while it is down", cases: []string{"presence-down"}, harm: func(b *broken) {
			b.exit = func(ctx context.Context, group, id string, linger time.Duration) error {
				if _, err := b.presencer().Present(ctx, group, ""); err != nil {
					return err
				}
				return b.presencer().Exit(ctx, group, id, linger)
			}
		}},
		{at: testkit.Here(), name: "does not enter again", cases: []string{"presence-down"}, harm: func(b *broken) {
			b.state = func(cause error) {
				b.to.State(cause)
				if cause == nil {
					b.world.somebodyLeft.Store(true)
				}
			}
			b.present = func(ctx context.Context, group, key string) ([]layers.Presence, error) {
				all, err := b.presencer().Present(ctx, group, key)
				if b.world.somebodyLeft.Load() {
					all = nil
				}
				return all, err
			}
		}},
	}
}
