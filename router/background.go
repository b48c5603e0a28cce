package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/internal/errtext"
)

// Task is work that runs beside a server, such as a *layers.Worker. See
// [ProtocolTypeRouter.Background].
type Task interface {
	// Run works until ctx is done, then finishes what it has started, and returns.
	Run(ctx context.Context) error
}

// runningTasks are the background tasks of a server that serves.
type runningTasks struct {
	cancel context.CancelFunc
	count  int
	errs   chan error // one value per task, when its Run has returned
}

// startTasks starts each task in a goroutine of its own, with a context that has the
// values of ctx and lasts until stop. It calls failed when a task returns an error.
func startTasks(ctx context.Context, tasks []Task, failed context.CancelFunc) *runningTasks {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &runningTasks{cancel: cancel, count: len(tasks), errs: make(chan error, len(tasks))}
	for _, t := range tasks {
		go func() {
			err := t.Run(ctx)
			switch {
			case errors.Is(err, context.Canceled) && ctx.Err() != nil:
				err = nil // the task ended because stop was called
			case err != nil:
				err = errtext.Wrap(fmt.Sprintf("wye: background task %T", t), err)
				failed()
			}
			r.errs <- err
		}()
	}
	return r
}

// stop cancels the tasks' context and waits until they have returned or ctx is done.
func (r *runningTasks) stop(ctx context.Context) error {
	r.cancel()
	errs := make([]error, 0, r.count)
	for n := range r.count {
		select {
		case err := <-r.errs:
			errs = append(errs, err)
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("wye: %d background tasks have not finished: %w", r.count-n, ctx.Err()))
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
