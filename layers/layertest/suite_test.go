package layertest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/layers"
)

// whole is the suite of a broker, with nothing left out.
func whole(b *Broker) *Suite {
	return &Suite{
		New:  func(*testing.T) layers.Driver { return b.Node() },
		Stop: b.Stop, Start: b.Start,
		Kill:   b.Kill,
		Slow:   b.Slow,
		Expire: func() { <-time.After(b.expiry) },
		All:    true,
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

func TestRunIsTheShortForm(t *testing.T) {
	t.Parallel()
	b := NewBroker(nil)
	t.Cleanup(b.Close)
	Run(t, func(*testing.T) layers.Driver { return b.Node() })
}

func TestWhatCannotBeTestedIsListed(t *testing.T) {
	t.Parallel()
	want := []string{
		"expiry (needs Expire)", "a-node-dies (needs Kill)", "down (needs Stop or Start)", "start-while-down (needs Stop or Start)",
		"down-and-up (needs Stop or Start)", "subscribe-while-down (needs Stop or Start)", "slow (needs Slow)",
		"history-restart (needs Stop or Start)", "presence-node-dies (needs Kill)", "presence-down (needs Stop or Start)",
	}
	d := NewBroker(nil).Node()
	if got := (&Suite{Start: func() {}}).untested(d); !slices.Equal(got, want) {
		t.Errorf("a suite that can do nothing to its broker lists %q, want %q", got, want)
	}
	if got := whole(NewBroker(nil)).untested(d); len(got) != 0 {
		t.Errorf("a suite that has everything lists %q", got)
	}
	plain := struct{ layers.Driver }{d} // hides what else it is
	got := whole(NewBroker(nil)).untested(plain)
	if want := len(historyCases()) + len(presenceCases()); len(got) != want || !slices.Contains(got, "history-restart (needs layers.Historian)") ||
		!slices.Contains(got, "presence-ctx (needs layers.Presencer)") {
		t.Errorf("for a driver without history and presence, %d cases are listed, want %d: %q", len(got), want, got)
	}
}

func TestCasesHaveNamesAndRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.name] || !strings.HasSuffix(c.why, ".") || len(c.why) < 40 {
			t.Errorf("case %q: its name is taken, or its rule is no sentence: %q", c.name, c.why)
		}
		seen[c.name] = true
	}
}
