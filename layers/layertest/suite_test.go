package layertest

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
)

// whole is the suite of a broker, with nothing left out.
func whole(b *Broker) *Suite {
	return &Suite{
		New:  func(*testing.T) layers.Driver { return b.Node() },
		Stop: b.Stop, Start: b.Start,
		Kill:   b.Kill,
		Slow:   b.Slow,
		Expire: func() { <-time.After(b.limit.Expiry) },
		All:    true, Queues: true, History: true, Presence: true,
	}
}

// One broker for all cases, in real time.
//
//nolint:tparallel // the cases of Run come one after the other
func TestBroker(t *testing.T) {
	t.Parallel()
	b := NewBroker(&Options{Expiry: 2 * time.Second, Lease: time.Second})
	t.Cleanup(b.Close)
	whole(b).Run(t)
}

// One broker for each case, on which time passes without waiting.
func TestBrokerInBubbles(t *testing.T) {
	t.Parallel()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, err := range c.try(t, whole(NewBroker(nil))) {
					t.Error(err)
				}
			})
		})
	}
}

// hubSuite is the suite of drivers of one process. A hub has no faults: nothing goes down,
// is slow, or dies.
func hubSuite() *Suite {
	h := memory.NewHub(&memory.Options{Logger: slog.New(slog.DiscardHandler)})
	return &Suite{
		New:    func(*testing.T) layers.Driver { return h.Node() },
		Expire: func() { <-time.After(time.Minute) },
		Queues: true, History: true, Presence: true,
	}
}

// The drivers of package memory, one hub for each case. Only cases about a back end that
// fails do not apply.
func TestMemoryInBubbles(t *testing.T) {
	t.Parallel()
	faults := []string{
		"a-node-dies", "down", "queues-down", "start-while-down", "down-and-up", "subscribe-while-down", "slow",
		"history-restart", "presence-node-dies", "presence-down",
	}
	var skipped []string
	for _, c := range cases() {
		if s := hubSuite(); c.lacks(s, s.New(t)) != "" {
			skipped = append(skipped, c.name)
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := hubSuite()
				for _, err := range append(c.try(t, s), s.checkInterfaces(s.New(t))) {
					if err != nil {
						t.Errorf("%v\nthe rule: %s", err, c.rule)
					}
				}
			})
		})
	}
	if !slices.Equal(skipped, faults) {
		t.Errorf("%q do not run, want only those about faults: %q", skipped, faults)
	}
}

func TestRunIsTheShortForm(t *testing.T) {
	t.Parallel()
	b := NewBroker(nil)
	t.Cleanup(b.Close)
	Run(t, func(*testing.T) layers.Driver { return b.Node() })
}

func TestWhatCannotBeTestedIsListed(t *testing.T) {
	t.Parallel()
	want := []string{
		"expiry (needs Expire)", "a-node-dies (needs Kill)", "down (needs Stop or Start)", "queues-down (needs Stop or Start)", "start-while-down (needs Stop or Start)",
		"down-and-up (needs Stop or Start)", "subscribe-while-down (needs Stop or Start)", "slow (needs Slow)",
		"history-restart (needs Stop or Start)", "presence-node-dies (needs Kill)", "presence-down (needs Stop or Start)",
	}
	d := NewBroker(nil).Node()
	if got, not := (&Suite{Start: func() {}}).skipped(d); !slices.Equal(got, want) || len(not) > 0 {
		t.Errorf("a suite that can do nothing to its broker lists %q and %q, want %q", got, not, want)
	}
	if got, not := whole(NewBroker(nil)).skipped(d); len(got)+len(not) != 0 {
		t.Errorf("a suite that has everything lists %q and %q", got, not)
	}
}

// bare hides what else a driver is.
type bare struct{ layers.Driver }

// A driver need be neither a Queuer nor a Historian nor a Presencer, but may be said to be.
//
//nolint:tparallel // the cases of Run come one after the other
func TestWhatDoesNotApplyIsListed(t *testing.T) {
	t.Parallel()
	b := NewBroker(&Options{Expiry: 2 * time.Second})
	t.Cleanup(b.Close)
	s := whole(b)
	s.Queues, s.History, s.Presence = false, false, false
	s.New = func(*testing.T) layers.Driver { return bare{b.Node()} }
	s.Kill = func(d layers.Driver) { b.Kill(d.(bare).Driver) }
	s.Run(t)
	untested, not := s.skipped(s.New(t))
	if want := 9 + len(historyCases()) + len(presenceCases()); len(untested) > 0 || len(not) != want ||
		!slices.Contains(not, "capacity (for a layers.Queuer)") ||
		!slices.Contains(not, "history-restart (for a layers.Historian)") || !slices.Contains(not, "presence-ctx (for a layers.Presencer)") {
		t.Errorf("for a driver without queues, history and presence, %q are not tested and %d do not apply, want %d: %q", untested, len(not), want, not)
	}
	for _, row := range []struct {
		at                        testkit.Line
		d                         layers.Driver
		queues, history, presence bool
		want                      []string // in the error; none: there is none
	}{
		{testkit.Here(), s.New(t), false, false, false, nil},
		{testkit.Here(), s.New(t), true, false, false, []string{"layertest.bare", "layers.Queuer"}},
		{testkit.Here(), s.New(t), false, true, false, []string{"layertest.bare", "layers.Historian"}},
		{testkit.Here(), s.New(t), false, false, true, []string{"layertest.bare", "layers.Presencer"}},
		{testkit.Here(), s.New(t), true, true, true, []string{"layers.Queuer", "layers.Historian", "layers.Presencer"}},
		{testkit.Here(), b.Node(), true, true, true, nil},
	} {
		err := (&Suite{Queues: row.queues, History: row.history, Presence: row.presence}).checkInterfaces(row.d)
		if (err != nil) != (row.want != nil) {
			t.Errorf("%s: %v", row.at, err)
		}
		for _, want := range row.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want it to have %s", row.at, err, want)
			}
		}
	}
}

func TestCasesHaveNamesAndRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.name] || !strings.HasSuffix(c.rule, ".") || len(c.rule) < 40 {
			t.Errorf("case %q: its name is taken, or its rule is no sentence: %q", c.name, c.rule)
		}
		seen[c.name] = true
	}
}
