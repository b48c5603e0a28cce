package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol/websocket"
)

// Config describes one run.
type Config struct {
	Program  string             // what serves, called with -serve ADDRESS=ENGINE,...
	Engines  []websocket.Engine // of the servers, one of which each peer connects to
	Duration time.Duration      // how long peers come
	Rate     int                // lives that start in a second
	Idle     int                // connections that are held all the time, in the rooms
	Progress io.Writer          // gets a line now and then
}

// settle is how long the server may take to forget the last connection: a callback may
// be busy, and a peer that has gone silently has CloseTimeout.
const settle = 30 * time.Second

// run is one run in progress.
type run struct {
	Config

	server  *target
	started atomic.Int64
	result  Result
	mu      struct {
		sync.Mutex
		lives  map[string]int
		faults []error // the first of them
	}
}

// maxFaults is how many faults are kept.
const maxFaults = 20

// Run does one run. If something does not add up, that is an error, and the result is
// there all the same.
func Run(ctx context.Context, cfg Config) (_ Result, err error) {
	r := &run{Config: cfg}
	r.mu.lives = make(map[string]int)
	if r.server, err = start(ctx, cfg.Program, cfg.Engines); err != nil {
		return Result{}, err
	}
	if err := r.measure(ctx); err != nil {
		return r.result, errors.Join(err, r.server.process.Stop(true))
	}
	if err := r.server.process.End(settle); err != nil {
		return r.result, err
	}
	return r.result, r.result.Check()
}

// measure reads the report before, while peers come, and after they have gone.
func (r *run) measure(ctx context.Context) (err error) {
	if _, err := r.server.report(ctx); err != nil { // what the first one costs is not a leak
		return err
	}
	if r.result.Before, err = r.server.report(ctx); err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	r.result.Lives, r.result.Faults = r.mu.lives, r.mu.faults
	r.mu.Unlock()
	return r.settle(ctx)
}

// load has peers come for the duration, and waits for all of them to go.
func (r *run) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	for range r.Idle {
		all.Go(func() { r.note("idle", r.hold(ctx)) })
	}
	pace := time.NewTicker(time.Second / time.Duration(r.Rate))
	defer pace.Stop()
	tell := time.NewTicker(30 * time.Second)
	defer tell.Stop()
	for {
		select {
		case <-pace.C:
			which := lives[rand.IntN(len(lives))]
			r.started.Add(1)
			all.Go(func() { r.note(which.name, live(ctx, r.server.addr(), which.life)) })
		case <-tell.C:
			fmt.Fprintf(r.Progress, "%d connections so far\n", r.started.Load())
		case <-r.server.process.Ended():
			return errors.New("the server has ended by itself")
		case <-ctx.Done():
			return context.Cause(context.WithoutCancel(ctx))
		}
	}
}

// hold is a connection that listens in a room as long as there are others.
func (r *run) hold(ctx context.Context) error {
	return live(ctx, r.server.addr(), func(ctx context.Context, p *peer) error {
		if err := errors.Join(p.open(room()), p.SetDeadline(time.Time{})); err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = p.SetReadDeadline(time.Now()) }) //nolint:errcheck // it reads on then
		defer stop()
		for {
			switch _, err := p.message(); {
			case err != nil && ctx.Err() != nil:
				return nil
			case err != nil:
				return fmt.Errorf("a member that reads lost its connection: %w", err)
			}
		}
	})
}

// note counts a life and keeps what was wrong with it.
func (r *run) note(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.lives[name]++
	if err != nil && len(r.mu.faults) < maxFaults {
		r.mu.faults = append(r.mu.faults, fmt.Errorf("%s: %w", name, err))
	}
}

// settle waits until the server is back where it was, or time is up.
func (r *run) settle(ctx context.Context) (err error) {
	r.result.After, err = r.server.await(ctx, func(now *Report) bool {
		return (&Result{Before: r.result.Before, After: *now}).leaks() == nil
	})
	return err
}
