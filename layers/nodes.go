package layers

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// nodes are the others of a layer whose driver connects it to other nodes, or may. No call
// takes longer than driver.CallTimeout.
type nodes struct {
	driver   Driver
	counters *counters
}

// publish comes after the delivery in this process, which may have closed the connection
// whose callback sends, and canceled its ctx: the other nodes receive e all the same.
func (n nodes) publish(ctx context.Context, group string, e *protocol.Event) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		ctx = context.WithoutCancel(ctx)
	}
	return n.callCounted(ctx, func(ctx context.Context) error { return n.driver.Publish(ctx, group, e) })
}

func (n nodes) publishMessage(ctx context.Context, group string, p *protocol.Prepared) error {
	return n.publish(ctx, group, p.Event())
}

func (n nodes) send(ctx context.Context, channel string, e *protocol.Event) error {
	return n.callCounted(ctx, func(ctx context.Context) error { return n.driver.Send(ctx, channel, e) })
}

func (n nodes) callCounted(ctx context.Context, f func(ctx context.Context) error) error {
	err := n.call(ctx, f)
	n.counters.countGiven(err)
	return err
}

func (nodes) call(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, driver.CallTimeout)
	defer cancel()
	err := f(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: it has not answered within %v: %w", ErrDown, driver.CallTimeout, err)
	}
	return err
}

// noNodes are the others of a layer that has no other nodes. Its driver waits for no back
// end.
type noNodes struct{ counters *counters }

func (noNodes) publish(context.Context, string, *protocol.Event) error { return nil }

func (noNodes) publishMessage(context.Context, string, *protocol.Prepared) error { return nil }

func (n noNodes) send(ctx context.Context, channel string, e *protocol.Event) error {
	n.counters.countUnheard(ctx, channel, e.Type())
	return ErrNobody
}

func (noNodes) call(ctx context.Context, f func(ctx context.Context) error) error { return f(ctx) }

func (n noNodes) callCounted(ctx context.Context, f func(ctx context.Context) error) error {
	err := f(ctx)
	if errors.Is(err, ErrFull) {
		n.counters.countGiven(err)
	}
	return err
}
