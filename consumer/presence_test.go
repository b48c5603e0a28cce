package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// keys are those who are present in a group.
func keys(t *testing.T, l *layers.Layer, group string) (all []string) {
	t.Helper()
	present, err := l.Present(context.Background(), group)
	if err != nil {
		t.Error(err)
	}
	for _, p := range present {
		all = append(all, p.Key+string(p.Meta))
	}
	return all
}

func TestConnectionsArePresent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		app, l := onLayer(app)
		client := consumertest.Connect(t, app, "/", nil)
		c, ctx := await(t, conns, "the connection"), t.Context()
		rows := []struct {
			at   testkit.Line
			name string
			do   func() error
			err  string
			a, b []string // present in the groups a and b
		}{
			{testkit.Here(), "no", func() error { return c.Exit(ctx, "a") }, "", nil, nil},
			{testkit.Here(), "one", func() error { return c.Enter(ctx, "a", "ann", nil) }, "", []string{"ann"}, nil},
			{testkit.Here(), "two", func() error { return c.Enter(ctx, "b", "ann", 7) }, "", []string{"ann"}, []string{"ann7"}},
			{testkit.Here(), "again", func() error { return c.Enter(ctx, "a", "bob", []int{1}) }, "", []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "no key", func() error { return c.Enter(ctx, "a", "", nil) }, "the key", []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "no JSON", func() error { return c.Enter(ctx, "a", "x", func() {}) }, "unsupported", []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "bad name", func() error { return c.Enter(ctx, "c d", "x", nil) }, `"c d"`, []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "gone", func() error { return c.Exit(ctx, "a") }, "", nil, []string{"ann7"}},
			{testkit.Here(), "gone already", func() error { return c.Exit(ctx, "a") }, "", nil, []string{"ann7"}},
			{testkit.Here(), "back", func() error { return c.Enter(ctx, "a", "ann", nil) }, "", []string{"ann"}, []string{"ann7"}},
			{testkit.Here(), "over", func() error { client.Close(protocol.CloseNormal, ""); client.WantOver(); return nil }, "", nil, nil},
			{testkit.Here(), "too late", func() error { return c.Enter(ctx, "a", "ann", nil) }, protocol.ErrClosed.Error(), nil, nil},
			{testkit.Here(), "no matter", func() error { return c.Exit(ctx, "a") }, "", nil, nil},
		}
		for _, row := range rows {
			err := row.do()
			if (err != nil) != (row.err != "") || err != nil && !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: %s: %v, want %q", row.at, row.name, err, row.err)
			}
			if a, b := keys(t, l, "a"), keys(t, l, "b"); !slices.Equal(a, row.a) || !slices.Equal(b, row.b) {
				t.Errorf("%s: %s: present are %q and %q, want %q and %q", row.at, row.name, a, b, row.a, row.b)
			}
		}
	})
}

// TestNobodyIsPresentAfterTheEnd, whenever it has entered.
func TestNobodyIsPresentAfterTheEnd(t *testing.T) {
	t.Parallel()
	for range 50 {
		app, conns := keep()
		app, l := onLayer(app)
		client := consumertest.Connect(t, app, "/", nil)
		c := await(t, conns, "the connection")
		var wg sync.WaitGroup
		for _, group := range []string{"a", "b", "a"} {
			wg.Go(func() {
				for c.Enter(context.Background(), group, "ann", nil) == nil {
					if err := c.Exit(context.Background(), group); err != nil {
						t.Error(err)
					}
				}
			})
		}
		client.Close(protocol.CloseNormal, "")
		client.WantOver()
		wg.Wait()
		if a, b := keys(t, l, "a"), keys(t, l, "b"); len(a)+len(b) > 0 {
			t.Fatalf("present are %q and %q", a, b)
		}
	}
}

// TestPromise10_ExitAtTheEndHoldsNoLock: whoever is told uses the connection that
// goes.
func TestPromise10_ExitAtTheEndHoldsNoLock(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, l := onLayer(app)
	client := consumertest.Connect(t, app, "/", nil)
	c := await(t, conns, "the connection")
	told := &asker{c: c, done: make(chan error, 2)}
	if err := errors.Join(l.Join(t.Context(), "a", told), c.Enter(t.Context(), "a", "ann", nil)); err != nil {
		t.Fatal(err)
	}
	client.Close(protocol.CloseNormal, "")
	client.WantOver()
	if err := await(t, told.done, "the first event"); err != nil {
		t.Errorf("in the first event the connection says %v", err)
	}
	if err := await(t, told.done, "the second event"); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("in the second event the connection says %v", err)
	}
}

// asker uses a connection in the midst of delivery.
type asker struct {
	nobody
	c    *consumer.Conn
	done chan error
}

func (a *asker) Deliver(*protocol.Event) bool {
	_, err := a.c.Present(context.Background(), "a")
	if len(a.c.Groups()) > 0 || err != nil {
		panic("it is in no group")
	}
	a.done <- a.c.Join(context.Background(), "a")
	a.c.Leave("a")
	return false
}
