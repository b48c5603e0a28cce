package layertest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
)

// local is what the suite asks of a layer without a driver: all of its methods that
// carry something.
type local interface { //nolint:interfacebloat // it is all that there is
	Join(ctx context.Context, group string, m layers.Member) error
	Leave(group string, m layers.Member)
	GroupSendExcept(ctx context.Context, group string, e *protocol.Event, but layers.Member) error
	Bind(channel string, m layers.Member) (unbind func(), err error)
	Send(ctx context.Context, channel string, e *protocol.Event) error
	Pull(ctx context.Context, channel string) (*protocol.Event, error)
	Record(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error)
	History(ctx context.Context, group string, r layers.Range) (layers.History, error)
	Enter(ctx context.Context, group string, p layers.Presence) error
	Exit(ctx context.Context, group, id string) error
	ExitAfter(ctx context.Context, group, id string, linger time.Duration) error
	Present(ctx context.Context, group string) ([]layers.Presence, error)
	PresentKey(ctx context.Context, group, key string) ([]layers.Presence, error)
	CountPresent(ctx context.Context, group string) (layers.PresenceCount, error)
}

var _ local = (*layers.Layer)(nil)

// within makes a back end of a layer of one process, so that the suite of drivers can
// be run on it: each node is a member of the layer, and the layer does all that a
// broker would. What a node does by itself is little: it copies what comes, as it would
// from a wire, and ends.
type within struct {
	layer local
	mu    struct {
		sync.Mutex
		nodes map[string]*guest
	}
}

// guest is a node of a within.
type guest struct {
	of   *within
	to   layers.Receiver
	over context.Context //nolint:containedctx // the node's life
	end  context.CancelCauseFunc
	busy sync.RWMutex // locked for reading while it is told something
	mu   struct {
		sync.Mutex
		groups  map[string]*listener
		bound   map[string]func()
		present []seat
	}
}

// listener is a guest in one group or channel.
type listener struct {
	guest *guest
	tell  func(e *protocol.Event)
}

// Deliver copies e, as a wire does.
func (l *listener) Deliver(e *protocol.Event) bool {
	l.guest.busy.RLock()
	defer l.guest.busy.RUnlock()
	if l.guest.over.Err() == nil {
		l.tell(copied(e))
	}
	return false
}

// copied is e as it comes from a wire.
func copied(e *protocol.Event) *protocol.Event {
	body, err := e.Wire()
	if err != nil {
		panic(err) // it is sealed
	}
	mine, err := protocol.FromWire(e.Type(), bytes.Clone(body))
	if err != nil {
		panic(err)
	}
	return mine.At(e.Position())
}

// Offer is Deliver.
// Watches has the layer tell the listener all that it tells anybody, as it would a
// driver.
func (l *listener) Watches(string) bool { return true }

func (l *listener) Offer(p *protocol.Prepared) bool { return l.Deliver(p.Event()) }

func newWithin(l local) *within {
	w := &within{layer: l}
	w.mu.nodes = make(map[string]*guest)
	return w
}

// node returns the driver of another node.
func (w *within) node() *guest {
	g := &guest{of: w}
	g.over, g.end = context.WithCancelCause(context.Background())
	g.mu.groups, g.mu.bound = make(map[string]*listener), make(map[string]func())
	return g
}

func (g *guest) Start(ctx context.Context, r layers.Receiver) error {
	g.to = r
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	g.of.mu.nodes[r.Node()] = g
	return context.Cause(ctx)
}

// usable says why there is nothing to do any more. Of a ctx that has ended the layer
// takes notice.
func (g *guest) usable() error { return context.Cause(g.over) }

func (g *guest) Subscribe(ctx context.Context, add, drop []string) error {
	if err := g.usable(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // of a Leave nobody would
	}
	for _, group := range drop {
		g.of.layer.Leave(group, g.member(group, true))
	}
	for _, group := range add {
		if err := g.of.layer.Join(ctx, group, g.member(group, false)); err != nil {
			return err
		}
	}
	return nil
}

// member is the guest in group, which it forgets if drop says so.
func (g *guest) member(group string, drop bool) *listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.mu.groups[group]
	if m == nil {
		m = &listener{g, func(e *protocol.Event) { g.to.Group(group, e) }}
		g.mu.groups[group] = m
	}
	if drop {
		delete(g.mu.groups, group)
	}
	return m
}

func (g *guest) Publish(ctx context.Context, group string, e *protocol.Event) error {
	if err := g.usable(); err != nil {
		return err
	}
	g.mu.Lock()
	me := g.mu.groups[group]
	g.mu.Unlock()
	if me == nil {
		return g.of.layer.GroupSendExcept(ctx, group, e, nil)
	}
	return g.of.layer.GroupSendExcept(ctx, group, e, me)
}

// Send binds channels of nodes when somebody sends there: in a layer the consumers do.
func (g *guest) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if err := g.usable(); err != nil {
		return err
	}
	if node, specific := specificNode(channel); specific {
		g.of.mu.Lock()
		to := g.of.mu.nodes[node]
		g.of.mu.Unlock()
		if to != nil {
			to.bind(channel)
		}
	}
	return g.of.layer.Send(ctx, channel, e)
}

func (g *guest) bind(channel string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.bound[channel] != nil || g.over.Err() != nil {
		return
	}
	unbind, err := g.of.layer.Bind(channel, &listener{g, func(e *protocol.Event) { g.to.Channel(channel, e) }})
	if err != nil {
		panic(err)
	}
	g.mu.bound[channel] = unbind
}

func (g *guest) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(g.over, func() { cancel(context.Cause(g.over)) })
	defer stop()
	return g.of.layer.Pull(ctx, channel)
}

func (g *guest) Append(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error) {
	if err := g.usable(); err != nil {
		return protocol.Position{}, err
	}
	return g.of.layer.Record(ctx, group, e, k)
}

// Read copies what was read, as a wire does.
func (g *guest) Read(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	if err := g.usable(); err != nil {
		return layers.History{}, err
	}
	h, err := g.of.layer.History(ctx, group, r)
	for i, e := range h.Events {
		h.Events[i] = copied(e)
	}
	return h, err
}

func (g *guest) Enter(ctx context.Context, group string, p layers.Presence) error {
	if err := g.usable(); err != nil {
		return err
	}
	g.mu.Lock()
	g.mu.present = append(g.mu.present, seat{group, p.ID})
	g.mu.Unlock()
	return g.of.layer.Enter(ctx, group, p)
}

func (g *guest) Exit(ctx context.Context, group, id string, linger time.Duration) error {
	if err := g.usable(); err != nil {
		return err
	}
	if linger > 0 {
		return g.of.layer.ExitAfter(ctx, group, id, linger)
	}
	return g.of.layer.Exit(ctx, group, id)
}

func (g *guest) Present(ctx context.Context, group, key string) ([]layers.Presence, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	if key != "" {
		return g.of.layer.PresentKey(ctx, group, key)
	}
	return g.of.layer.Present(ctx, group)
}

func (g *guest) Count(ctx context.Context, group string) (layers.PresenceCount, error) {
	if err := g.usable(); err != nil {
		return layers.PresenceCount{}, err
	}
	return g.of.layer.CountPresent(ctx, group)
}

// Close leaves everything, as consumers do.
func (g *guest) Close(ctx context.Context) error {
	g.finish()
	g.mu.Lock()
	defer g.mu.Unlock()
	for group, m := range g.mu.groups {
		g.of.layer.Leave(group, m)
	}
	for _, unbind := range g.mu.bound {
		unbind()
	}
	for _, at := range g.mu.present {
		if err := g.of.layer.Exit(ctx, at.group, at.id); err != nil {
			return err
		}
	}
	return nil
}

// finish ends the node. When it has returned, nothing is told any more.
func (g *guest) finish() {
	g.busy.Lock()
	defer g.busy.Unlock()
	g.end(layers.ErrClosed)
}

// inMemory is the suite of a layer without a driver. There is nothing that could be
// slow, go down or die.
func inMemory(l local) *Suite {
	w := newWithin(l)
	return &Suite{
		New:    func(*testing.T) layers.Driver { return w.node() },
		Expire: func() { <-time.After(time.Minute) },
	}
}

// ofMemory are the cases that a layer without a driver can be asked.
func ofMemory(t *testing.T) []testCase {
	t.Helper()
	suite := inMemory(memory.New())
	var all []testCase
	var not []string
	// What these are about the guest does, and not the layer.
	guests := []string{"close-while-sending", "silence-after-close", "own-bytes"}
	for _, c := range cases() {
		if c.lacks(suite, suite.New(t)) == "" && !slices.Contains(guests, c.name) {
			all = append(all, c)
		} else {
			not = append(not, c.name)
		}
	}
	want := []string{"own-bytes", "close-while-sending", "silence-after-close", "a-node-dies", "down", "start-while-down", "down-and-up",
		"subscribe-while-down", "slow", "history-restart", "presence-node-dies", "presence-down"}
	if !slices.Equal(not, want) {
		t.Errorf("of a layer without a driver are not asked %q, want only those about a back end that fails, and those: %q", not, want)
	}
	return all
}

// A layer without a driver, which is what most programs have, keeps the promises of
// drivers.
func TestMemoryKeepsThePromisesOfDrivers(t *testing.T) {
	t.Parallel()
	for _, c := range ofMemory(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, err := range c.try(t, inMemory(memory.New())) {
					t.Errorf("%v\nthe rule: %s", err, c.why)
				}
			})
		})
	}
}
