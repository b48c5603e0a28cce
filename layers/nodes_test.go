package layers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// watcher is a member that wants to hear of its layer what it lists.
type watcher struct {
	member
	wants []string
}

func (w *watcher) Watches(typ string) bool { return slices.Contains(w.wants, typ) }

// told returns the types of the events that came, and forgets them.
func (m *member) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, e := range m.mu.events {
		all = append(all, e.Type())
	}
	m.mu.events = nil
	return all
}

func TestWatchersAloneAreToldOfTheirLayer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		l := open(t, b.Node())
		down, up, gap := layers.Down.Name, layers.Up.Name, layers.Gap.Name
		members := map[string]*watcher{
			"all":     {wants: []string{down, up, gap}},
			"gap":     {wants: []string{gap}},
			"down":    {wants: []string{down}},
			"nothing": {},
		}
		for _, m := range members {
			join(t, l, "g", m)
			join(t, l, "h", m) // twice a member, told once of what concerns both
		}
		plain, gone := &member{}, &watcher{wants: []string{down, up, gap}}
		join(t, l, "g", plain)
		join(t, l, "g", gone)
		l.Leave("g", gone)
		b.Stop()
		b.Start()
		synctest.Wait()
		want := map[string][]string{
			"all":  {down, up, gap, gap}, // a gap of each group
			"gap":  {gap, gap},
			"down": {down},
		}
		for name, m := range members {
			if got := m.told(); !slices.Equal(got, want[name]) {
				t.Errorf("who watches %s was told %q, want %q", name, got, want[name])
			}
		}
		if got := append(plain.told(), gone.told()...); len(got) != 0 {
			t.Errorf("who is no watcher, or no member, was told %q", got)
		}
	})
}

func TestDownAndGapSayWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		l, w := open(t, b.Node()), &watcher{wants: []string{layers.Down.Name, layers.Gap.Name}}
		join(t, l, "g", w)
		b.Stop()
		b.Start()
		synctest.Wait()
		if len(w.mu.events) != 2 {
			t.Fatalf("the member was told %d things, want 2", len(w.mu.events))
		}
		if o, err := layers.Down.Payload(w.mu.events[0]); err != nil || o.Cause != "the broker has been stopped" {
			t.Errorf("Down: %+v, %v, want the cause", o, err)
		}
		if o, err := layers.Gap.Payload(w.mu.events[1]); err != nil || o.Group != "g" {
			t.Errorf("Gap: %+v, %v, want group g", o, err)
		}
	})
}

// sentry tells its peer what its layer tells it, if it asks.
type sentry struct{ consumer.Base }

func TestConsumersAreToldWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		l := open(t, b.Node())
		newSentry := func(*consumer.Scope) *sentry { return &sentry{} }
		asks := consumer.New(newSentry, consumer.Groups[*sentry]("g"),
			consumer.On(layers.Down, func(s *sentry, ctx context.Context, c *consumer.Conn, o layers.StateEvent) error {
				return c.SendText(ctx, "down: "+o.Cause)
			}),
			consumer.On(layers.Gap, func(s *sentry, ctx context.Context, c *consumer.Conn, o layers.GapEvent) error {
				return c.SendText(ctx, "gap: "+o.Group)
			}))
		silent := consumer.New(newSentry, consumer.Groups[*sentry]("g"))
		one := consumertest.Connect(t, layers.Middleware(l)(asks), "/", nil)
		other := consumertest.Connect(t, layers.Middleware(l)(silent), "/", nil)
		b.Stop()
		b.Start()
		for _, want := range []string{"down: the broker has been stopped", "gap: g"} {
			if got := one.Message().Text(); got != want {
				t.Errorf("the consumer said %q, want %q", got, want)
			}
		}
		if err := l.Broadcast(t.Context(), "g", protocol.Text("end")); err != nil {
			t.Error(err)
		}
		for _, c := range []*consumertest.Client{one, other} {
			if got := c.Message().Text(); got != "end" {
				t.Errorf("the consumer said %q, want nothing before the end", got)
			}
			c.Close(protocol.CloseNormal, "")
			c.WantOver()
		}
	})
}

// unsent reports whether err is that of a send while the back end is down. It does not end the
// connection whose callback returns it.
func unsent(err error) bool {
	return errors.Is(err, layers.ErrDown) && errors.Is(err, plumbing.ErrUnsent)
}

func TestMembersHereGetWhatIsSentWhileDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, b := t.Context(), layertest.NewBroker(nil)
		here, there := open(t, b.Node()), open(t, b.Node())
		near, far := &member{}, &member{}
		join(t, here, "g", near)
		join(t, there, "g", far)
		b.Stop()
		if err := here.GroupSend(ctx, "g", noted().New(note{"x", 1})); !unsent(err) {
			t.Errorf("GroupSend returned %v, want ErrDown that a callback may return", err)
		}
		if err := here.Broadcast(ctx, "g", protocol.Text("x")); !unsent(err) {
			t.Errorf("Broadcast returned %v, want ErrDown that a callback may return", err)
		}
		b.Start()
		synctest.Wait()
		if notes, messages := near.got(); notes != 1 || messages != 1 {
			t.Errorf("the member here got %d notes and %d messages, want one each", notes, messages)
		}
		if notes, messages := far.got(); notes+messages != 0 {
			t.Errorf("the member there got %d notes and %d messages, want none: they were refused", notes, messages)
		}
		if s := here.Stats(); s.Unpublished != 2 || s.Published != 0 || s.Downs != 1 || s.Gaps != 1 {
			t.Errorf("%+v, want 2 unpublished, one down, one gap", s)
		}
	})
}

func TestJoinAndLeaveWhileDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		here, there := open(t, b.Node()), open(t, b.Node())
		late, gone := &member{}, &member{}
		join(t, there, "h", gone)
		b.Stop()
		join(t, there, "g", late)
		there.Leave("h", gone)
		synctest.Wait()
		b.Start()
		send(t, here, "x", 1)
		if err := here.GroupSend(t.Context(), "h", noted().New(note{"x", 1})); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if notes, _ := late.got(); notes != 1 {
			t.Errorf("who joined while it was down got %d notes, want 1", notes)
		}
		if notes, _ := gone.got(); notes != 0 {
			t.Errorf("who left while it was down got %d notes, want none", notes)
		}
		if s := there.Stats(); s.Received != 1 {
			t.Errorf("the node received %d events, want 1: it has dropped the other group", s.Received)
		}
	})
}

func TestStatsOfALayerWithADriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, b := t.Context(), layertest.NewBroker(&layertest.Options{Capacity: 3})
		here, there, m := open(t, b.Node()), open(t, b.Node()), &member{}
		join(t, there, "g", m)
		for n := range 4 {
			send(t, here, "x", n)
		}
		unbind, err := there.Bind(there.NewChannel(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer unbind()
		for n := range 5 {
			if err := here.Send(ctx, "jobs", noted().New(note{"x", n})); n >= 3 != errors.Is(err, layers.ErrChannelFull) {
				t.Errorf("Send %d returned %v", n, err)
			}
		}
		synctest.Wait()
		if got, want := here.Stats(), (layers.Stats{Published: 7, Unheard: 4, Full: 2}); got != want {
			t.Errorf("who sent: %+v, want %+v", got, want)
		}
		if got, want := there.Stats(), (layers.Stats{Received: 4}); got != want {
			t.Errorf("who received: %+v, want %+v", got, want)
		}
		b.Stop()
		if err := here.Send(ctx, "jobs", noted().New(note{"x", 0})); !unsent(err) {
			t.Errorf("Send returned %v, want ErrDown that a callback may return", err)
		}
		if s := here.Stats(); s.Unpublished != 1 {
			t.Errorf("%+v, want one unpublished", s)
		}
	})
}

func TestManyJoinsAreFewCallsOfTheDriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &meddling{Driver: layertest.NewBroker(nil).Node()}
		calls, groups := 0, 0
		d.subscribe = func(ctx context.Context, add, drop []string) error {
			calls, groups = calls+1, groups+len(add)
			<-time.After(time.Second)
			return d.Driver.Subscribe(ctx, add, drop)
		}
		l := open(t, d)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				for _, g := range []string{"same", fmt.Sprint(i)} {
					join(t, l, g, &member{})
				}
			})
		}
		all.Wait()
		if calls > 4 || groups != 1001 {
			t.Errorf("2000 joins of 1001 groups were %d calls of Subscribe with %d groups, want all groups in 4 calls at most", calls, groups)
		}
	})
}

func TestGroupSendExceptAndChannelsAcrossNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, b := t.Context(), layertest.NewBroker(nil)
		here, there := open(t, b.Node()), open(t, b.Node())
		me, near, far := &member{}, &member{}, &member{}
		join(t, here, "g", me)
		join(t, here, "g", near)
		join(t, there, "g", far)
		if err := here.GroupSendExcept(ctx, "g", noted().New(note{"x", 1}), me); err != nil {
			t.Error(err)
		}
		own := there.NewChannel()
		unbind, err := there.Bind(own, far)
		if err != nil {
			t.Fatal(err)
		}
		if err := here.Send(ctx, own, noted().New(note{"x", 2})); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		unbind()
		if err := here.Send(ctx, own, noted().New(note{"x", 3})); err != nil {
			t.Error(err)
		}
		if err := there.Send(ctx, own, noted().New(note{"x", 4})); err != nil {
			t.Error(err)
		}
		if s := there.Stats(); s.Published != 0 {
			t.Errorf("what was sent to a consumer of this node that has gone was given to the driver")
		}
		synctest.Wait()
		for name, row := range map[string]struct {
			m    *member
			want []int
		}{"left out": {me, nil}, "here": {near, []int{1}}, "there": {far, []int{1, 2}}} {
			if got := row.m.heard("x"); !slices.Equal(got, row.want) {
				t.Errorf("the member %s got %v, want %v", name, got, row.want)
			}
		}
	})
}

func TestAClosedLayerTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, b := t.Context(), layertest.NewBroker(nil)
		l, there := open(t, b.Node()), open(t, b.Node())
		m := &member{}
		join(t, l, "g", m)
		pulled := make(chan error, 1)
		go func() {
			_, err := l.Pull(ctx, "jobs")
			pulled <- err
		}()
		synctest.Wait()
		for range 2 { // again is no error
			if err := l.Close(ctx); err != nil {
				t.Fatal(err)
			}
		}
		e := noted().New(note{"x", 1})
		_, pullErr := l.Pull(ctx, "jobs")
		for name, err := range map[string]error{
			"Pull that waited": <-pulled,
			"Pull":             pullErr,
			"Join":             l.Join(ctx, "g", &member{}),
			"GroupSend":        l.GroupSend(ctx, "g", e),
			"Broadcast":        l.Broadcast(ctx, "g", protocol.Text("x")),
			"Send":             l.Send(ctx, "jobs", e),
		} {
			if !errors.Is(err, layers.ErrLayerClosed) {
				t.Errorf("%s of a closed layer returned %v, want ErrClosed", name, err)
			}
		}
		send(t, there, "x", 1)
		synctest.Wait()
		if notes, messages := m.got(); notes+messages != 0 {
			t.Errorf("a member of a closed layer got %d notes and %d messages", notes, messages)
		}
	})
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	b := layertest.NewBroker(nil)
	b.Stop()
	if _, err := layers.Open(t.Context(), b.Node()); !errors.Is(err, layers.ErrDown) {
		t.Errorf("Open while the broker is down returned %v, want ErrDown", err)
	}
	if _, err := layers.Open(t.Context(), nil); err == nil {
		t.Error("Open took nil for a driver")
	}
}
