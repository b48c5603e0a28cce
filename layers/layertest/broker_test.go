package layertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/layers"
)

// trio is three nodes of a broker, of which two have subscribed to "g".
type trio struct {
	*env

	broker  *Broker
	a, b, c *peer
}

// inBubble runs f in a bubble, with a broker.
func inBubble(t *testing.T, o *Options, f func(t *testing.T, s *trio)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBroker(o)
		s := &trio{broker: b, env: &env{t: t, suite: whole(b), ctx: context.Background(), hung: make(chan string, 1)}}
		t.Cleanup(func() {
			b.Close()
			for _, err := range s.errors() {
				t.Error(err)
			}
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.a, s.b, s.c = s.peer(), s.peer(), s.peer()
			s.b.subscribe("g")
			s.c.subscribe("g")
			f(t, s)
		}()
		<-done
	})
}

// numbers are the notes that have come to group "g" by now.
func (p *peer) come() []int {
	synctest.Wait()
	p.mu.Lock()
	all := slices.Clone(p.mu.groups["g"])
	p.mu.Unlock()
	return p.env.numbers(all)
}

// want fails if other notes have come to "g" by now.
func (p *peer) want(when string, want ...int) {
	if got := p.come(); !slices.Equal(got, want) {
		p.env.errorf("%s: a node has got %v, want %v", when, got, want)
	}
}

// story is what the receiver has been told, besides events.
func (p *peer) story() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, cause := range p.mu.states {
		if cause == nil {
			all = append(all, "up")
		} else {
			all = append(all, cause.Error())
		}
	}
	for _, group := range p.mu.gaps {
		all = append(all, "gap"+group)
	}
	return strings.Join(all, ", ")
}

func TestDelay(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		began := time.Now()
		s.broker.Delay(time.Minute)
		s.a.publish("g", 0)
		s.a.send(s.c.own("x"), 5)
		s.broker.Delay(0)
		s.a.publish("g", 1)
		if d := time.Since(began); d != 0 {
			s.errorf("the sender waited for %v", d)
		}
		<-time.After(time.Minute - 1)
		s.b.want("before the delay")
		<-time.After(1)
		s.b.want("after the delay", 0, 1)
		s.c.wantSent("x", 5)
		s.a.publish("g", 2)
		s.b.want("at once", 0, 1, 2)
	})
}

func TestSlow(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		s.broker.Slow(time.Second)
		for what, f := range map[string]func() error{
			"Publish":   func() error { return s.a.tryPublish("g", newNote("a", 0)) },
			"Send":      func() error { return s.a.trySend("jobs", 0) },
			"Subscribe": func() error { return s.a.tryChange([]string{"h"}, nil) },
		} {
			began := time.Now()
			if err := f(); err != nil || time.Since(began) != time.Second {
				s.errorf("%s returned %w after %v, want nil after a second", what, err, time.Since(began))
			}
		}
		s.b.want("as soon as it is taken", 0)
		failed := make(chan error)
		go func() { failed <- s.a.driver.Publish(context.Background(), "g", newNote("a", 1)) }()
		synctest.Wait()
		s.broker.Stop()
		s.wantErr("Publish that found the broker stopped", <-failed, layers.ErrDown)
		s.broker.Start()
		s.broker.Slow(0)
		s.b.want("after that", 0)
	})
}

func TestLossIsChanceThatCanBeRepeated(t *testing.T) {
	inBubble(t, &Options{Capacity: 1000}, func(_ *testing.T, s *trio) {
		const many = 400
		lossy := func(seed uint64, f float64) []int {
			before := len(s.b.come())
			s.broker.Loss(f, seed)
			for n := range many {
				s.a.publish("g", n)
			}
			return s.b.come()[before:]
		}
		first, again, other := lossy(7, 0.25), lossy(7, 0.25), lossy(8, 0.25)
		if n := many - len(first); n < many/6 || n > many/3 {
			s.errorf("%d of %d events were lost, want about a quarter", n, many)
		}
		if !slices.Equal(first, again) || slices.Equal(first, other) {
			s.errorf("a seed does not decide what is lost")
		}
		if got, want := s.broker.Lost(), 6*many-len(s.b.come())-len(s.c.come()); got != want {
			s.errorf("Lost says %d, want %d", got, want)
		}
		lost := s.broker.Lost()
		if all, none := lossy(7, 0), lossy(7, 1); len(all) != many || len(none) != 0 || s.broker.Lost() != lost+2*many {
			s.errorf("%d of %d events came without loss, %d with nothing but loss; Lost says %d more", len(all), many, len(none), s.broker.Lost()-lost)
		}
		s.a.send("jobs", 0)
		s.a.send(s.b.own("x"), 0)
		s.broker.Loss(0, 0)
		s.a.send("jobs", 1)
		s.a.send(s.b.own("x"), 1)
		if n := s.oneNote(s.b.pull("jobs")); n != 1 {
			s.errorf("note %d was pulled, want 1, because the one before was lost", n)
		}
		s.b.wantSent("x", 1)
		if got := s.b.story(); got != "" {
			s.errorf("a node was told %q, want that it knows nothing of losses", got)
		}
	})
}

func TestPartition(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		s.a.send("jobs", 9)
		s.broker.Delay(time.Second)
		s.a.publish("g", 0)
		s.broker.Partition(s.b.driver)
		s.broker.Partition(s.b.driver) // again is no change
		s.broker.Delay(0)
		s.a.publish("g", 1)
		s.a.send(s.b.own("x"), 1)
		s.wantErr("Publish", s.b.tryPublish("g", newNote("b", 2)), layers.ErrDown)
		s.wantErr("Subscribe", s.b.tryChange([]string{"h"}, nil), layers.ErrDown)
		<-time.After(time.Second)
		s.c.want("of those that are connected", 0, 1)
		s.broker.Start() // it has not been stopped
		s.wantErr("Publish", s.b.tryPublish("g", newNote("b", 2)), layers.ErrDown)
		s.broker.Heal()
		s.a.publish("g", 3)
		s.a.publish("h", 4)
		s.b.want("what is published when all is well again", 3)
		s.b.wantNotes("h", 4)
		s.c.want("of those that are connected", 0, 1, 3)
		if n := s.oneNote(s.b.pull("jobs")); n != 9 {
			s.errorf("note %d was pulled, want 9", n)
		}
		if got := s.b.story(); got != "the node has been cut off from the broker, up, gap" {
			s.errorf("who was cut off was told %q", got)
		}
		if got := s.a.story() + s.c.story(); got != "" {
			s.errorf("who was not cut off was told %q", got)
		}
	})
}

func TestStopAndPartitionTogether(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		s.a.send("jobs", 1)
		s.broker.Partition(s.b.driver)
		s.broker.Stop()
		s.broker.Heal()
		s.wantErr("Publish while it is stopped", s.b.tryPublish("g", newNote("b", 0)), layers.ErrDown)
		s.broker.Partition(s.c.driver)
		s.broker.Start()
		s.wantErr("Publish while it is cut off", s.c.tryPublish("g", newNote("c", 0)), layers.ErrDown)
		s.broker.Heal()
		s.a.publish("g", 1)
		s.b.want("in the end", 1)
		s.c.want("in the end", 1)
		if got := s.b.story(); got != "the node has been cut off from the broker, up, gap" {
			s.errorf("who was cut off first was told %q", got)
		}
		s.a.send("jobs", 2)
		if n := s.oneNote(s.b.pull("jobs")); n != 2 {
			s.errorf("note %d was pulled, want 2: Stop loses what waits", n)
		}
	})
}

func TestKill(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		pulled := make(chan error, 1)
		go func() {
			_, err := s.b.queuer().Pull(context.Background(), "jobs")
			pulled <- err
		}()
		s.broker.Delay(time.Second)
		s.a.publish("g", 0)
		synctest.Wait()
		s.broker.Kill(s.b.driver)
		s.broker.Kill(s.b.driver) // nobody dies twice
		s.wantErr("Pull that waited", <-pulled, layers.ErrLayerClosed)
		s.wantErr("Publish", s.b.tryPublish("g", newNote("b", 0)), layers.ErrLayerClosed)
		s.must("Close", s.b.close())
		<-time.After(time.Second)
		s.b.want("after its death")
		s.c.want("of those that live", 0)
		s.broker.Stop()
		s.broker.Start()
		if got := s.b.story(); got != "" {
			s.errorf("the dead was told %q", got)
		}
	})
}

func TestExpiryAndCapacityAreOptions(t *testing.T) {
	inBubble(t, &Options{Capacity: 2, Expiry: time.Hour}, func(_ *testing.T, s *trio) {
		s.a.send("jobs", 0)
		<-time.After(time.Hour - 1)
		s.a.send("jobs", 1)
		s.wantErr("Send", s.a.trySend("jobs", 2), layers.ErrChannelFull)
		<-time.After(1)
		s.a.send("jobs", 3)
		for _, want := range []int{1, 3} {
			if n := s.oneNote(s.b.pull("jobs")); n != want {
				s.errorf("note %d was pulled, want %d", n, want)
			}
		}
	})
}

func TestWhatIsWrongFromTheStart(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *trio) { //nolint:thelper // it is the test
		d, ctx := s.broker.Node(), context.Background()
		if err := d.Publish(ctx, "g", newNote("x", 0)); err == nil || errors.Is(err, layers.ErrLayerClosed) {
			t.Errorf("Publish before Start returned %v", err)
		}
		if err := s.a.driver.Start(ctx, s.a); err == nil {
			t.Error("a driver was started twice")
		}
		if err := d.Start(ctx, s.a); err == nil || !strings.Contains(err.Error(), s.a.name) {
			t.Errorf("the second node of a name was started with %v, want an error that has the name", err)
		}
		if err := d.Close(ctx); err != nil {
			t.Error(err)
		}
		defer func() {
			if why, ok := recover().(string); !ok || !strings.Contains(why, "layertest") {
				t.Errorf("Kill of another broker's node has panicked with %q", why)
			}
		}()
		s.broker.Kill(NewBroker(nil).Node())
	})
}
