package soak

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Result is what came of a run.
type Result struct {
	Lives         map[string]int // how many peers there were of each kind
	Faults        []error        // how the server has not behaved as it must, as peers saw it
	Before, After Report
	// Goroutines is how many more the server may have had at a time, beyond some thousand.
	Goroutines int
}

// By how much the heap may be larger afterwards: pools, tables that have grown with the
// number of connections, and the descriptors of goroutines, which Go keeps for others.
const (
	slack          = 8 << 20
	slackGoroutine = 512
)

// leaks says what is not back where it was.
func (r *Result) leaks() error {
	heap := r.Before.Heap + slack + uint64(r.Goroutines)*slackGoroutine
	return errors.Join(
		unless(r.After.Open == 0, "%d connections are still open", r.After.Open),
		unless(r.After.Goroutines <= r.Before.Goroutines+1, "%d goroutines, before %d", r.After.Goroutines, r.Before.Goroutines),
		unless(r.After.Descriptors <= r.Before.Descriptors, "%d descriptors, before %d", r.After.Descriptors, r.Before.Descriptors),
		unless(r.After.Heap <= heap, "%d bytes of heap, before %d", r.After.Heap, r.Before.Heap),
	)
}

// Check says what does not add up.
func (r *Result) Check() error {
	accepted, disconnected := r.After.Accepted, r.After.Disconnected()
	return errors.Join(
		r.leaks(),
		unless(accepted == disconnected, "%d connections accepted, %d disconnected", accepted, disconnected),
		unless(r.After.AfterEnd == 0, "%d callbacks ran although their consumer had ended its connection", r.After.AfterEnd),
		errors.Join(r.Faults...),
	)
}

func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// String is the result as Markdown tables.
func (r *Result) String() string {
	var b strings.Builder
	b.WriteString("| peers | connections |\n|---|--:|\n")
	all := 0
	for _, name := range slices.Sorted(maps.Keys(r.Lives)) {
		fmt.Fprintf(&b, "| %s | %d |\n", name, r.Lives[name])
		all += r.Lives[name]
	}
	fmt.Fprintf(&b, "| all | %d |\n", all)
	b.WriteString("\n| of the server | before | after |\n|---|--:|--:|\n")
	for _, row := range []struct {
		name          string
		before, after int64
	}{
		{"goroutines", int64(r.Before.Goroutines), int64(r.After.Goroutines)},
		{"descriptors", int64(r.Before.Descriptors), int64(r.After.Descriptors)},
		{"heap, KiB", int64(r.Before.Heap >> 10), int64(r.After.Heap >> 10)},
		{"resident, KiB", r.Before.RSS >> 10, r.After.RSS >> 10},
		{"accepted", r.Before.Accepted, r.After.Accepted},
		{"disconnected", r.Before.Disconnected(), r.After.Disconnected()},
		{"open", r.Before.Open, r.After.Open},
		{"callbacks after the end", r.Before.AfterEnd, r.After.AfterEnd},
	} {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", row.name, row.before, row.after)
	}
	b.WriteString("\n| close code | connections |\n|---|--:|\n")
	for _, code := range slices.Sorted(maps.Keys(r.After.Disconnects)) {
		fmt.Fprintf(&b, "| %v | %d |\n", code, r.After.Disconnects[code])
	}
	return b.String()
}
