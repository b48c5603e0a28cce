package layertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
)

// Suite is what every driver must pass. Only New is needed, but what a test
// cannot do to its broker is not tested: cases that need a function which is nil
// are skipped and listed at the end. Those for a [layers.Historian] or a
// [layers.Presencer] do not apply to a driver that is none, and are listed too; it
// fails only if History or Presence says that it is one.
type Suite struct {
	// New returns the driver of another node, not yet started. All nodes of a
	// subtest, whose t it gets, are on one broker; subtests may share one,
	// because each chooses names of its own. The suite closes what it has
	// started.
	New func(t *testing.T) layers.Driver
	// Capacity is how many events may wait in a named channel; 0 is 100.
	Capacity int
	// Expire returns when what waits in named channels by now has been there
	// for too long: it waits, or moves a clock.
	Expire func()
	// Stop takes the broker down so that every node notices, and Start brings
	// it back. Between them the suite makes calls that must fail.
	Stop, Start func()
	// Kill ends a node as a crash does, without Close. The suite does not use
	// the driver again.
	Kill func(d layers.Driver)
	// Slow has the broker take so long to answer each call; 0 ends that.
	Slow func(d time.Duration)
	// Lease is how long it may take until what a dead node had entered is gone;
	// 0 is 10 s. Only drivers that are a layers.Presencer have one.
	Lease time.Duration
	// Patience is how long one call, or an event on its way, may take before
	// it counts as lost; 0 is 10 s. Only failures wait for so long.
	Patience time.Duration
	// All has the run fail if a case had to be skipped because a function is nil.
	All bool
	// Queues, History and Presence have the run fail if the driver is not a
	// layers.Queuer, layers.Historian or layers.Presencer, by mistake: a driver that
	// wraps another one easily hides what that can do.
	Queues, History, Presence bool
}

// Run is the short form of [Suite.Run], with nothing but New: cases that need a
// broker which fails are skipped. Each call of newDriver must return the driver of
// another node on the same broker.
func Run(t *testing.T, newDriver func(t *testing.T) layers.Driver) {
	t.Helper()
	(&Suite{New: newDriver}).Run(t)
}

// Run runs each case as a subtest. A failure says which rule has been broken, and
// how.
func (s *Suite) Run(t *testing.T) {
	t.Helper()
	d := s.New(t) // not to be started
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			if lacks := c.lacks(s, d); lacks != "" {
				t.Skipf("%s: %s", lacks.why(), c.why)
			}
			for _, err := range c.try(t, s) {
				t.Errorf("%v\nthe rule: %s", err, c.why)
			}
		})
	}
	report := t.Logf
	if s.All {
		report = t.Errorf
	}
	untested, inapplicable := s.skipped(d)
	if len(inapplicable) > 0 {
		t.Logf("layertest: %d rules do not apply to the driver: %s", len(inapplicable), strings.Join(inapplicable, ", "))
	}
	if len(untested) > 0 {
		report("layertest: %d rules have NOT been tested: %s", len(untested), strings.Join(untested, ", "))
	}
	if err := s.isNot(d); err != nil {
		t.Error(err)
	}
}

// skipped are the cases that s cannot run, and those that do not apply to drivers such
// as d, each with what is missing.
func (s *Suite) skipped(d layers.Driver) (untested, inapplicable []string) {
	for _, c := range cases() {
		switch lacks := c.lacks(s, d); {
		case lacks.isOptional():
			inapplicable = append(inapplicable, c.name+" (for a "+string(lacks)+")")
		case lacks != "":
			untested = append(untested, c.name+" (needs "+string(lacks)+")")
		}
	}
	return untested, inapplicable
}

// isNot says what d is not, and is said to be.
func (s *Suite) isNot(d layers.Driver) error {
	var all []error
	for _, row := range []struct {
		field string
		set   bool
		asks  fault
	}{
		{"Queues", s.Queues, asksQueues}, {"History", s.History, asksHistory}, {"Presence", s.Presence, asksPresence},
	} {
		if row.set && !row.asks.isOf(d) {
			all = append(all, fmt.Errorf("layertest: Suite.%s is set, and the driver %T is not a %s", row.field, d, row.asks))
		}
	}
	return errors.Join(all...)
}

func (s *Suite) patience() time.Duration {
	if s.Patience > 0 {
		return s.Patience
	}
	return 10 * time.Second
}

func (s *Suite) lease() time.Duration {
	if s.Lease > 0 {
		return s.Lease
	}
	return 10 * time.Second
}

func (s *Suite) capacity() int {
	if s.Capacity > 0 {
		return s.Capacity
	}
	return 100
}

// testCase is a rule and how to find out whether a driver keeps it.
type testCase struct {
	name  string
	why   string // the rule, as a sentence
	needs fault  // what the suite must be able to do to the broker
	asks  fault  // what the driver must be
	run   func(*stage)
}

// fault names functions of a Suite, or an interface of a driver.
type fault string

const (
	needsExpire fault = "Expire"
	needsStop   fault = "Stop or Start"
	needsKill   fault = "Kill"
	needsSlow   fault = "Slow"

	asksQueues   fault = "layers.Queuer"
	asksHistory  fault = "layers.Historian"
	asksPresence fault = "layers.Presencer"
)

// why is the sentence for what is missing.
func (f fault) why() string {
	if f.isOptional() {
		return "NOT APPLICABLE, because the driver is no " + string(f)
	}
	return "NOT TESTED, because Suite has no " + string(f)
}

// isOptional reports whether a driver may lack f.
func (f fault) isOptional() bool { return f == asksQueues || f == asksHistory || f == asksPresence }

// isOf reports whether d is what f asks for.
func (f fault) isOf(d layers.Driver) (ok bool) {
	switch f {
	case asksQueues:
		_, ok = d.(layers.Queuer)
	case asksHistory:
		_, ok = d.(layers.Historian)
	case asksPresence:
		_, ok = d.(layers.Presencer)
	default:
		ok = true
	}
	return ok
}

// cases are all cases, in the order in which a driver is best made to pass them.
func cases() []testCase {
	var all []testCase
	for _, some := range [][]testCase{
		groupCases(), orderCases(), payloadCases(), memberCases(), channelCases(), pullCases(), lifeCases(), faultCases(), layerCases(),
		historyCases(), presenceCases(),
	} {
		all = append(all, some...)
	}
	return all
}

// lacks says what s does not have, or d is not, and c needs.
func (c *testCase) lacks(s *Suite, d layers.Driver) fault {
	has := map[fault]bool{
		"":          true,
		needsExpire: s.Expire != nil,
		needsStop:   s.Stop != nil && s.Start != nil,
		needsKill:   s.Kill != nil,
		needsSlow:   s.Slow != nil,
	}
	switch {
	case !c.asks.isOf(d):
		return c.asks
	case !has[c.needs]:
		return c.needs
	}
	return ""
}

// try runs c and returns what was wrong.
func (c *testCase) try(t *testing.T, suite *Suite) []error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &stage{t: t, suite: suite, ctx: ctx, hung: make(chan string, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.perform(c)
	}()
	select {
	case <-done:
		return s.errors()
	case what := <-s.hung:
		return append(s.errors(), fmt.Errorf("%s has not returned, long after its ctx ended", what))
	}
}
