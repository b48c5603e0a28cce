package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// member passes on the events that it gets.
type member chan *protocol.Event

func (m member) Deliver(e *protocol.Event) bool  { m <- e; return false }
func (m member) Offer(p *protocol.Prepared) bool { m <- p.Event(); return false }

// next returns the next event.
func (m member) next(t *testing.T) *protocol.Event {
	t.Helper()
	select {
	case e := <-m:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no event has arrived")
		return nil
	}
}

type text struct {
	Text string `json:"text"`
}

var said = protocol.EventType[text]{Name: "chat.said"}

// join returns a member of group.
func join(t *testing.T, l *layers.Layer, group string) member {
	t.Helper()
	m := make(member, 100)
	if err := l.Join(t.Context(), group, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestServersShareGroups has groups on several servers, as the hash of channels_redis
// distributes them.
func TestServersShareGroups(t *testing.T) {
	t.Parallel()
	servers := []*redistest.Server{
		redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{}),
	}
	o := redis.Options{Prefix: "site"}
	for _, s := range servers {
		o.URLs = append(o.URLs, s.URL())
	}
	here, _ := open(t, o)
	there, d := open(t, o)
	ctx := t.Context()
	const groups = 60
	for n := range groups {
		group := fmt.Sprint("room-", n)
		m := join(t, there, group)
		if err := here.GroupSend(ctx, group, said.New(text{group})); err != nil {
			t.Fatal(err)
		}
		if got, err := said.Payload(m.next(t)); err != nil || got.Text != group {
			t.Errorf("got %v (%v), want the text %q", got, err, group)
		}
		own := there.NewChannel()
		unbind, err := there.Bind(own, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := here.TrySend(ctx, own, said.New(text{own})); err != nil {
			t.Error(err)
		}
		if got, err := said.Payload(m.next(t)); err != nil || got.Text != own {
			t.Errorf("got %v (%v), want the text %q", got, err, own)
		}
		unbind()
	}
	wantShared(t, servers, d.Stats().Servers, groups)
}

// wantShared wants each server to have some of the groups, and all together to have all.
func wantShared(t *testing.T, servers []*redistest.Server, stats []redis.ServerStats, groups int) {
	t.Helper()
	subscribed := 0
	for i, s := range stats {
		if s.Groups == 0 || s.Groups == groups || s.Down != nil || s.Lag <= 0 {
			t.Errorf("server %d: %+v, want it to be up and to have some of the groups", i, s)
		}
		channels := strings.Count(servers[i].CLI(t, "PUBSUB", "CHANNELS", "site__group__*"), "site__group__")
		if channels != s.Groups {
			t.Errorf("server %d has %d channels of groups, want %d", i, channels, s.Groups)
		}
		subscribed += s.Groups
	}
	if subscribed != groups {
		t.Errorf("%d groups are subscribed to on all servers, want %d", subscribed, groups)
	}
}

func TestSendToANodeThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, _ := open(t, redis.Options{URLs: []string{redistest.New(t, redistest.Options{}).URL()}})
	if err := l.TrySend(t.Context(), "specific.NOBODY!x", said.New(text{})); !errors.Is(err, layers.ErrNoConsumer) {
		t.Errorf("the error is %v, want ErrNoConsumer", err)
	}
	if err := l.Send(t.Context(), "specific.NOBODY!x", said.New(text{})); err != nil {
		t.Error(err)
	}
}

// TestMalformed publishes what cannot be decoded: it is counted and logged once, and the
// next event arrives.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	var logged bytes.Buffer
	l, d := open(t, redis.Options{URLs: []string{s.URL()}, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	m := join(t, l, "room")
	for _, row := range []struct {
		at      testkit.Line
		message string
	}{
		{testkit.Here(), ""}, {testkit.Here(), "hello"}, {testkit.Here(), "\x81\xa4type\x01"}, {testkit.Here(), "{}"},
	} {
		if got := s.CLI(t, "PUBLISH", "asgi__group__room", row.message); got != "1" {
			t.Errorf("%s: %s connections have received the message, want 1", row.at, got)
		}
	}
	s.CLI(t, "PUBLISH", "asgi__group__room", "\x82\xa4type\xa9chat.said\xa4text\xa2hi")
	if got, err := said.Payload(m.next(t)); err != nil || got.Text != "hi" {
		t.Errorf("got %v (%v), want hi", got, err)
	}
	if n := d.Stats().Malformed; n != 4 {
		t.Errorf("%d messages are counted as malformed, want 4", n)
	}
	if n := strings.Count(logged.String(), "could not be decoded"); n != 1 {
		t.Errorf("logged %d lines, want 1: %s", n, logged.String())
	}
}

// TestOneSubscription has many members in one group, and many groups with one member: there is
// one subscription for each group, and none when the members have left.
func TestOneSubscription(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	for range 1000 {
		join(t, l, "many")
	}
	if got := s.CLI(t, "PUBSUB", "NUMSUB", "asgi__group__many"); !strings.Contains(got, "1") || strings.Contains(got, "1000") {
		t.Errorf("PUBSUB NUMSUB says %q, want 1", got)
	}
	m := join(t, l, "single")
	l.Leave("single", m)
	join(t, l, "other") // in a later round of subscriptions
	if got := s.CLI(t, "PUBSUB", "CHANNELS", "*single"); strings.Contains(got, "single") {
		t.Errorf("the group is still subscribed to: %q", got)
	}
}

// TestCloseWhileFrozen closes a driver whose server is silent, while calls wait.
func TestCloseWhileFrozen(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	d := redis.New(redis.Options{URLs: []string{s.URL()}, Logger: quiet()})
	l, err := layers.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	freeze(t, s)
	sent, canceled := make(chan error), make(chan error)
	go func() { sent <- l.GroupSend(t.Context(), "room", said.New(text{"hi"})) }()
	ctx, cancel := context.WithCancel(t.Context())
	e := said.New(text{"hi"})
	if err := events.Seal(e); err != nil {
		t.Error(err)
	}
	go func() { canceled <- d.Publish(ctx, "room", e) }()
	cancel()
	if err := <-canceled; !errors.Is(err, context.Canceled) {
		t.Errorf("the error of a call whose ctx was canceled is %v", err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-sent; !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("the error of a call that waited for a silent server is %v, want ErrLayerClosed", err)
	}
}
