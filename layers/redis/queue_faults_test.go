package redis_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// jobCount counts how often each job was pulled.
type jobCount struct {
	mu struct {
		sync.Mutex
		times map[int]int
	}
	all chan struct{} // closed when n different ones were pulled
	n   int
}

func newJobCount(n int) *jobCount {
	c := &jobCount{n: n, all: make(chan struct{})}
	c.mu.times = make(map[int]int)
	return c
}

func (c *jobCount) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.times[n]++
	if len(c.mu.times) == c.n && c.mu.times[n] == 1 {
		close(c.all)
	}
}

// wantEachOnce fails unless each job was pulled once.
func (c *jobCount) wantEachOnce(t *testing.T) {
	t.Helper()
	select {
	case <-c.all:
	case <-time.After(time.Minute):
		t.Error("not all jobs have arrived")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.n {
		if times := c.mu.times[n]; times != 1 {
			t.Errorf("job %d was pulled %d times", n, times)
		}
	}
}

// pullAndCancel pulls until all jobs were pulled, and cancels each call after a while.
func (c *jobCount) pullAndCancel(t *testing.T, l *layers.Layer, channel string, r *rand.Rand) {
	t.Helper()
	for {
		select {
		case <-c.all:
			return
		default:
		}
		ctx, cancel := context.WithCancel(t.Context())
		after := time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, cancel)
		e, err := l.Pull(ctx, channel)
		after.Stop()
		cancel()
		switch {
		case err == nil:
			j, err := shrink.Payload(e)
			if err != nil {
				t.Error(err)
			}
			c.add(j.N)
		case !errors.Is(err, context.Canceled):
			t.Errorf("Pull returned %v", err)
			return
		}
	}
}

// TestPullCancelled cancels calls of Pull at any moment, on one server and on two, while
// events arrive. Each is pulled once.
func TestPullCancelled(t *testing.T) {
	t.Parallel()
	for _, servers := range []int{1, 2} {
		t.Run(strconv.Itoa(servers), func(t *testing.T) {
			t.Parallel()
			o := redis.Options{Channels: []redis.ChannelLimit{{Pattern: "*", Capacity: 10_000}}}
			for range servers {
				o.URLs = append(o.URLs, redistest.New(t, redistest.Options{}).URL())
			}
			a, _ := open(t, o)
			b, _ := open(t, o)
			jobs := testkit.Count(2000, 300)
			c := newJobCount(jobs)
			var pullers sync.WaitGroup
			for i := range 8 {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				pullers.Go(func() { c.pullAndCancel(t, []*layers.Layer{a, b}[i%2], "jobs", r) })
			}
			r := rand.New(rand.NewPCG(9, 9))
			for n := range jobs {
				pushJobs(t, a, "jobs", n, n)
				for range r.IntN(50) {
					runtime.Gosched()
				}
			}
			c.wantEachOnce(t)
			pullers.Wait()
			wantNoJobs(t, a)
		})
	}
}

// TestPullClosed closes drivers while they pull. What they had taken is pulled by others.
func TestPullClosed(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	o := redis.Options{URLs: []string{server.URL()}, Logger: quiet(), Channels: []redis.ChannelLimit{{Pattern: "*", Capacity: 10_000}}}
	a, _ := open(t, o)
	rounds := testkit.Count(60, 10)
	c := newJobCount(rounds * 5)
	for round := range rounds {
		b, err := layers.Open(t.Context(), redis.New(o))
		if err != nil {
			t.Fatal(err)
		}
		var pullers sync.WaitGroup
		for range 3 {
			pullers.Go(func() {
				for {
					e, err := b.Pull(t.Context(), "jobs")
					if err != nil {
						if !errors.Is(err, layers.ErrLayerClosed) {
							t.Errorf("Pull returned %v", err)
						}
						return
					}
					j, err := shrink.Payload(e)
					if err != nil {
						t.Error(err)
					}
					c.add(j.N)
				}
			})
		}
		for n := range 5 {
			if n == round%6 {
				pullers.Go(func() {
					if err := b.Close(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			pushJobs(t, a, "jobs", round*5+n, round*5+n)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		pullers.Wait()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for server.CLI(t, "EXISTS", "asgijobs") == "1" {
		e, err := a.Pull(ctx, "jobs")
		if err != nil {
			t.Fatal(err)
		}
		j, err := shrink.Payload(e)
		if err != nil {
			t.Fatal(err)
		}
		c.add(j.N)
	}
	c.wantEachOnce(t)
}

// TestPullFrozen cancels a call while the server is silent. The call returns, and what the
// server sends later is not lost.
func TestPullFrozen(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	a, _ := open(t, redis.Options{URLs: []string{server.URL()}})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := a.Pull(ctx, "jobs")
		failed <- err
	}()
	if err := server.Wait(t.Context(), "a reader waits", func(redistest.Do) bool { return blocked(t, server) == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := testkit.Await(t, failed, "Pull of a silent server"); !errors.Is(err, context.Canceled) {
		t.Errorf("Pull returned %v", err)
	}
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	pushJobs(t, a, "jobs", 0, 5)
	for range 6 {
		pullJob(t, a, "jobs")
	}
	wantNoJobs(t, a)
}

// TestQueueOnSeveralServers: events go to the servers that are up, and are pulled from all,
// also from those that come up later.
func TestQueueOnSeveralServers(t *testing.T) {
	t.Parallel()
	one, two := redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{})
	a, d := open(t, redis.Options{URLs: []string{one.URL(), two.URL()}})
	pushJobs(t, a, "jobs", 0, 5)
	for _, s := range []*redistest.Server{one, two} {
		if n := s.CLI(t, "ZCARD", "asgijobs"); n != "3" {
			t.Errorf("%s events are on %v, want 3", n, s)
		}
	}
	seen := newJobCount(6)
	for range 6 {
		seen.add(pullJob(t, a, "jobs"))
	}
	seen.wantEachOnce(t)

	two.Stop()
	awaitDown(t, d, 1, true)
	pushJobs(t, a, "jobs", 0, 3)
	for range 4 {
		pullJob(t, a, "jobs")
	}
	pulled := make(chan int)
	go func() { pulled <- pullJob(t, a, "jobs") }()
	if err := one.Wait(t.Context(), "a reader waits", func(redistest.Do) bool { return blocked(t, one) == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := two.Start(); err != nil {
		t.Fatal(err)
	}
	awaitDown(t, d, 1, false)
	if err := two.Wait(t.Context(), "the reader waits there too", func(redistest.Do) bool { return blocked(t, two) == 1 }); err != nil {
		t.Fatal(err)
	}
	two.CLI(t, "ZADD", "asgijobs", "99999999999", "0123456789ab\x82\xa4type\xb1thumbnails.resize\xa1n\x2a")
	if n := testkit.Await(t, pulled, "the event of a server that was down"); n != 42 {
		t.Errorf("job %d, want 42", n)
	}

	one.Stop()
	two.Stop()
	awaitDown(t, d, 0, true)
	awaitDown(t, d, 1, true)
	if err := a.Send(t.Context(), "jobs", shrink.New(job{1})); !errors.Is(err, layers.ErrDown) {
		t.Errorf("Send without servers returned %v", err)
	}
	if _, err := a.Pull(t.Context(), "jobs"); !errors.Is(err, layers.ErrDown) {
		t.Errorf("Pull without servers returned %v", err)
	}
}

// awaitDown waits until a server is down, or up.
func awaitDown(t *testing.T, d *redis.Driver, server int, down bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for (d.Stats().Servers[server].Down != nil) != down {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("server %d: %v, want down: %t", server, d.Stats().Servers[server].Down, down)
		}
	}
}
