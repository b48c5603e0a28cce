package layers_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
)

// meddling is a driver whose Subscribe is the test's.
type meddling struct {
	layers.Driver
	subscribe func(ctx context.Context, add, drop []string) error
	closed    atomic.Bool
}

func (d *meddling) Subscribe(ctx context.Context, add, drop []string) error {
	return d.subscribe(ctx, add, drop)
}

func (d *meddling) Close(ctx context.Context) error {
	d.closed.Store(true)
	return d.Driver.Close(ctx)
}

// open returns a layer over a node of b, and closes it at the end.
func open(t *testing.T, d layers.Driver) *layers.Layer {
	t.Helper()
	l, err := layers.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLeaveAfterCloseDoesNotCallTheDriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &meddling{Driver: layertest.NewBroker(nil).Node()}
		d.subscribe = func(ctx context.Context, add, drop []string) error {
			if d.closed.Load() {
				t.Errorf("Subscribe(%q, %q) after Close", add, drop)
			}
			return d.Driver.Subscribe(ctx, add, drop)
		}
		l, m := open(t, d), &member{}
		join(t, l, "g", m)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Leave("g", m)
		synctest.Wait()
		if err := l.Join(t.Context(), "g", m); !errors.Is(err, layers.ErrLayerClosed) {
			t.Errorf("Join after Close returned %v, want ErrClosed", err)
		}
	})
}

func TestCloseDoesNotWaitForSubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		l, joined := open(t, b.Node()), make(chan error, 2)
		b.Slow(1 << 40)
		for _, g := range []string{"g", "h"} { // h waits for the next round
			go func() { joined <- l.Join(context.Background(), g, &member{}) }()
			synctest.Wait()
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for range cap(joined) {
			if err := <-joined; !errors.Is(err, layers.ErrLayerClosed) {
				t.Errorf("Join that waited returned %v, want ErrClosed", err)
			}
		}
	})
}

// Somebody joins while the driver is about to fail for somebody who has left
// meanwhile: the driver must be asked again.
func TestJoinIsNotToldOfSomebodyElsesFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		d := &meddling{Driver: b.Node()}
		fail, calls := make(chan error), 0
		d.subscribe = func(ctx context.Context, add, drop []string) error {
			calls++
			if calls == 1 {
				return <-fail
			}
			return d.Driver.Subscribe(ctx, add, drop)
		}
		l, other, m := open(t, d), open(t, b.Node()), &member{}
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- l.Join(ctx, "g", &member{}) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Fatalf("Join returned %v, want that its ctx was cancelled", err)
		}
		go func() { second <- l.Join(t.Context(), "g", m) }()
		synctest.Wait()
		fail <- errors.New("something else")
		if err := <-second; err != nil {
			t.Fatalf("Join returned %v", err)
		}
		send(t, other, "other", 1)
		synctest.Wait()
		if notes, _ := m.got(); notes != 1 {
			t.Errorf("the member got %d notes, want 1: Join returned nil", notes)
		}
	})
}
