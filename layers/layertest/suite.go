package layertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
)

// Suite tests a driver. Every driver must pass it. Only New is required. Cases that need a
// function which is nil are skipped and listed at the end. Cases for a [layers.Queuer], a
// [layers.Historian] or a [layers.Presencer] are only listed if the driver is not one; the run
// fails because of that only if Queues, History or Presence is set.
type Suite struct {
	// New returns the driver of a new node, which is not started. t is that of the
	// subtest. All nodes of a subtest must be on one broker. Subtests may share a broker,
	// because they use different names. The suite closes the drivers that it has started.
	New func(t *testing.T) layers.Driver
	// Capacity is how many events may wait in a named channel; 0 is 100.
	Capacity int
	// Expire returns when all events that now wait in named channels have expired: it
	// waits, or sets a clock forward.
	Expire func()
	// Stop takes the broker down so that every node notices, and Start brings it back.
	// Between them the suite makes calls that must fail.
	Stop, Start func()
	// Kill ends a node as a crash does, without Close. The suite does not use the driver
	// again.
	Kill func(d layers.Driver)
	// Slow makes the broker answer each call after the time d; 0 ends that.
	Slow func(d time.Duration)
	// Lease is how long it may take until the presences of a dead node exit; 0 means 10 s.
	// It is only for drivers that are a layers.Presencer.
	Lease time.Duration
	// Patience is how long the suite waits for a call to return or an event to arrive
	// before the case fails; 0 means 10 s.
	Patience time.Duration
	// All makes the run fail if a case was skipped because a function is nil.
	All bool
	// Queues, History and Presence make the run fail if the driver is not a
	// layers.Queuer, layers.Historian or layers.Presencer. A driver that wraps another
	// one can lack such an interface by mistake.
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
