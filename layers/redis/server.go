package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/layers/driver"
)

// server is one of the servers of a driver, or the master that Sentinel names.
type server struct {
	driver *Driver
	target *target
	prefix string // starts the keys that only Wye uses
	before string // starts the channels of groups, with PubSub

	commands atomic.Pointer[commands] // nil while the server cannot be reached
	lag      atomic.Int64             // nanoseconds that the last probe was under way
	outages  atomic.Int64

	presences *presences
	moved     chan struct{} // has an element if the slot of the partition has moved
	changing  chan struct{} // has an element while an intake that is in place is changed

	mu struct {
		sync.Mutex
		wanted  map[string]struct{} // names of groups that have members in this process
		changed map[string]bool     // changes of wanted while they are subscribed to anew; nil: they are not
		intake  intake              // through which the events of wanted arrive; nil while the server is down
		failed  map[string]struct{} // names of which the intake could not be changed: the next probe has it done again
		cause   error               // why it is down
	}
}

func newServer(d *Driver, t *target) *server {
	s := &server{driver: d, target: t, presences: newPresences(), moved: make(chan struct{}, 1), changing: make(chan struct{}, 1)}
	s.mu.wanted = make(map[string]struct{})
	s.prefix = d.settings.Prefix
	s.before = s.prefix + groupInfix
	if t.part != nil {
		s.prefix += ":{" + t.part.tag + "}"
	}
	if d.settings.Sharded {
		s.before = s.prefix + groupInfix
	}
	return s
}

// start connects to the server for the first time and checks it. It returns an error when ctx
// ends.
func (s *server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := s.openCommands(ctx)
	if err == nil {
		s.commands.Store(c)
		err = s.checkStart(ctx, c)
	}
	if err == nil {
		err = s.subscribe(ctx, c)
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("it has not answered in time: %w", errors.Join(context.Cause(ctx), err))
	}
	return withAdvice(err)
}

// startTimeout bounds the first connection of a driver to a server.
const startTimeout = 15 * time.Second

// client returns the client for commands.
func (s *server) client() (*commands, error) {
	if c := s.commands.Load(); c != nil {
		return c, nil
	}
	return nil, s.downErr()
}

// isDown reports whether the server is known to be down.
func (s *server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.cause != nil
}

// downErr returns the error of a call while the server is down.
func (s *server) downErr() error {
	if s.driver.ctx.Err() != nil {
		return driver.ErrLayerClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.cause == nil {
		return fmt.Errorf("%w: %s: it is being connected to", driver.ErrDown, s.target.name)
	}
	return fmt.Errorf("%w: %s: %w", driver.ErrDown, s.target.name, s.mu.cause)
}

// run keeps the server connected until the driver is closed.
func (s *server) run() {
	ctx := s.driver.ctx
	defer s.disconnect(nil)
	for {
		cause := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		since := time.Now()
		s.noteDown(cause)
		if !s.restore(ctx, cause) {
			return
		}
		s.noteUp(time.Since(since))
	}
}

// noteDown notes that the server is down.
func (s *server) noteDown(cause error) {
	s.outages.Add(1)
	s.mu.Lock()
	s.mu.intake, s.mu.cause = nil, cause
	s.mu.Unlock()
	s.logger().Warn("wye: redis: a server is down; delivery within this process goes on", "cause", cause)
	s.driver.noteDown(s, cause)
	s.stopTellingAgain()
}

// noteUp notes that the server is up again and that this node's groups are subscribed to.
func (s *server) noteUp(after time.Duration) {
	s.logger().Info("wye: redis: a server is up again", "after", after.Round(time.Millisecond), "groups", s.groupCount())
	s.driver.noteUp(s)
	s.driver.refill(s)
	s.resumePresences()
}

func (s *server) logger() *slog.Logger { return s.driver.logger().With("server", s.target.name) }

// restore connects to the server again, as often as necessary. If only the intake has failed,
// commands go on meanwhile. It returns false when ctx has ended.
func (s *server) restore(ctx context.Context, cause error) bool {
	if c := s.commands.Load(); c != nil && errors.Is(cause, errIntakeClosed) && s.attempt(ctx, c) == nil {
		return true
	}
	var pauses backoff
	for {
		s.disconnect(cause)
		c, err := s.openCommands(ctx)
		if err == nil {
			err = s.attempt(ctx, c)
		}
		if err == nil {
			return true
		}
		if cause.Error() != err.Error() {
			s.logger().Debug("wye: redis: a server cannot be connected to; the driver tries again", "error", err)
		}
		if cause = err; !pauses.wait(ctx) {
			return false
		}
	}
}

// attempt subscribes to all that is wanted, within a time.
func (s *server) attempt(ctx context.Context, c *commands) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := s.subscribe(ctx, c)
	if err != nil && c != s.commands.Load() {
		c.cut()
	}
	return err
}

// disconnect closes all connections to the server.
func (s *server) disconnect(cause error) {
	s.mu.Lock()
	in := s.mu.intake
	s.mu.intake, s.mu.cause = nil, cause
	s.mu.Unlock()
	if c := s.commands.Swap(nil); c != nil {
		c.cut()
	}
	if in != nil {
		in.close()
	}
}

// change adds names of groups to those that are wanted, and removes others.
func (s *server) change(ctx context.Context, add, drop []string) error {
	in, c := s.want(add, drop), s.commands.Load()
	if in == nil || c == nil {
		return s.downErr()
	}
	err := s.lockChanging(ctx)
	if err == nil {
		err = in.change(ctx, c, add, drop)
		s.unlockChanging()
	}
	if err != nil {
		s.noteFailed(in, add, drop)
	}
	return s.driver.callError(ctx, s, err)
}

// want notes what is wanted, and returns the intake that is to be changed, or nil if restore
// will do so.
func (s *server) want(add, drop []string) intake {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range drop {
		delete(s.mu.wanted, name)
		if s.mu.changed != nil {
			s.mu.changed[name] = false
		}
	}
	for _, name := range add {
		s.mu.wanted[name] = struct{}{}
		if s.mu.changed != nil {
			s.mu.changed[name] = true
		}
	}
	return s.mu.intake
}

// subscribe opens an intake, has all that is wanted arrive through it, and puts it in place
// when a probe has arrived.
func (s *server) subscribe(ctx context.Context, c *commands) error {
	in, err := s.driver.transport.open(ctx, s, c)
	if err != nil {
		return err
	}
	err = in.probe(ctx, c)
	for add, drop := s.allWanted(), []string(nil); err == nil; add, drop = s.takeChanges() {
		if len(add)+len(drop) == 0 && s.place(in, c) {
			return nil
		}
		err = in.change(ctx, c, add, drop)
	}
	in.close()
	return err
}

// allWanted returns all names that are wanted, and has want note changes from now on.
func (s *server) allWanted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.changed = make(map[string]bool)
	all := make([]string, 0, len(s.mu.wanted))
	for name := range s.mu.wanted {
		all = append(all, name)
	}
	return all
}

// takeChanges returns what has been changed since the last call.
func (s *server) takeChanges() (add, drop []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, wanted := range s.mu.changed {
		if wanted {
			add = append(add, name)
		} else {
			drop = append(drop, name)
		}
	}
	clear(s.mu.changed)
	return add, drop
}

// place makes in the intake of the server and c its client, unless something has changed. It
// stores both at once: change needs both, and nothing subscribes later to what it has noted
// after place.
func (s *server) place(in intake, c *commands) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.changed) > 0 {
		return false
	}
	s.commands.Store(c)
	s.mu.changed, s.mu.failed, s.mu.intake, s.mu.cause = nil, nil, in, nil
	return true
}

// groups returns the groups that are wanted.
func (s *server) groups() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]string, 0, len(s.mu.wanted))
	for name := range s.mu.wanted {
		all = append(all, s.groupOf(name))
	}
	return all
}

// groupOf returns the group of a name.
func (s *server) groupOf(name string) string {
	return strings.TrimPrefix(name, s.driver.transport.groupPrefix(s))
}

func (s *server) groupCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.wanted)
}
