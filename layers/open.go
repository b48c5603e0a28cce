package layers

import (
	"context"
	"errors"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/subscription"
	"github.com/wye-go/wye/layers/memory"
)

// Open starts the driver d and returns a layer that uses it. ctx bounds only the start. Open
// returns the error of the driver or of ctx.
func Open(ctx context.Context, d Driver) (*Layer, error) {
	if d == nil {
		return nil, errors.New("wye: layers.Open: the driver is nil; for a layer within this process use layers.Default or memory.New")
	}
	l := new(Layer)
	b, r := newBackEnd(d, l)
	if err := d.Start(ctx, r); err != nil {
		return nil, errtext.Wrap("wye: starting the layer's driver", err)
	}
	l.opened.Store(b)
	return l, nil
}

// ChannelLimit bounds the events that wait in a named channel of this process.
type ChannelLimit = memory.ChannelLimit

// LocalOptions configure the layer of [NewLocal].
type LocalOptions = memory.Options

// NewLocal returns a layer within this process, with the driver memory.New(o). o may be nil.
// NewLocal panics if memory.New does.
func NewLocal(o *LocalOptions) *Layer {
	l := new(Layer)
	l.openMemory(o)
	return l
}

// newBackEnd returns the back end of a layer whose counters are c, and the receiver that its
// driver starts with.
func newBackEnd(d Driver, l *Layer) (*backEnd, driver.Receiver) {
	if local, ok := d.(driver.Local); ok && local.Local() {
		return &backEnd{driver: d, others: newNoNodes(&l.counters)}, localReceiver{(*receiver)(l)}
	}
	return &backEnd{
		driver: d, others: nodes{d, &l.counters, lazyctx.NewLimit(driver.CallTimeout)},
		groups: subscription.New(d.Subscribe, driver.CallTimeout),
	}, (*receiver)(l)
}

// backEnd returns the layer's back end. That of a zero Layer is made by the first call.
func (l *Layer) backEnd() *backEnd {
	if b := l.opened.Load(); b != nil {
		return b
	}
	return l.openMemory(nil)
}

// openMemory opens a zero Layer. Close does not close it, because it holds nothing that
// outlives it.
func (l *Layer) openMemory(o *memory.Options) *backEnd {
	l.opening.Lock()
	defer l.opening.Unlock()
	if b := l.opened.Load(); b != nil {
		return b
	}
	d := memory.New(o)
	b, r := newBackEnd(d, l)
	if err := d.Start(context.Background(), r); err != nil {
		panic(err) // it has not been started before
	}
	b.lasting = true
	l.opened.Store(b)
	return b
}

// Close stops the driver and releases its resources. Members are not notified: shut down the
// protocol servers first. Later calls of the layer's methods return an error that matches
// ErrLayerClosed. Close has no effect on a layer that was not made by Open.
func (l *Layer) Close(ctx context.Context) error {
	b := l.backEnd()
	if b.lasting || l.closed.Swap(true) {
		return nil
	}
	b.groups.Close()
	err := b.driver.Close(ctx) // has calls that wait return, those of Subscribe too
	b.groups.WaitIdle(ctx)
	return err
}

// usable returns the error of a call that cannot be made. nameErr is that of the name's
// check.
func (l *Layer) usable(ctx context.Context, nameErr error) error {
	switch {
	case nameErr != nil:
		return nameErr
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case l.closed.Load():
		return ErrLayerClosed
	}
	return nil
}
