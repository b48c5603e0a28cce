package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// Driver is the driver of one node. [New] and [Hub.Node] make one. Pass it to layers.Open
// once.
type Driver struct {
	hub *Hub

	// Set by Start.
	name     string
	receiver driver.Receiver

	closed atomic.Bool // set with mu locked

	mu struct {
		sync.Mutex
		started   bool
		receiving int           // calls of the receiver
		idle      chan struct{} // closed when there are none; nil until Close waits
	}
}

var (
	_ driver.Local     = (*Driver)(nil)
	_ driver.Queuer    = (*Driver)(nil)
	_ driver.Historian = (*Driver)(nil)
	_ driver.Presencer = (*Driver)(nil)
)

// Local reports whether [New] has made d: then there are no other nodes.
func (d *Driver) Local() bool { return d.hub.only != nil }

// Start connects r, as the contract of driver.Driver says.
func (d *Driver) Start(ctx context.Context, r driver.Receiver) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.started {
		return errors.New("wye: memory: the driver has been opened before; make another one for another layer")
	}
	d.hub.nodes.Lock()
	defer d.hub.nodes.Unlock()
	name := r.Node()
	if d.hub.nodes.byName[name] != nil {
		return fmt.Errorf("wye: memory: two nodes have the name %q", name)
	}
	d.name, d.receiver, d.mu.started = name, r, true
	d.hub.nodes.byName[name] = d
	return nil
}

// Subscribe subscribes the node to groups and unsubscribes it: see [driver.Driver].
func (d *Driver) Subscribe(ctx context.Context, add, drop []string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h := d.hub
	h.nodes.Lock()
	defer h.nodes.Unlock()
	if err := d.closedErr(); err != nil {
		return err
	}
	for _, group := range drop {
		h.unsubscribeLocked(d, group)
	}
	for _, group := range add {
		h.unsubscribeLocked(d, group) // so that it is there once
		h.nodes.byGroup[group] = append(h.nodes.byGroup[group], d)
	}
	return nil
}

// Publish delivers a copy of e to each other node that has subscribed to group, and returns
// when their layers have received it: see [driver.Driver].
func (d *Driver) Publish(ctx context.Context, group string, e *protocol.Event) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	d.hub.publish(group, e, d)
	return nil
}

// Send delivers a copy of e to the node of a consumer's channel: see [driver.Driver].
func (d *Driver) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	name, _ := driver.NodeOf(channel)
	to := d.hub.node(name)
	if to == nil {
		return driver.ErrNoConsumer
	}
	own, err := copyEvent(e)
	if err == nil {
		to.receive(func(r driver.Receiver) { r.Channel(channel, own) })
	}
	return err
}

// Push adds e to a named channel: see [driver.Driver].
func (d *Driver) Push(ctx context.Context, channel string, e *protocol.Event) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	if !d.Local() {
		own, err := copyEvent(e)
		if err != nil {
			return err
		}
		e = own
	}
	return d.hub.channels.push(channel, e)
}

// Pull removes the oldest event of a named channel and returns it: see [driver.Driver].
func (d *Driver) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	return d.hub.channels.pull(ctx, channel, d, d.closedErr)
}

// Expired returns how many events have waited in named channels for too long.
func (d *Driver) Expired() int64 { return d.hub.channels.expired.Load() }

// Append records e: see [driver.Historian]. It returns driver.ErrBehind if a few hundred
// events of the group wait and none is delivered for a second.
func (d *Driver) Append(ctx context.Context, group string, e *protocol.Event, k driver.Retention) (protocol.Position, error) {
	t, err := d.enter(ctx, group)
	if err != nil {
		return protocol.Position{}, err
	}
	now := time.Now()
	t.history = t.history.Continue(now)
	e = t.history.Append(e, k, now)
	t.addAndUnlock([]*protocol.Event{e}, t.deliver, nil)
	d.hub.topics.sweep(now)
	return e.Position(), nil
}

// Read returns the stored events of a group: see [driver.Historian].
func (d *Driver) Read(ctx context.Context, group string, r driver.Range) (driver.History, error) {
	if err := d.usable(ctx); err != nil {
		return driver.History{}, err
	}
	h := d.hub.read(group, r)
	if d.Local() {
		return h, nil
	}
	for i, e := range h.Events {
		own, err := copyEvent(e)
		if err != nil {
			return driver.History{}, err
		}
		h.Events[i] = own
	}
	return h, nil
}

// Enter adds a presence: see [driver.Presencer]. It returns driver.ErrBehind as Append does.
func (d *Driver) Enter(ctx context.Context, group string, p driver.Presence) error {
	t, err := d.enter(ctx, group)
	if err != nil {
		return err
	}
	d.hub.topics.addChangesAndUnlock(t, t.presences.Enter(p, d))
	return nil
}

// Exit removes a presence: see [driver.Presencer]. It does not wait for room: a presence
// exits only once, so that the number of presences bounds these events.
func (d *Driver) Exit(ctx context.Context, group, id string, linger time.Duration) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	t := d.hub.topics.find(group)
	switch {
	case t == nil:
	case linger == 0:
		d.hub.topics.addChangesAndUnlock(t, t.presences.Exit(id, d))
	default:
		if t.presences.Linger(id, d, time.Now().Add(linger)) {
			time.AfterFunc(linger, func() { d.hub.expire(group, id) })
		}
		t.Unlock()
	}
	return nil
}

// Present returns the presences in group: see [driver.Presencer].
func (d *Driver) Present(ctx context.Context, group, key string) ([]driver.Presence, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	t := d.hub.topics.find(group)
	if t == nil {
		return nil, nil
	}
	defer t.Unlock()
	return t.presences.Present(key), nil
}

// Count returns how many presences and keys are in group: see [driver.Presencer].
func (d *Driver) Count(ctx context.Context, group string) (driver.PresenceCount, error) {
	if err := d.usable(ctx); err != nil {
		return driver.PresenceCount{}, err
	}
	t := d.hub.topics.find(group)
	if t == nil {
		return driver.PresenceCount{}, nil
	}
	defer t.Unlock()
	return t.presences.Count(), nil
}

// Close removes the node from its hub, with all presences that it has entered: see
// [driver.Driver].
func (d *Driver) Close(ctx context.Context) error {
	idle := d.close()
	d.hub.removeNode(d)
	d.hub.channels.dismiss(d, driver.ErrLayerClosed)
	d.hub.exitAll(d)
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close marks d as closed and returns a channel that is closed when the receiver is no
// longer called.
func (d *Driver) close() (idle <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed.Store(true)
	d.mu.idle = make(chan struct{})
	if d.mu.receiving == 0 {
		close(d.mu.idle)
	}
	return d.mu.idle
}

// receive calls the receiver, unless d has been closed.
func (d *Driver) receive(call func(driver.Receiver)) {
	if !d.startReceiving() {
		return
	}
	defer d.endReceiving()
	call(d.receiver)
}

func (d *Driver) startReceiving() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed.Load() {
		return false
	}
	d.mu.receiving++
	return true
}

func (d *Driver) endReceiving() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.receiving--
	if d.mu.receiving == 0 && d.mu.idle != nil {
		close(d.mu.idle)
	}
}

// usable returns the error of a call that cannot be made.
func (d *Driver) usable(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.closedErr()
}

func (d *Driver) closedErr() error {
	if d.closed.Load() {
		return driver.ErrLayerClosed
	}
	return nil
}

// enter returns the topic of group, locked, with room for an event, unless the call cannot
// be made.
func (d *Driver) enter(ctx context.Context, group string) (*topic, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	t, err := d.hub.topics.enter(ctx, group)
	if err != nil {
		return nil, err
	}
	if err := d.closedErr(); err != nil { // Close does not find what is added now
		t.Unlock()
		return nil, err
	}
	return t, nil
}
