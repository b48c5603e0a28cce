package redis_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// Named channels are those of the core layer of channels_redis.

// pull returns the next event of a named channel.
func pull(t *testing.T, at testkit.Line, l *layers.Layer, channel string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := l.Pull(ctx, channel)
	if err != nil {
		t.Fatalf("%s: pulling from %q: %v", at, channel, err)
	}
	return describe(e)
}

func wantPulls(t *testing.T, at testkit.Line, l *layers.Layer, channel string, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := pull(t, at, l, channel); got != want {
			t.Errorf("%s: %q has %s, want %s", at, channel, got, want)
		}
	}
}

// TestInteropNamed sends between Django and Wye through named channels.
func TestInteropNamed(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.on(t, shared)
			l := openLayer(t, o)
			django := startDjango(t, "core", config)
			for i := range 20 {
				django.call(t, "send", "to.wye", fmt.Sprintf("{'type': 'make', 'i': %d, 'text': 'é'}", i))
				wantSent(t, testkit.Here(), l.Send(t.Context(), "to.django", event("make", fields{"i": i, "text": "é"})))
			}
			for i := range 20 {
				wantPulls(t, testkit.Here(), l, "to.wye", describe(event("make", fields{"i": i, "text": "é"})))
				django.wantReceives(t, testkit.Here(), "to.django", fmt.Sprintf("{'i': %d, 'text': 'é', 'type': 'make'}", i))
			}
			// One that waits gets what comes.
			reply := django.start(t, "receive", "to.django")
			wantSent(t, testkit.Here(), l.Send(t.Context(), "to.django", event("make", fields{})))
			if got := testkit.Await(t, reply, "Django's message"); got.Result != "{'type': 'make'}" {
				t.Errorf("Django receives %v %s", got.Result, got.Error)
			}
			got := make(chan string)
			go func() { got <- pull(t, testkit.Here(), l, "to.wye") }()
			django.call(t, "send", "to.wye", "{'type': 'make'}")
			if got := testkit.Await(t, got, "Wye's event"); got != describe(event("make", fields{})) {
				t.Errorf("Wye pulls %s", got)
			}
		})
	}
}

// resize is the consumer of a worker: it counts what it handles.
type resize struct {
	consumer.Base
	handled func(i int)
}

func (r *resize) handle(_ context.Context, _ *consumer.Conn, i struct{ I int }) error {
	r.handled(i.I)
	return nil
}

// runWorker runs a worker of a node until the end of the test.
func runWorker(t *testing.T, l *layers.Layer, channel string, handled func(i int)) {
	t.Helper()
	w := &layers.Worker{
		Puller: l, Channels: []string{channel},
		App: consumer.New(func(*consumer.Scope) *resize { return &resize{handled: handled} },
			consumer.On(consumer.EventType[struct{ I int }]{Name: "resize"}, (*resize).handle)),
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("a worker has ended with %v", err)
		}
	})
}

// tally counts numbers.
type tally struct {
	all  chan struct{} // closed when each was counted
	want int
	mu   struct {
		sync.Mutex
		counts map[int]int
	}
}

func newTally(want int) *tally {
	c := &tally{all: make(chan struct{}), want: want}
	c.mu.counts = map[int]int{}
	return c
}

func (c *tally) add(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.counts[i]++
	if len(c.mu.counts) == c.want && c.mu.counts[i] == 1 {
		close(c.all)
	}
}

// await waits until n numbers have been counted.
func (c *tally) await(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); c.want-c.left() < n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d events have been received, want %d", c.want-c.left(), n)
		}
	}
}

// wantOnce waits until all numbers have been counted, each once.
func (c *tally) wantOnce(t *testing.T) {
	t.Helper()
	testkit.Await(t, c.all, "all events")
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, n := range c.mu.counts {
		if n != 1 {
			t.Errorf("event %d has been received %d times", i, n)
		}
	}
}

// TestInteropWorkers has Django and a node send to the workers of three nodes: each event
// reaches one of them.
func TestInteropWorkers(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.on(t, shared)
	o.Channels = []redis.ChannelLimit{{Pattern: "resize", Capacity: 10_000}}
	config["capacity"] = 10_000
	n := testkit.Count(300, 50)
	c := newTally(2 * n)
	for range 3 {
		runWorker(t, openLayer(t, o), "resize", c.add)
	}
	l := openLayer(t, o)
	django := startDjango(t, "core", config)
	for i := range n {
		django.call(t, "send", "resize", fmt.Sprintf("{'type': 'resize', 'I': %d}", i))
		wantSent(t, testkit.Here(), l.Send(t.Context(), "resize", event("resize", fields{"I": n + i})))
	}
	c.wantOnce(t)
	if left := shared.CLI(t, "KEYS", o.Prefix+"*"); left != "" {
		t.Errorf("Redis still has %s", left)
	}
}

// TestPullEndsWithoutLoss ends calls of Pull while events arrive: none is lost, and none
// comes twice.
func TestPullEndsWithoutLoss(t *testing.T) {
	t.Parallel()
	_, o := dialect{}.on(t, shared)
	l := openLayer(t, o)
	n := testkit.Count(300, 50)
	c := newTally(n)
	var sending sync.WaitGroup
	for i := range n {
		ctx, cancel := context.WithCancel(t.Context())
		sending.Go(func() {
			if err := l.Send(t.Context(), "channel", event("x", fields{"i": i})); err != nil {
				t.Error(err)
			}
			cancel()
		})
		if e, err := l.Pull(ctx, "channel"); err == nil {
			c.add(number(t, describe(e)))
		} else if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		sending.Wait()
		cancel()
	}
	go func() {
		for c.left() > 0 {
			e, err := l.Pull(t.Context(), "channel")
			if err != nil {
				t.Error(err)
				return
			}
			c.add(number(t, describe(e)))
		}
	}()
	c.wantOnce(t)
}

func (c *tally) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.want - len(c.mu.counts)
}

// number returns the number in the text of an event that has one.
func number(t *testing.T, s string) int {
	t.Helper()
	i, err := strconv.Atoi(strings.TrimFunc(s, func(r rune) bool { return r < '0' || r > '9' }))
	if err != nil {
		t.Errorf("%s has no number: %v", s, err)
	}
	return i
}

// TestInteropCapacity fills a channel from both sides.
func TestInteropCapacity(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.on(t, shared)
	o.Channels = []redis.ChannelLimit{{Pattern: "small", Capacity: 3}}
	config["channel_capacity"] = fields{"small": 3}
	l := openLayer(t, o)
	django := startDjango(t, "core", config)
	django.call(t, "send", "small", "{'type': 'x', 'i': 0}")
	wantSent(t, testkit.Here(), l.Send(t.Context(), "small", event("x", fields{"i": 1})))
	django.call(t, "send", "small", "{'type': 'x', 'i': 2}")
	if err := l.Send(t.Context(), "small", event("x", fields{"i": 3})); !errors.Is(err, layers.ErrChannelFull) {
		t.Errorf("a send to a full channel returns %v", err)
	}
	if _, err := django.try(t, "send", "small", "{'type': 'x', 'i': 3}"); err == nil || !strings.Contains(err.Error(), "ChannelFull") {
		t.Errorf("Django's send to a full channel raises %v", err)
	}
	if n := l.Stats().Full; n != 1 {
		t.Errorf("%d events had no room", n)
	}
	wantPulls(t, testkit.Here(), l, "small", describe(event("x", fields{"i": 0})))
	wantSent(t, testkit.Here(), l.Send(t.Context(), "small", event("x", fields{"i": 4})))
	for _, i := range []int{1, 2, 4} {
		django.wantReceives(t, testkit.Here(), "small", fmt.Sprintf("{'i': %d, 'type': 'x'}", i))
	}
}

// TestInteropExpiry has events wait for too long, by the clock of the server.
func TestInteropExpiry(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.on(t, shared)
	o.Channels = []redis.ChannelLimit{{Pattern: "*", Capacity: 3, Expiry: 20 * time.Second}}
	config["expiry"], config["capacity"] = 20, 3
	l := openLayer(t, o)
	django := startDjango(t, "core", config)
	old := func(channel string, n int) {
		now, err := strconv.Atoi(strings.Split(shared.CLI(t, "TIME"), "\n")[0])
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			shared.CLI(t, "ZADD", o.Prefix+channel, strconv.Itoa(now-30), fmt.Sprintf("0123456789%02d\x81\xa4type\xa3old", i))
		}
	}
	old("of.wye", 3)
	wantSent(t, testkit.Here(), l.Send(t.Context(), "of.wye", event("x", fields{})))
	django.wantReceives(t, testkit.Here(), "of.wye", "{'type': 'x'}")
	old("of.django", 3)
	django.call(t, "send", "of.django", "{'type': 'x'}")
	wantPulls(t, testkit.Here(), l, "of.django", describe(event("x", fields{})))
	// Nobody trims it before it is pulled.
	wantSent(t, testkit.Here(), l.Send(t.Context(), "pulled", event("x", fields{})))
	old("pulled", 2)
	wantPulls(t, testkit.Here(), l, "pulled", describe(event("x", fields{})))
	if ttl := shared.CLI(t, "TTL", o.Prefix+"of.wye"); ttl != "-2" {
		t.Errorf("an empty channel has the TTL %s", ttl)
	}
	wantSent(t, testkit.Here(), l.Send(t.Context(), "unread", event("x", fields{})))
	if ttl, err := strconv.Atoi(shared.CLI(t, "TTL", o.Prefix+"unread")); err != nil || ttl < 1 || ttl > 20 {
		t.Errorf("a channel that nobody reads has the TTL %d, %v", ttl, err)
	}
}

// TestInteropNamedServers has several servers: Django sends to each of them in turn, and a
// node finds all.
func TestInteropNamedServers(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.on(t, redistest.New(t, redistest.Options{}), shared)
	l, sender := openLayer(t, o), openLayer(t, o)
	django := startDjango(t, "core", config)
	n := 10
	c := newTally(2 * n)
	runWorker(t, l, "resize", c.add)
	for i := range n {
		django.call(t, "send", "resize", fmt.Sprintf("{'type': 'resize', 'I': %d}", i))
		wantSent(t, testkit.Here(), sender.Send(t.Context(), "resize", event("resize", fields{"I": n + i})))
	}
	c.wantOnce(t)
}
