package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// Crowd describes a run with many connections that are idle, talk all at once, and are
// idle again.
type Crowd struct {
	Program string // as in Config
	Engines []websocket.Engine
	Conns   int
	Talks   int // how often all talk
	// Profiles is a directory that gets profiles of the server's heap, when all are idle and
	// when they are idle again. Empty means none.
	Profiles string
	Progress io.Writer
}

const (
	// roomSize is how many connections are in a room.
	roomSize = 20
	// perTalk is how many messages each connection sends to its room in a talk: an event
	// and a ready message.
	perTalk = 2
	// workers is how many connections are opened, written to or read at a time.
	workers = 64
	// heapSlack is by how much the heap may differ: a tenth, and heapNoise, which does not
	// depend on the number of connections.
	heapSlack = 1.1
	heapNoise = 128 << 10
)

// CrowdResult is what the server has reported: without connections, with idle ones, after
// they have talked, and after they have gone.
type CrowdResult struct {
	Conns                     int
	Before, Idle, Quiet, Gone Report
}

// Run does one run. If the server is not back where it was, that is an error, and the
// result is there all the same.
func (c *Crowd) Run(ctx context.Context) (_ CrowdResult, err error) {
	r := CrowdResult{Conns: c.Conns}
	server, err := start(ctx, c.Program, c.Engines)
	if err != nil {
		return r, err
	}
	if err := c.measure(ctx, server, &r); err != nil {
		return r, errors.Join(err, server.process.Stop(true))
	}
	return r, errors.Join(r.Check(), server.process.End(settle))
}

func (c *Crowd) measure(ctx context.Context, server *target, r *CrowdResult) (err error) {
	if r.Before, err = server.report(ctx); err != nil {
		return err
	}
	peers := make([]*peer, c.Conns)
	defer func() {
		for _, p := range peers {
			if p != nil {
				_ = p.Close() // the run is over
			}
		}
	}()
	if err := c.open(ctx, server, peers); err != nil {
		return err
	}
	if r.Idle, err = server.await(ctx, func(now *Report) bool { return now.Open == int64(c.Conns) }); err != nil {
		return err
	}
	fmt.Fprintf(c.Progress, "%d connections are open and idle\n", c.Conns)
	if err := c.profile(ctx, server, "idle"); err != nil {
		return err
	}
	for i := range c.Talks {
		began := time.Now()
		if err := talkAtOnce(ctx, peers); err != nil {
			return fmt.Errorf("talk %d: %w", i+1, err)
		}
		fmt.Fprintf(c.Progress, "talk %d: %d messages were received in %v\n",
			i+1, received(c.Conns), time.Since(began).Round(time.Millisecond))
	}
	if r.Quiet, err = server.await(ctx, func(now *Report) bool {
		return (&CrowdResult{Conns: r.Conns, Before: r.Before, Idle: r.Idle, Quiet: *now}).quiet() == nil
	}); err != nil {
		return err
	}
	if err := c.profile(ctx, server, "quiet"); err != nil {
		return err
	}
	for i, p := range peers {
		if err := p.vanish(); err != nil {
			return err
		}
		peers[i] = nil
	}
	r.Gone, err = server.await(ctx, func(now *Report) bool {
		return (&CrowdResult{Conns: r.Conns, Before: r.Before, Gone: *now}).gone() == nil
	})
	return err
}

func (c *Crowd) profile(ctx context.Context, server *target, name string) error {
	if c.Profiles == "" {
		return nil
	}
	return server.profile(ctx, filepath.Join(c.Profiles, name+".pb.gz"))
}

// open opens all connections, in rooms whose members may be on different servers.
func (c *Crowd) open(ctx context.Context, server *target, peers []*peer) error {
	return parallel(ctx, len(peers), func(i int) error {
		p, err := connect(ctx, server.addrs[i%len(server.addrs)])
		if err != nil {
			return err
		}
		peers[i] = p
		return errors.Join(p.open(fmt.Sprintf("room/c%d", i/roomSize)), p.SetDeadline(time.Time{}))
	})
}

// talkAtOnce has all write before any of them reads.
func talkAtOnce(ctx context.Context, peers []*peer) error {
	late := time.Now().Add(settle)
	err := parallel(ctx, len(peers), func(i int) error {
		p := peers[i]
		p.addText("hello")
		p.add(websockettest.Binary("hello, all"))
		return errors.Join(p.SetDeadline(late), p.flush())
	})
	if err != nil {
		return err
	}
	return parallel(ctx, len(peers), func(i int) error {
		for range members(len(peers), i) * perTalk {
			if _, err := peers[i].message(); err != nil {
				return err
			}
		}
		return peers[i].SetDeadline(time.Time{})
	})
}

// members is how many of n connections are in the room of the i-th.
func members(n, i int) int { return min(n-i/roomSize*roomSize, roomSize) }

// received is how many messages n connections receive in a talk.
func received(n int) (sum int) {
	for i := range n {
		sum += members(n, i) * perTalk
	}
	return sum
}

// parallel calls f for 0 to n-1, some at a time, and returns the first error.
func parallel(ctx context.Context, n int, f func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					cancel(fmt.Errorf("connection %d: %w", i, err))
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// quiet says what is not as it was before the talks.
func (r *CrowdResult) quiet() error {
	idle, quiet := float64(r.Idle.Heap)-float64(r.Before.Heap), float64(r.Quiet.Heap)-float64(r.Before.Heap)
	return errors.Join(
		unless(r.Quiet.Open == r.Idle.Open, "%d connections are open, before they talked %d", r.Quiet.Open, r.Idle.Open),
		unless(quiet <= idle*heapSlack+heapNoise, "%.0f bytes of heap per connection, before they talked %.0f",
			quiet/float64(max(r.Conns, 1)), idle/float64(max(r.Conns, 1))),
		unless(r.Quiet.Goroutines <= r.Idle.Goroutines+1, "%d goroutines, before they talked %d", r.Quiet.Goroutines, r.Idle.Goroutines),
		unless(r.Quiet.Descriptors <= r.Idle.Descriptors, "%d descriptors, before they talked %d", r.Quiet.Descriptors, r.Idle.Descriptors),
	)
}

// Check says what is not back where it was.
func (r *CrowdResult) Check() error {
	return errors.Join(r.quiet(), r.gone())
}

// gone says what is left of the connections. Each may have had a goroutine.
func (r *CrowdResult) gone() error {
	return (&Result{Before: r.Before, After: r.Gone, Goroutines: r.Conns}).leaks()
}

// String is the result as a Markdown table.
func (r *CrowdResult) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %d connections | none | idle | talked, idle again | gone |\n|---|--:|--:|--:|--:|\n", r.Conns)
	row := func(name string, of func(*Report) int64) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", name, of(&r.Before), of(&r.Idle), of(&r.Quiet), of(&r.Gone))
	}
	row("open", func(r *Report) int64 { return r.Open })
	row("goroutines", func(r *Report) int64 { return int64(r.Goroutines) })
	row("descriptors", func(r *Report) int64 { return int64(r.Descriptors) })
	row("heap, KiB", func(r *Report) int64 { return int64(r.Heap >> 10) })
	row("heap, bytes per connection", func(now *Report) int64 {
		return (int64(now.Heap) - int64(r.Before.Heap)) / int64(max(r.Conns, 1))
	})
	row("resident, KiB", func(r *Report) int64 { return r.RSS >> 10 })
	return b.String()
}
