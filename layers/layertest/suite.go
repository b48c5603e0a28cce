package layertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
)

// Suite is what every driver must pass. Only New is required, but cases that need a function
// which is nil are skipped and listed at the end. Cases for a [layers.Queuer], a
// [layers.Historian] or a [layers.Presencer] do not apply to a driver that is not one, and are
// listed too; they fail the run only if Queues, History or Presence says that it is one.
type Suite struct {
	// New returns the driver of another node, not started. All nodes of a subtest,
	// whose t it gets, are on one broker; subtests may share one, because each chooses
	// names of its own. The suite closes what it has started.
	New func(t *testing.T) layers.Driver
	// Capacity is how many events may wait in a named channel; 0 is 100.
	Capacity int
	// Expire returns when what waits in named channels now has expired: it waits, or
	// moves a clock.
	Expire func()
	// Stop takes the broker down so that every node notices, and Start brings it back.
	// Between them the suite makes calls that must fail.
	Stop, Start func()
	// Kill ends a node as a crash does, without Close. The suite does not use the driver
	// again.
	Kill func(d layers.Driver)
	// Slow has the broker take so long to answer each call; 0 ends that.
	Slow func(d time.Duration)
	// Lease is how long it may take until what a dead node had entered exits; 0 is 10 s.
	// Only drivers that are a layers.Presencer have one.
	Lease time.Duration
	// Patience is how long one call, or an event on its way, may take before it counts as
	// lost; 0 is 10 s. Only failures take so long.
	Patience time.Duration
	// All has the run fail if a case had to be skipped because a function is nil.
	All bool
	// Queues, History and Presence have the run fail if the driver is not a
	// layers.Queuer, layers.Historian or layers.Presencer, by mistake: a driver that
	// wraps another one easily hides what that can do.
	Queues, History, Presence bool
}

// checkInterfaces returns an error if d lacks an interface that s says it has.
func (s *Suite) checkInterfaces(d layers.Driver) error {
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
	rule  string // as a sentence
	needs fault  // what the suite must be able to do to the broker
	asks  fault  // what the driver must be
	run   func(*env)
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

// lacks returns what c needs and s or d does not have, "" for nothing.
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
