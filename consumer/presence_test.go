package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// keys returns the keys in group, each with its metadata.
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

func TestEnterAndExit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		app, l := onLayer(app)
		client := consumertest.Connect(t, app, "/", nil)
		c, ctx := testkit.Await(t, conns, "the connection"), t.Context()
		rows := []struct {
			at   testkit.Line
			name string
			do   func() error
			err  string
			a, b []string // present in the groups a and b
		}{
			{testkit.Here(), "exit first", func() error { return c.Exit(ctx, "a") }, "", nil, nil},
			{testkit.Here(), "enter", func() error { return c.Enter(ctx, "a", "ann", nil) }, "", []string{"ann"}, nil},
			{testkit.Here(), "another group", func() error { return c.Enter(ctx, "b", "ann", 7) }, "", []string{"ann"}, []string{"ann7"}},
			{testkit.Here(), "again", func() error { return c.Enter(ctx, "a", "bob", []int{1}) }, "", []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "no key", func() error { return c.Enter(ctx, "a", "", nil) }, "the key", []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "meta that cannot be encoded", func() error { return c.Enter(ctx, "a", "x", func() {}) }, "unsupported", []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "invalid name", func() error { return c.Enter(ctx, "c d", "x", nil) }, `"c d"`, []string{"bob[1]"}, []string{"ann7"}},
			{testkit.Here(), "exit", func() error { return c.Exit(ctx, "a") }, "", nil, []string{"ann7"}},
			{testkit.Here(), "exit twice", func() error { return c.Exit(ctx, "a") }, "", nil, []string{"ann7"}},
			{testkit.Here(), "enter again", func() error { return c.Enter(ctx, "a", "ann", nil) }, "", []string{"ann"}, []string{"ann7"}},
			{testkit.Here(), "close", func() error { client.Close(protocol.CloseNormal, ""); client.WantOver(); return nil }, "", nil, nil},
			{testkit.Here(), "enter after the close", func() error { return c.Enter(ctx, "a", "ann", nil) }, protocol.ErrClosed.Error(), nil, nil},
			{testkit.Here(), "exit after the close", func() error { return c.Exit(ctx, "a") }, "", nil, nil},
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

// A connection that is over is not present, whenever it has called Enter.
func TestNoPresenceAfterTheEnd(t *testing.T) {
	t.Parallel()
	for range 50 {
		app, conns := keep()
		app, l := onLayer(app)
		client := consumertest.Connect(t, app, "/", nil)
		c := testkit.Await(t, conns, "the connection")
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

// A member that receives the Exited event calls methods of the connection that exits.
func TestPromise10_ExitAtTheEndHoldsNoLock(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, l := onLayer(app)
	client := consumertest.Connect(t, app, "/", nil)
	c := testkit.Await(t, conns, "the connection")
	asking := &asker{c: c, done: make(chan error, 2)}
	if err := errors.Join(l.Join(t.Context(), "a", asking), c.Enter(t.Context(), "a", "ann", nil)); err != nil {
		t.Fatal(err)
	}
	client.Close(protocol.CloseNormal, "")
	client.WantOver()
	if err := testkit.Await(t, asking.done, "the first event"); err != nil {
		t.Errorf("during the first event Join returned %v", err)
	}
	if err := testkit.Await(t, asking.done, "the second event"); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("during the second event Join returned %v, want ErrClosed", err)
	}
}

// asker is a member that calls methods of a connection when it receives an event.
type asker struct {
	silentMember
	c    *consumer.Conn
	done chan error
}

func (a *asker) Watches(string) bool { return true }

func (a *asker) Deliver(*protocol.Event) bool {
	_, err := a.c.Present(context.Background(), "a")
	if len(a.c.Groups()) > 0 || err != nil {
		panic("the connection is in a group, or Present failed")
	}
	a.done <- a.c.Join(context.Background(), "a")
	a.c.Leave("a")
	return false
}

// traveller enters with its name as the key when it connects.
type traveller struct {
	consumer.Base
	name   string
	refuse bool
}

func newTraveller(s *consumer.Scope) *traveller {
	return &traveller{name: s.Query().Get("name"), refuse: s.Query().Has("refuse")}
}

func (v *traveller) Connect(ctx context.Context, c *consumer.Conn) error {
	if err := c.Enter(ctx, "train", v.name, nil); err != nil {
		return err
	}
	if v.refuse {
		return protocol.NewRejectError(http.StatusForbidden, "")
	}
	return nil
}

func (v *traveller) Receive(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
	return c.Exit(ctx, "train") // the message means goodbye
}

// visits returns the types of events.
func visits(events []*protocol.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Type())
	}
	return all
}

// A key that enters again in time has not exited for the other members.
func TestPresenceLingers(t *testing.T) {
	t.Parallel()
	const linger = 10 * time.Second
	entered, exited := layers.Entered.Name, layers.Exited.Name
	for _, row := range []struct {
		at      testkit.Line
		name    string
		travel  func(connect func(target string) *consumertest.Client)
		want    []string
		present []string
	}{
		{testkit.Here(), "comes back", func(connect func(string) *consumertest.Client) {
			connect("/?name=ann").Vanish()
			<-time.After(linger - 1)
			connect("/?name=ann")
			<-time.After(linger)
		}, []string{entered}, []string{"ann"}},
		{testkit.Here(), "comes too late", func(connect func(string) *consumertest.Client) {
			connect("/?name=ann").Vanish()
			<-time.After(linger)
			synctest.Wait()
			connect("/?name=ann")
		}, []string{entered, exited, entered}, []string{"ann"}},
		{testkit.Here(), "stays away", func(connect func(string) *consumertest.Client) {
			connect("/?name=ann").Close(protocol.CloseGoingAway, "")
			<-time.After(linger)
		}, []string{entered, exited}, nil},
		{testkit.Here(), "another one comes", func(connect func(string) *consumertest.Client) {
			connect("/?name=ann").Vanish()
			<-time.After(time.Second)
			connect("/?name=bob")
		}, []string{entered, entered}, []string{"ann", "bob"}},
		{testkit.Here(), "has said goodbye", func(connect func(string) *consumertest.Client) {
			ann := connect("/?name=ann")
			ann.SendText("bye")
			ann.Vanish()
		}, []string{entered, exited}, nil},
		{testkit.Here(), "was refused", func(connect func(string) *consumertest.Client) {
			connect("/?name=ann&refuse")
		}, []string{entered, exited}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				app, l := onLayer(consumer.New(newTraveller, consumer.PresenceLinger[*traveller](linger)))
				guard := &recording{}
				if err := l.Join(t.Context(), "train", guard); err != nil {
					t.Fatal(err)
				}
				row.travel(func(target string) *consumertest.Client {
					if strings.HasSuffix(target, "refuse") {
						if answer := consumertest.Refused(t, app, target, nil); answer.Status != http.StatusForbidden {
							t.Errorf("%s: refused with %d", row.at, answer.Status)
						}
						return nil
					}
					return consumertest.Connect(t, app, target, nil)
				})
				synctest.Wait()
				if got := visits(guard.all()); !slices.Equal(got, row.want) {
					t.Errorf("%s: received %q, want %q", row.at, got, row.want)
				}
				if got := keys(t, l, "train"); !slices.Equal(got, row.present) {
					t.Errorf("%s: present are %q, want %q", row.at, got, row.present)
				}
			})
		})
	}
}

func TestPresenceLingersForFunc(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			if err := errors.Join(s.Accept(nil), s.Enter(ctx, "train", "ann", nil)); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}, consumer.PresenceLinger[*consumer.Stream](time.Minute)))
		ann := consumertest.Connect(t, app, "/", nil)
		synctest.Wait()
		ann.Vanish()
		ann.WantOver()
		if got := keys(t, l, "train"); !slices.Equal(got, []string{"ann"}) {
			t.Errorf("present are %q, want ann, whose presence lingers", got)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if got := keys(t, l, "train"); got != nil {
			t.Errorf("present are %q after the linger", got)
		}
	})
}

func TestPresenceLingerIsBounded(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-1, layers.MaxLinger + 1} {
		if v := panicOf(func() { consumer.PresenceLinger[*traveller](d) }); v == nil {
			t.Errorf("PresenceLinger(%v) did not panic", d)
		}
		if err := new(layers.Layer).ExitAfter(t.Context(), "g", "1", d); err == nil {
			t.Errorf("ExitAfter(%v) returned no error", d)
		}
	}
}

// recording is a member that keeps its events.
type recording struct {
	mu     sync.Mutex
	events []*protocol.Event
}

func (r *recording) Deliver(e *protocol.Event) (behind bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return false
}

func (r *recording) Offer(*protocol.Prepared) (behind bool) { return false }

func (r *recording) Watches(string) bool { return true }

func (r *recording) all() []*protocol.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Many keys enter a group while the callbacks of its members are busy. Members without a
// handler receive nothing, so that nothing waits for them.
func TestPresenceEventsNeedAHandler(t *testing.T) {
	t.Parallel()
	const arrivals = 150
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var handled []string
		member := func() *stub {
			return &stub{
				connect: func(ctx context.Context, c *consumer.Conn) error {
					return errors.Join(c.Join(ctx, "a"), c.Enter(ctx, "a", "me", nil))
				},
				receive: func(context.Context, *consumer.Conn, consumer.Message) error {
					<-let
					return nil
				},
			}
		}
		deaf, l := onLayer(member().app())
		asks := layers.Middleware(l)(consumer.New(func(*consumer.Scope) *stub { return member() },
			consumer.On(layers.Entered, func(_ *stub, _ context.Context, _ *consumer.Conn, v layers.PresenceEvent) error {
				handled = append(handled, v.Presence.Key)
				return nil
			})))
		few := &consumertest.Options{Limits: protocol.Limits{QueueEvents: 10}}
		busy, asking := consumertest.Connect(t, deaf, "/", few), consumertest.Connect(t, asks, "/", nil)
		late := consumertest.Connect(t, layers.Middleware(l)((&stub{connect: func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.JoinFrom(ctx, "a", layers.Range{}) // a stand-in is in the group
			return err
		}}).app()), "/", few)
		busy.SendText("busy")
		asking.SendText("busy")
		synctest.Wait()
		for i := range arrivals {
			id := fmt.Sprint("k", i)
			if err := l.Enter(t.Context(), "a", layers.Presence{ID: id, Key: id}); err != nil {
				t.Fatal(err)
			}
		}
		close(let)
		synctest.Wait()
		for name, c := range map[string]*consumertest.Client{"busy": busy, "late": late} {
			c.WantNothing()
			if st := c.Stats(); st.BusyClosed+st.EventsUnknown+st.EventsDropped != 0 || st.Open != 1 {
				t.Errorf("%s: counted %+v", name, st)
			}
		}
		if len(handled) != arrivals || asking.Stats().EventsUnknown != 0 {
			t.Errorf("the handler ran %d times, and its connection counted %+v", len(handled), asking.Stats())
		}
	})
}

// Exit ends the presence although its ctx is done: the connection may close while a
// callback calls Exit.
func TestExitWithACancelledContext(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, l := onLayer(app)
	consumertest.Connect(t, app, "/", nil)
	c := testkit.Await(t, conns, "the connection")
	if err := c.Enter(t.Context(), "train", "ann", nil); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Exit(ended, "train"); !errors.Is(err, context.Canceled) {
		t.Errorf("Exit returned %v, want ctx's error", err)
	}
	if got := keys(t, l, "train"); got != nil {
		t.Errorf("present are %q, want none", got)
	}
}
