package layers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/layers"
)

// closing is a driver that notices when it is told something after its end.
type closing struct {
	bare
	closed, late atomic.Bool
}

func (d *closing) Subscribe(context.Context, []string, []string) error {
	if d.closed.Load() {
		d.late.Store(true)
	}
	return nil
}

func (d *closing) Close(context.Context) error {
	d.closed.Store(true)
	return nil
}

// TestAClosedLayerLeavesItsDriverAlone, although members still leave, and others
// were just about to join.
func TestAClosedLayerLeavesItsDriverAlone(t *testing.T) {
	t.Parallel()
	for range 50 {
		d := &closing{}
		l, err := layers.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		m := &member{}
		join(t, l, "g", m)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				err := l.Join(context.Background(), "h", &member{})
				if err != nil && !errors.Is(err, layers.ErrClosed) {
					t.Error(err)
				}
			})
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		l.Leave("g", m)
		wg.Wait()
		if err := l.Join(t.Context(), "g", m); !errors.Is(err, layers.ErrClosed) {
			t.Errorf("Join afterwards: %v", err)
		}
		if d.late.Load() {
			t.Fatal("the driver was told of groups after it was closed")
		}
	}
}
