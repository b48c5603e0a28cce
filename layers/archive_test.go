package layers_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// bare is a driver that does as little as one may: no other nodes.
type bare struct{ receiver layers.Receiver }

func (d *bare) Start(_ context.Context, r layers.Receiver) error { d.receiver = r; return nil }

func (*bare) Subscribe(context.Context, []string, []string) error    { return nil }
func (*bare) Publish(context.Context, string, *protocol.Event) error { return nil }
func (*bare) Send(context.Context, string, *protocol.Event) error    { return nil }
func (*bare) Close(context.Context) error                            { return nil }

// archive is a driver with history and presence. What is appended is delivered a
// while later, and reading may be held up.
type archive struct {
	bare
	before, after func(ctx context.Context) error // reading; nil: at once

	mu struct {
		sync.Mutex
		rings   map[string]*store.History
		epoch   int
		waiting []func()
		running bool
		crowd   store.Presences[*archive]
	}
}

var (
	_ layers.Historian = (*archive)(nil)
	_ layers.Presencer = (*archive)(nil)
)

func (d *archive) Append(_ context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.rings == nil {
		d.mu.epoch++
		d.mu.rings = make(map[string]*store.History)
	}
	r := d.mu.rings[group]
	if r == nil {
		r = store.NewHistory(fmt.Sprint("E", d.mu.epoch))
		d.mu.rings[group] = r
	}
	e = r.Append(e, k, time.Now())
	d.later(func() { d.receiver.Group(group, e) })
	return e.Position(), nil
}

// later has f called behind what waits.
func (d *archive) later(f func()) {
	d.mu.waiting = append(d.mu.waiting, f)
	if !d.mu.running {
		d.mu.running = true
		go d.run()
	}
}

func (d *archive) run() {
	for {
		d.mu.Lock()
		if len(d.mu.waiting) == 0 {
			d.mu.running = false
			d.mu.Unlock()
			return
		}
		f := d.mu.waiting[0]
		d.mu.waiting = d.mu.waiting[1:]
		d.mu.Unlock()
		f()
	}
}

func (d *archive) Read(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	if d.before != nil {
		if err := d.before(ctx); err != nil {
			return layers.History{}, err
		}
	}
	d.mu.Lock()
	h := d.mu.rings[group].Read(r, time.Now())
	d.mu.Unlock()
	if d.after != nil {
		return h, d.after(ctx)
	}
	return h, nil
}

// lose loses all history.
func (d *archive) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.rings = nil
}

func (d *archive) Enter(_ context.Context, group string, p layers.Presence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tell(group, d.mu.crowd.Enter(p, d))
	return nil
}

func (d *archive) Exit(_ context.Context, group, id string, _ time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tell(group, d.mu.crowd.Exit(id, d))
	return nil
}

func (d *archive) tell(group string, changes []store.Change) {
	for _, c := range changes {
		d.later(func() { d.receiver.Group(group, c.Event(group)) })
	}
}

func (d *archive) Count(context.Context, string) (layers.PresenceCount, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.crowd.Count(), nil
}

func (d *archive) Present(_ context.Context, _, key string) ([]layers.Presence, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.crowd.Present(key), nil
}
