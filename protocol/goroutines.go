package protocol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// goroutineTime is how long Disconnect waits for the functions of Conn.Go.
const goroutineTime = 10 * time.Second

var errGoroutineExit = errors.New("wye: a function of Conn.Go or consumer.Func ended its goroutine (runtime.Goexit, or FailNow of a test)")

// hold reports whether what follows the callbacks has to wait for the goroutines: it
// does until they have returned or are abandoned.
func (g *goroutines) hold() bool { return g != nil && g.running > 0 && !g.abandoned }

// resume ends the waiting for the goroutines. If it returns true, there was such a wait,
// and the caller has to schedule what follows the callbacks.
func (g *goroutines) resume() bool {
	if !g.isAwaited() {
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
	if s.mu.life.IsOver() || s.cause() != nil {
		return s.causeLocked()
	}
	r := s.rarity()
	if r.tasks == nil {
		r.tasks = new(goroutines)
	}
	if g := r.tasks; g.running >= s.limits().Goroutines {
		s.options().Counters.goroutinesRefused.Add(1)
		return fmt.Errorf("%w: %d are running, as many as Limits.Goroutines allows; "+
			"let some return, or raise that limit, for one route with router.Limit", errTooManyGoroutines, g.running)
	}
	r.tasks.running++
	go s.runGoroutine(f)
	return nil
}

// runGoroutine calls f, and treats its result as that of a callback.
func (s *Session) runGoroutine(f func(ctx context.Context) error) {
	returned := false
	defer s.goroutineDone()
	defer s.recoverFault(&returned, errGoroutineExit)
	err := f(s.context())
	returned = true
	s.applyError(err)
}

// goroutineDone has what follows the callbacks run if it has waited for this goroutine,
// the last one.
func (s *Session) goroutineDone() {
	s.mu.Lock()
	r := s.rare.Load()
	g := r.tasks
	g.running--
	last := g.running == 0
	if last {
		r.tasks = nil
	}
	goOn := last && g.resume()
	s.mu.Unlock()
	if goOn {
		s.schedule()
	}
}

// awaitGoroutinesLocked has what follows the callbacks wait for the goroutines. No
// goroutine has to wait with it: the executor stays claimed, and goes to the last of
// them, or to the timer. The FinalContext ends, because no message follows.
func (s *Session) awaitGoroutinesLocked() {
	r := s.rare.Load()
	r.finals().end()
	r.tasks.wait = time.AfterFunc(goroutineTime, s.abandonGoroutines)
}

// abandonGoroutines has what follows the callbacks run, although some goroutines have
// not returned.
func (s *Session) abandonGoroutines() {
	s.mu.Lock()
	g := s.rare.Load().goroutines()
	goOn := g != nil && g.resume()
	running := 0
	if goOn {
		g.abandoned, running = true, g.running
	}
	s.mu.Unlock()
	if !goOn {
		return
	}
	s.options().Counters.goroutinesAbandoned.Add(int64(running))
	s.log(slog.LevelError, "wye: functions of Conn.Go did not return within ten seconds of the connection's close; "+
		"Disconnect did not wait longer",
		[]any{"running", running})
	s.schedule()
}
