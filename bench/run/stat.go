package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/stats"
)

// stat is a median and the extremes.
type stat struct{ mid, low, high float64 }

// statOf returns false if there are no values.
func statOf(vs []float64) (stat, bool) {
	if len(vs) == 0 {
		return stat{}, false
	}
	return stat{stats.Median(vs), slices.Min(vs), slices.Max(vs)}, true
}

// text writes the median, and behind it the extremes if they differ.
func (s stat) text(format func(float64) string) string {
	mid, low, high := format(s.mid), format(s.low), format(s.high)
	if low == high {
		return mid
	}
	return mid + " (" + low + " to " + high + ")"
}

// ticks is how many samples per second of CPU time the kernel takes to tell user mode from
// its own; most take 250.
const ticks = 100

// userTime returns the CPU time in user mode per message over all rounds, and its
// standard error, since the kernel only samples it.
func userTime(rs []load.Result) (ns, margin float64) {
	var user, total, messages float64
	for i := range rs {
		n := float64(rs[i].Messages)
		user += rs[i].Server.UserNs * n
		total += rs[i].Server.TotalNs * n
		messages += n
	}
	if messages == 0 || total == 0 {
		return 0, 0
	}
	share, samples := user/total, total/1e9*ticks
	return user / messages, total / messages * math.Sqrt(share*(1-share)/samples)
}

func times(v float64) string { return fmt.Sprintf("%.2f", v) }

func micros(ns float64) string { return fmt.Sprintf("%.3g", ns/1e3) }

func millis(us float64) string { return fmt.Sprintf("%.3g", us/1e3) }
