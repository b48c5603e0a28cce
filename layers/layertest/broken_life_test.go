package layertest

import (
	"context"
	"errors"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// errBrokenPipe is what a driver returns that does not know the errors of layers.
var errBrokenPipe = errors.New("broken pipe")

// unknown makes an error of layers one that nobody knows.
func unknown(err, known error) error {
	if errors.Is(err, known) {
		return errBrokenPipe
	}
	return err
}

// hidden makes no error of one of layers.
func hidden(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}

func brokenLives() []brokenDriver {
	return []brokenDriver{
		{at: testkit.Here(), name: "leaves Pull waiting when it is closed", cases: []string{"close-ends-pulls"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.queuer().Pull(ctx, channel)
				if errors.Is(err, layers.ErrLayerClosed) {
					<-ctx.Done()
				}
				return e, err
			}
		}},
		{at: testkit.Here(), name: "has Pull fail with an unknown error", cases: []string{"close-ends-pulls"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.queuer().Pull(ctx, channel)
				return e, unknown(err, layers.ErrLayerClosed)
			}
		}},
		{at: testkit.Here(), name: "has Publish fail with an unknown error", cases: []string{"close-while-sending", "down"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				return unknown(unknown(b.good.Publish(ctx, group, e), layers.ErrLayerClosed), layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "leaves Publish waiting when it is closed", cases: []string{"close-while-sending"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				err := b.good.Publish(ctx, group, e)
				if errors.Is(err, layers.ErrLayerClosed) {
					<-b.ctx.Done()
				}
				return err
			}
		}},
		{at: testkit.Here(), name: "blocks in Close", cases: []string{"fan-out", "a-node-leaves", "layer-join"}, harm: func(b *broken) {
			b.close = func(ctx context.Context) error {
				<-b.ctx.Done()
				return b.good.Close(forever(ctx))
			}
		}},
		{at: testkit.Here(), name: "delivers after Close", cases: []string{"silence-after-close"}, harm: func(b *broken) {
			b.close = func(context.Context) error { return nil }
		}},
		{at: testkit.Here(), name: "fails when a node has left", cases: []string{"a-node-leaves"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				if b.world.somebodyLeft.Load() {
					return errBrokenPipe
				}
				return b.good.Publish(ctx, group, e)
			}
		}},
		{at: testkit.Here(), name: "fails when a node has died", cases: []string{"a-node-dies"}, harm: func(b *broken) {
			b.group = func(group string, e *protocol.Event) {
				if !b.world.somebodyDied.Load() {
					b.to.Group(group, e)
				}
			}
		}},
		{at: testkit.Here(), name: "does not say that it is down", cases: []string{"down", "down-and-up"}, harm: func(b *broken) {
			b.state = func(error) {}
		}},
		{at: testkit.Here(), name: "does not say that it is up", cases: []string{"down-and-up", "subscribe-while-down"}, harm: func(b *broken) {
			b.state = func(cause error) {
				if cause != nil {
					b.to.State(cause)
				}
			}
		}},
		{at: testkit.Here(), name: "throws away what is published while it is down", cases: []string{"down"}, harm: func(b *broken) {
			b.publish = func(ctx context.Context, group string, e *protocol.Event) error {
				return hidden(b.good.Publish(ctx, group, e), layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "throws away what is sent while it is down", cases: []string{"down", "queues-down"}, harm: func(b *broken) {
			b.send = func(ctx context.Context, channel string, e *protocol.Event) error {
				return hidden(b.sendOn(ctx, channel, e), layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "goes on pulling while it is down", cases: []string{"queues-down"}, harm: func(b *broken) {
			b.pull = func(ctx context.Context, channel string) (*protocol.Event, error) {
				e, err := b.queuer().Pull(ctx, channel)
				if errors.Is(err, layers.ErrDown) {
					<-ctx.Done()
				}
				return e, err
			}
		}},
		{at: testkit.Here(), name: "starts without a back end", cases: []string{"start-while-down"}, harm: func(b *broken) {
			b.start = func(ctx context.Context, r layers.Receiver) error {
				return hidden(b.good.Start(ctx, r), layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "tells of no gap", cases: []string{"down-and-up"}, harm: func(b *broken) {
			b.gap = func(...string) {}
		}},
		{at: testkit.Here(), name: "tells of a gap in strange groups", cases: []string{"down-and-up"}, harm: func(b *broken) {
			b.gap = func(...string) { b.to.Gap("stranger") }
		}},
		{at: testkit.Here(), name: "does not subscribe again", cases: []string{"down-and-up", "subscribe-while-down"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				b.count(add, drop)
				return b.good.Subscribe(ctx, add, drop)
			}
			b.state = func(cause error) {
				for g := range b.wanted {
					_ = b.good.Subscribe(b.ctx, nil, []string{g})
				}
				b.to.State(cause)
			}
		}},
		{at: testkit.Here(), name: "forgets what it is asked for while it is down", cases: []string{"subscribe-while-down"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				err := b.good.Subscribe(ctx, add, drop)
				if errors.Is(err, layers.ErrDown) {
					_ = b.good.Subscribe(ctx, drop, add)
				}
				return err
			}
		}},
		{at: testkit.Here(), name: "hides that it is down from Subscribe", cases: []string{"subscribe-while-down"}, harm: func(b *broken) {
			b.change = func(ctx context.Context, add, drop []string) error {
				return hidden(b.good.Subscribe(ctx, add, drop), layers.ErrDown)
			}
		}},
		{at: testkit.Here(), name: "does not wait for the back end", cases: []string{"slow"}, harm: func(b *broken) {
			b.publish = func(_ context.Context, group string, e *protocol.Event) error {
				b.later(func() { _ = b.good.Publish(b.ctx, group, e) })
				return nil
			}
		}},
	}
}
