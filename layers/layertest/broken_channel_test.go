package layertest

import (
	"context"
	"errors"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

func brokenChannels() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "delivers to channels twice", cases: []string{"specific-channel", "layer-send"}, harm: func(b *broken) {
			b.channel = func(channel string, e *protocol.Event) {
				b.to.Channel(channel, e)
				b.to.Channel(channel, e)
			}
		}},
		{at: testkit.Here(), name: "sends to all nodes", cases: []string{"specific-channel"}, harm: func(b *broken) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				node, specific := driver.NodeOf(channel)
				b.world.Lock()
				defer b.world.Unlock()
				for other := range b.world.names {
					if specific && other != node {
						_ = b.sendOn(ctx, "specific."+other+"!x", e)
					}
				}
				return b.sendOn(ctx, channel, e)
			}
		}},
		{at: testkit.Here(), name: "complains of nodes that are not there", cases: []string{"channel-of-nobody", "a-node-leaves"}, harm: func(b *broken) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				node, specific := driver.NodeOf(channel)
				b.world.Lock()
				defer b.world.Unlock()
				if specific && !b.world.names[node] {
					return errors.New("there is no such node")
				}
				return b.sendOn(ctx, channel, e)
			}
		}},
		{at: testkit.Here(), name: "reorders what is sent", cases: []string{"specific-channel", "first-in-first-out", "capacity", "layer-send"}, harm: func(b *broken) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) (err error) {
				b.shuffle(channel, func() { err = b.sendOn(forever(ctx), channel, e) })
				return err
			}
		}},
		{at: testkit.Here(), name: "ignores that a channel is full", cases: []string{"capacity"}, harm: func(b *broken) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				if err := b.sendOn(ctx, channel, e); !errors.Is(err, layers.ErrChannelFull) {
					return err
				}
				return nil
			}
		}},
		{at: testkit.Here(), name: "has too much room", cases: []string{"capacity"}, options: &Options{Capacity: 101}, harm: func(*broken) {}},
		{at: testkit.Here(), name: "has too little room", cases: []string{"capacity"}, options: &Options{Capacity: 99}, harm: func(*broken) {}},
		{at: testkit.Here(), name: "keeps events for ever", cases: []string{"expiry"}, options: &Options{Expiry: time.Hour}, harm: func(*broken) {}},
		{at: testkit.Here(), name: "has events pulled twice", cases: []string{"many-pullers"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				b.mu.Lock()
				again := b.kept
				b.kept = nil
				b.mu.Unlock()
				if again != nil {
					return again, nil
				}
				e, err := b.queuer().Pull(ctx, channel)
				if err == nil && b.every(9) {
					b.mu.Lock()
					b.kept = e
					b.mu.Unlock()
				}
				return e, err
			}
		}},
		{at: testkit.Here(), name: "has only one puller", cases: []string{"many-pullers"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				b.world.Lock()
				mine := !b.world.names["puller"]
				b.world.names["puller"] = true
				b.world.Unlock()
				e, err := b.queuer().Pull(ctx, channel)
				if !mine && b.every(3) {
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}
				return e, err
			}
		}},
		{at: testkit.Here(), name: "ignores ctx in Pull", cases: []string{"pull-ends-with-ctx"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				return b.queuer().Pull(forever(ctx), channel)
			}
		}},
		{at: testkit.Here(), name: "loses what comes as ctx ends", cases: []string{"cancelled-pull-loses-nothing"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.queuer().Pull(ctx, channel)
				yield(5)
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				return e, err
			}
		}},
		{at: testkit.Here(), name: "ignores ctx", cases: []string{"ctx-has-ended", "slow"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				return b.good.Publish(forever(ctx), group, e)
			}
		}},
		{at: testkit.Here(), name: "ignores ctx in Start", cases: []string{"ctx-has-ended"}, harm: func(b *broken) {
			b.start = func(ctx context.Context, r layers.Receiver) error { return b.good.Start(forever(ctx), r) }
		}},
		{at: testkit.Here(), name: "ignores ctx in Subscribe", cases: []string{"ctx-has-ended"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error { return b.good.Subscribe(forever(ctx), add, drop) }
		}},
		{at: testkit.Here(), name: "ignores ctx in Send", cases: []string{"ctx-has-ended"}, harm: func(b *broken) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				return b.sendOn(forever(ctx), channel, e)
			}
		}},
	}
}
