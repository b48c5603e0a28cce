package layertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// env is the environment of a case: its nodes and its failures. It is to a case what
// testing.T is to a test, but a failure does not fail the test by itself, so that the suite can
// be tested.
type env struct {
	t     *testing.T
	suite *Suite
	ctx   context.Context //nolint:containedctx // the case's own
	hung  chan string     // gets the name of a call that does not return; has room for one
	busy  sync.WaitGroup  // goroutines of background
	mu    struct {
		sync.Mutex
		failures []error
		peers    []*peer
		layers   []*layers.Layer
		salt     string // makes the case's names its own
	}
}

// runCase runs c and closes what it leaves open.
func (s *env) runCase(c *testCase) {
	defer s.closeAll()
	var running sync.WaitGroup
	running.Go(func() { c.run(s) })
	running.Wait()
	s.busy.Wait()
}

// closeAll closes all nodes, which must succeed after each case.
func (s *env) closeAll() {
	s.mu.Lock()
	peers, all := s.mu.peers, s.mu.layers
	s.mu.Unlock()
	for _, l := range all {
		if err := s.call("Close", l.Close); err != nil {
			s.errorf("Close has failed: %w", err)
		}
	}
	for _, p := range peers {
		if err := p.close(); err != nil {
			s.errorf("Close has failed: %w", err)
		}
	}
	for _, p := range peers {
		if err := p.checkClosed(); err != nil {
			s.errorf("%w", err)
		}
	}
}

func (s *env) errors() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.failures
}

// errorf notes a failure.
func (s *env) errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.failures) < 10 { // more would say no more
		s.mu.failures = append(s.mu.failures, fmt.Errorf(format, args...))
	}
}

// fatalf notes a failure and ends this goroutine.
func (s *env) fatalf(format string, args ...any) {
	s.errorf(format, args...)
	runtime.Goexit()
}

// must ends this goroutine if a call of the driver has failed.
func (s *env) must(what string, err error) {
	if err != nil {
		s.fatalf("%s has failed: %w", what, err)
	}
}

// background runs f on a goroutine of its own. The case does not end before f has returned.
func (s *env) background(f func()) { s.busy.Go(f) }

// parallel runs f n times in parallel and waits for all.
func (s *env) parallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
	if len(s.errors()) > 0 {
		runtime.Goexit()
	}
}

// call makes a call with a ctx that ends after Suite.Patience, and reports if it does not
// return even then.
func (s *env) call(what string, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.suite.patience())
	defer cancel()
	return s.watch(what, func() error { return f(ctx) })
}

// watch is call for a function that has a ctx of its own.
func (s *env) watch(what string, f func() error) error {
	watch := time.AfterFunc(2*s.suite.patience(), func() {
		select {
		case s.hung <- what:
		default: // one is enough
		}
	})
	defer watch.Stop()
	return f()
}

// name returns a name that no other case has.
func (s *env) name(base string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.salt == "" {
		s.mu.salt = strings.ToLower(rand.Text()[:8])
	}
	return base + "-" + s.mu.salt
}

// patience returns a channel that is ready after Suite.Patience.
func (s *env) patience() (<-chan time.Time, func() bool) {
	timer := time.NewTimer(s.suite.patience())
	return timer.C, timer.Stop
}

// note is what the cases send.
type note struct {
	From string `json:"from"`
	N    int    `json:"n"`
	Data []byte `json:"data,omitempty"`
}

// noteType is the type of notes.
const noteType = "layertest.note"

func newNote(from string, n int) *protocol.Event {
	return protocol.EventType[note]{Name: noteType}.New(note{From: from, N: n})
}

// noteOf reads a note.
func noteOf(e *protocol.Event) (note, error) {
	if e.Type() != noteType {
		return note{}, fmt.Errorf("an event of type %q instead of %q", e.Type(), noteType)
	}
	return protocol.EventType[note]{Name: noteType}.Payload(e)
}

// oneNote returns the number of a note. It fails if e is not one.
func (s *env) oneNote(e *protocol.Event) int {
	n, err := noteOf(e)
	s.must("Reading what has arrived", err)
	return n.N
}

// numbers returns the numbers of notes.
func (s *env) numbers(notes []*protocol.Event) []int {
	all := make([]int, len(notes))
	for i, e := range notes {
		all[i] = s.oneNote(e)
	}
	return all
}

// wantErr ends this goroutine if got does not match want.
func (s *env) wantErr(what string, got, want error) {
	if !errors.Is(got, want) {
		s.fatalf("%s returned the error %v, want one that matches %q", what, got, want)
	}
}

// upTo is 0, 1, ... n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
