package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/internal/errtext"
)

// Task is what runs beside a server: a *layers.Worker, for example.
type Task interface {
	// Run runs until ctx ends, and returns when all that it had taken on is done.
	Run(ctx context.Context) error
}

// Background adds tasks that [Run] and [Serve] start before they serve. They end
// last: a task's ctx lives on after the server's and ends when plain requests and
// connections are through, so that what a Disconnect sends to a worker is still
// taken. Then the tasks have the grace of Run once more. A task that fails before
// shuts the server down, and its error is what Run returns; one that returns nil
// before does not. When its ctx has ended, context.Canceled is no failure. Call
// Background before Run; a nil task panics.
func (r *ProtocolTypeRouter) Background(tasks ...Task) {
	for i, t := range tasks {
		if t == nil {
			panic(fmt.Sprintf("wye: router.Background: task %d is nil", i+1))
		}
	}
	r.tasks.Lock()
	defer r.tasks.Unlock()
	r.tasks.all = append(r.tasks.all, tasks...)
}

// background is the tasks of a server that runs.
type background struct {
	cancel context.CancelFunc
	tasks  int
	done   chan error // what each has returned
}

// runTasks starts the tasks. It calls failed when one has returned an error.
func (r *ProtocolTypeRouter) runTasks(ctx context.Context, failed context.CancelFunc) *background {
	r.tasks.Lock()
	defer r.tasks.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &background{cancel: cancel, tasks: len(r.tasks.all), done: make(chan error, len(r.tasks.all))}
	for _, t := range r.tasks.all {
		go func() {
			err := t.Run(ctx)
			switch {
			case errors.Is(err, context.Canceled) && ctx.Err() != nil:
				err = nil // it was told to end, and says so
			case err != nil:
				err = errtext.Wrap(fmt.Sprintf("wye: background task %T", t), err)
				failed()
			}
			b.done <- err
		}()
	}
	return b
}

// end ends the tasks and waits for them until ctx ends.
func (b *background) end(ctx context.Context) error {
	b.cancel()
	errs := make([]error, 0, b.tasks)
	for n := range b.tasks {
		select {
		case err := <-b.done:
			errs = append(errs, err)
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("wye: %d background tasks have not finished: %w", b.tasks-n, ctx.Err()))
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
