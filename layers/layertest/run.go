package layertest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/layers"
)

// Run runs a [Suite] that has only the field New. Cases that need a broker which can fail
// are skipped. Each call of newDriver must return the driver of a new node on the same
// broker.
func Run(t *testing.T, newDriver func(t *testing.T) layers.Driver) {
	t.Helper()
	(&Suite{New: newDriver}).Run(t)
}

// Run runs each case as a subtest. A failure says which rule the driver breaks, and how.
func (s *Suite) Run(t *testing.T) {
	t.Helper()
	d := s.New(t) // not to be started
	for _, c := range cases() {
		lacks := c.lacks(s, d)
		if lacks.isOptional() {
			continue // the driver says so by its type; the rules are listed below
		}
		t.Run(c.name, func(t *testing.T) {
			if lacks != "" {
				t.Skipf("NOT TESTED, because Suite has no %s: %s", lacks, c.rule)
			}
			for _, err := range c.try(t, s) {
				t.Errorf("%v\nthe rule: %s", err, c.rule)
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
	if err := s.checkInterfaces(d); err != nil {
		t.Error(err)
	}
}

// skipped returns the cases that s cannot run, and those that do not apply to drivers such as
// d, each with what is missing.
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

// cases returns all cases, in an order in which a driver can be made to pass them.
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

// try runs c and returns what failed.
func (c *testCase) try(t *testing.T, suite *Suite) []error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &env{t: t, suite: suite, ctx: ctx, hung: make(chan string, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.runCase(c)
	}()
	select {
	case <-done:
		return s.errors()
	case what := <-s.hung:
		return append(s.errors(), fmt.Errorf("%s has not returned, long after its ctx ended", what))
	}
}
