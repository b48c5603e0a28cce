package layers

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/layers/internal/subscription"
	"github.com/wye-go/wye/protocol"
)

// backEnd is a layer's driver, and what the layer does for the sake of other nodes.
type backEnd struct {
	others

	driver  Driver
	groups  *subscription.Groups // what the driver is subscribed to; nil if there are no other nodes
	lasting bool                 // Layer.Close does not close it
}

// endCall ends a call that others.startCall has started.
type endCall func(err error) error

// others is how a layer makes calls that are for other nodes, or that wait for a back end.
type others interface {
	// publish sends e to group on all other nodes.
	publish(ctx context.Context, group string, e *protocol.Event) error
	// publishMessage is publish for a message. It makes an event of p only if there are
	// other nodes: p's memory is used again only if there is none.
	publishMessage(ctx context.Context, group string, p *protocol.Prepared) error
	// send sends e to a consumer's channel, which is not of this node.
	send(ctx context.Context, channel string, e *protocol.Event) error
	// startCall returns the ctx of a call of the driver that this layer's caller waits for,
	// and the function that ends it: it takes the driver's error and returns the caller's.
	startCall(ctx context.Context) (context.Context, endCall)
	// startGiving is startCall for a call that gives the driver an event.
	startGiving(ctx context.Context) (context.Context, endCall)
}

// queuer returns the driver, if it has named channels.
func (b *backEnd) queuer() (Queuer, error) {
	if d, ok := b.driver.(Queuer); ok {
		return d, nil
	}
	return nil, b.unsupported("has no named channels", "layers.Queuer")
}

// historian returns the driver, if it keeps history.
func (b *backEnd) historian() (Historian, error) {
	if d, ok := b.driver.(Historian); ok {
		return d, nil
	}
	return nil, b.unsupported("keeps no history", "layers.Historian")
}

// presencer returns the driver if it implements presence.
func (b *backEnd) presencer() (Presencer, error) {
	if d, ok := b.driver.(Presencer); ok {
		return d, nil
	}
	return nil, b.unsupported("does not know who is present", "layers.Presencer")
}

func (b *backEnd) unsupported(what, name string) error {
	return fmt.Errorf("wye: the layer's driver %T %s, because it is not a %s; use one that is, or memory.New for this process only: %w",
		b.driver, what, name, errors.ErrUnsupported)
}
