package layers

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// nodes are the others of a layer whose driver connects it to other nodes, or may. No call
// takes longer than driver.CallTimeout.
type nodes struct {
	driver   Driver
	counters *counters
	limit    *lazyctx.Limit
}

// publish comes after the delivery in this process, which may have closed the connection
// whose callback sends, and canceled its ctx: the other nodes receive e all the same.
func (n nodes) publish(ctx context.Context, group string, e *protocol.Event) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		ctx = context.WithoutCancel(ctx)
	}
	plumbing.WillWait(ctx)
	bounded, release := n.limit.Context(ctx)
	defer release()
	return n.given(outcome(ctx, bounded, n.driver.Publish(bounded, group, e)))
}

func (n nodes) publishMessage(ctx context.Context, group string, p *protocol.Prepared) error {
	return n.publish(ctx, group, p.Event())
}

func (n nodes) send(ctx context.Context, channel string, e *protocol.Event) error {
	ctx, end := n.startGiving(ctx)
	return end(n.driver.Send(ctx, channel, e))
}

func (n nodes) startGiving(ctx context.Context) (context.Context, endCall) {
	ctx, end := n.startCall(ctx)
	return ctx, func(err error) error { return n.given(end(err)) }
}

// given counts an event that was given to the driver, and returns the sender's error.
func (n nodes) given(err error) error {
	n.counters.countGiven(err)
	if errors.Is(err, ErrDown) {
		return unsentError{err}
	}
	return err
}

// unsentError is the error of a send that the driver has not taken, because the back end is
// down. It also matches plumbing.ErrUnsent: a callback may return it.
type unsentError struct{ error }

// Is reports whether the error matches target. There is no Unwrap, because the driver's error
// may join others, which do not match plumbing.ErrUnsent.
func (e unsentError) Is(target error) bool {
	return target == plumbing.ErrUnsent || errors.Is(e.error, target)
}

// As finds the first error that target can hold.
func (e unsentError) As(target any) bool { return errors.As(e.error, target) }

func (n nodes) startCall(ctx context.Context) (context.Context, endCall) {
	plumbing.WillWait(ctx)
	bounded, release := n.limit.Context(ctx)
	return bounded, func(err error) error {
		defer release()
		return outcome(ctx, bounded, err)
	}
}

// outcome returns what a call returns to the caller that has passed ctx, if the driver, which
// was passed bounded, has returned err.
func outcome(ctx, bounded context.Context, err error) error {
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: it has not answered within %v: %w", ErrDown, driver.CallTimeout, err)
	}
	return err
}

// noNodes are the others of a layer that has no other nodes. Its driver waits for no back
// end.
type noNodes struct {
	counters  *counters
	endGiving endCall // counts events that a named channel had no room for
}

func newNoNodes(c *counters) noNodes {
	return noNodes{c, func(err error) error {
		if errors.Is(err, ErrChannelFull) {
			c.countGiven(err)
		}
		return err
	}}
}

func (noNodes) publish(context.Context, string, *protocol.Event) error { return nil }

func (noNodes) publishMessage(context.Context, string, *protocol.Prepared) error { return nil }

func (n noNodes) send(ctx context.Context, channel string, e *protocol.Event) error {
	n.counters.countUnheard(ctx, channel, e.Type())
	return ErrNoConsumer
}

func (noNodes) startCall(ctx context.Context) (context.Context, endCall) {
	return ctx, func(err error) error { return err }
}

func (n noNodes) startGiving(ctx context.Context) (context.Context, endCall) {
	return ctx, n.endGiving
}
