package layers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
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
				if err != nil && !errors.Is(err, layers.ErrLayerClosed) {
					t.Error(err)
				}
			})
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		l.Leave("g", m)
		wg.Wait()
		if err := l.Join(t.Context(), "g", m); !errors.Is(err, layers.ErrLayerClosed) {
			t.Errorf("Join afterwards: %v", err)
		}
		if d.late.Load() {
			t.Fatal("the driver was told of groups after it was closed")
		}
	}
}

// TestALayerOfThisProcessIsClosedIfOpenHasReturnedIt: others live as long as the process.
func TestALayerOfThisProcessIsClosedIfOpenHasReturnedIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	opened, err := layers.Open(ctx, memory.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		at    testkit.Line
		name  string
		layer *layers.Layer
		want  error
	}{
		{testkit.Here(), "opened", opened, layers.ErrLayerClosed},
		{testkit.Here(), "the zero Layer", new(layers.Layer), nil},
		{testkit.Here(), "by NewLocal", layers.NewLocal(nil), nil},
		{testkit.Here(), "the default", layers.Default(), nil},
	} {
		if err := row.layer.Close(ctx); err != nil {
			t.Errorf("%s: %s: Close returned %v", row.at, row.name, err)
		}
		m := &member{}
		if err := row.layer.Join(ctx, "close.test", m); !errors.Is(err, row.want) {
			t.Errorf("%s: %s: Join after Close returned %v, want %v", row.at, row.name, err, row.want)
		}
		row.layer.Leave("close.test", m)
	}
}

// TestStatsOfALayerOfThisProcess: there are no other nodes to publish to or receive from.
func TestStatsOfALayerOfThisProcess(t *testing.T) {
	t.Parallel()
	l, m, ctx := layers.NewLocal(&layers.LocalOptions{Channels: []layers.ChannelLimit{{Pattern: "*", Capacity: 1}}}), &member{}, t.Context()
	join(t, l, "g", m)
	for range 2 {
		send(t, l, "x", 1)
		record(t, l, 2, layers.Retention{})
		enter(t, l, "1", "ann")
		exit(t, l, "1")
		if err := l.Send(ctx, "jobs", noted().New(note{})); err != nil && !errors.Is(err, layers.ErrChannelFull) {
			t.Error(err)
		}
		if err := l.TrySend(ctx, "specific.ANOTHER!x", noted().New(note{})); !errors.Is(err, layers.ErrNoConsumer) {
			t.Errorf("a send to another node returned %v, want ErrNobody", err)
		}
	}
	if got, want := l.Stats(), (layers.Stats{Full: 1, Unheard: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
