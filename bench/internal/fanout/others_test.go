package fanout

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkOthers is how long others wait while a group of 100,000 is sent to
// again and again: a send to one of a thousand groups of one, of which some share
// whatever is locked, and members that leave and join the large one.
func BenchmarkOthers(b *testing.B) {
	const large = 100_000
	for _, walked := range []bool{false, true} {
		for _, churned := range []bool{false, true} {
			for _, made := range hubs() {
				b.Run(fmt.Sprintf("walked=%t/churned=%t/hub=%s", walked, churned, made.name), func(b *testing.B) {
					h := made.make(b)
					names := groupNames(1000)
					for _, name := range names {
						h.enter(b, name, 1)
					}
					members := h.enter(b, "large", large)
					if walked {
						defer walk(b, h)()
					}
					if !churned {
						members = nil
					}
					wait(b, h, names, members)
				})
			}
		}
	}
}

// walk sends to the large group until it is stopped.
func walk(b *testing.B, h *hub) (stop func()) {
	b.Helper()
	var over atomic.Bool
	var walks sync.WaitGroup
	var sends, took int64
	begun := make(chan struct{})
	walks.Go(func() {
		close(begun)
		for !over.Load() {
			start := time.Now()
			if err := h.sends[broadcast]("large"); err != nil {
				b.Error(err)
			}
			sends, took = sends+1, took+time.Since(start).Nanoseconds()
		}
	})
	<-begun
	return func() {
		over.Store(true)
		walks.Wait()
		b.ReportMetric(float64(took)/float64(sends), "walk-ns")
	}
}

// wait does one thing after the other and writes down how long each takes.
func wait(b *testing.B, h *hub, names []string, members []member) {
	b.Helper()
	var sends, joins, leaves durations
	for i := 0; b.Loop(); i++ {
		if len(members) > 0 {
			m := members[i*7919%len(members)]
			leaves.add(func() { h.leave("large", m) })
			joins.add(func() { h.mustJoin(b, "large", m) })
		}
		sends.add(func() {
			if err := h.sends[broadcast](names[i%len(names)]); err != nil {
				b.Fatal(err)
			}
		})
	}
	sends.report(b, "send")
	leaves.report(b, "leave")
	joins.report(b, "join")
}

type durations []time.Duration

func (d *durations) add(f func()) {
	start := time.Now()
	f()
	*d = append(*d, time.Since(start))
}

// report adds the 99th percentile and the longest.
func (d *durations) report(b *testing.B, what string) {
	b.Helper()
	n := len(*d)
	if n == 0 {
		return
	}
	slices.Sort(*d)
	b.ReportMetric(float64((*d)[n/2]), what+"-p50-ns")
	b.ReportMetric(float64((*d)[n*99/100]), what+"-p99-ns")
	b.ReportMetric(float64((*d)[n-1]), what+"-max-ns")
}
