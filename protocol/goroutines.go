package protocol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// goroutineTime is how long Disconnect waits for the functions of Conn.Go.
const goroutineTime = 10 * time.Second

var errGoroutineExit = errors.New("wye: a function of Conn.Go ended its goroutine (runtime.Goexit, or FailNow of a test)")

// goroutines are those that a connection has started with Conn.Go and that have not
// returned. It is guarded by the session's lock; nil means none.
type goroutines struct {
	running   int
	abandoned bool        // Disconnect does not wait for them any longer
	wait      *time.Timer // while Disconnect waits for them, and only then
}

// hold up to their end, or until they are abandoned, what follows the callbacks.
func (g *goroutines) hold() bool { return g != nil && g.running > 0 && !g.abandoned }

// resume reports whether it is for the caller to go on with what has waited.
func (g *goroutines) resume() bool {
	if g.wait == nil {
		return false
	}
	g.wait.Stop()
	g.wait = nil
	return true
}

// startGoroutine is Conn.Go.
func (s *Session) startGoroutine(f func(ctx context.Context) error) error {
	if f == nil {
		panic("wye: Conn.Go: the function is nil")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.over() || s.mu.cause != nil {
		return s.causeLocked()
	}
	if s.mu.tasks == nil {
		s.mu.tasks = new(goroutines)
	}
	if g := s.mu.tasks; g.running >= s.limits.Goroutines {
		s.shared.Counters.goroutinesRefused.Add(1)
		return fmt.Errorf("%w: %d are running, as many as Limits.Goroutines allows; "+
			"let some return, or raise that limit, for one route with router.Limit", ErrTooManyGoroutines, g.running)
	}
	s.mu.tasks.running++
	go s.runGoroutine(f)
	return nil
}

// runGoroutine calls f, and does what it asks for as if it were a callback.
func (s *Session) runGoroutine(f func(ctx context.Context) error) {
	returned := false
	defer s.goroutineDone()
	defer func() {
		switch v := recover(); {
		case returned:
		case v != nil:
			s.crash(&PanicError{Value: v, Stack: debug.Stack()})
		default:
			s.crash(errGoroutineExit)
		}
	}()
	err := f(s.ctx)
	returned = true
	s.failed(err)
}

// goroutineDone has the end go on if it was the last one that it waited for.
func (s *Session) goroutineDone() {
	s.mu.Lock()
	g := s.mu.tasks
	g.running--
	last := g.running == 0
	if last {
		s.mu.tasks = nil
	}
	goOn := last && g.resume()
	s.mu.Unlock()
	if goOn {
		s.schedule()
	}
}

// holdLocked has what follows the callbacks wait for the goroutines. The right to run
// it is kept meanwhile, and nobody has to wait with it.
func (s *Session) holdLocked() {
	s.mu.tasks.wait = time.AfterFunc(goroutineTime, s.abandonGoroutines)
}

// abandonGoroutines has the end go on without those that have not returned.
func (s *Session) abandonGoroutines() {
	s.mu.Lock()
	g := s.mu.tasks
	goOn := g != nil && g.resume()
	running := 0
	if goOn {
		g.abandoned, running = true, g.running
	}
	s.mu.Unlock()
	if !goOn {
		return
	}
	s.shared.Counters.goroutinesAbandoned.Add(int64(running))
	s.log(slog.LevelError, "wye: functions of Conn.Go did not return within ten seconds of the end; Disconnect did not wait longer",
		[]any{"running", running})
	s.schedule()
}
