package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wye-go/wye/bench/internal/load"
)

// report turns results into text and plots.
type report struct {
	res *results
	svs []*server   // that were measured
	scs []*scenario // that were measured
}

func newReport(res *results) *report {
	r := &report{res: res}
	measured := func(is func(*outcome) bool) bool {
		return slices.ContainsFunc(res.Runs, func(o outcome) bool { return is(&o) })
	}
	for _, s := range servers {
		if measured(func(o *outcome) bool { return o.Server == s.name }) {
			r.svs = append(r.svs, s)
		}
	}
	for _, sc := range scenarios() {
		if measured(func(o *outcome) bool { return o.Scenario == sc.name }) {
			r.scs = append(r.scs, sc)
		}
	}
	return r
}

// of returns the scenarios of a table.
func (r *report) of(t table) []*scenario {
	return slices.DeleteFunc(slices.Clone(r.scs), func(sc *scenario) bool { return sc.table != t })
}

// The values of a result that tables are about.
func total(r *load.Result) float64 { return r.Server.TotalNs }
func rss(r *load.Result) float64   { return r.Server.RSSPerConn }
func p50(r *load.Result) float64   { return r.P50us }
func p99(r *load.Result) float64   { return r.P99us }
func wire(r *load.Result) float64  { return r.WireBytes }
func grown(r *load.Result) float64 { return r.Server.RSSPerConn * float64(r.Conns) / (1 << 20) }
func pace(r *load.Result) float64  { return r.PerSecond }

// toFloor returns how many times the floor's CPU time a server needs.
func (r *report) toFloor(sc *scenario, s *server) (stat, bool) {
	return statOf(r.res.ratios(sc.name, s.name, sc.name, baseline, total))
}

// write writes RESULTS.md and the plots.
func write(dir string, res *results) error {
	r := newReport(res)
	plots := filepath.Join(dir, "results")
	if err := os.MkdirAll(plots, 0o755); err != nil { //nolint:gosec // it is part of the tree
		return err
	}
	for name, f := range r.figures() {
		if err := os.WriteFile(filepath.Join(plots, name+".svg"), []byte(f.SVG()), 0o644); err != nil { //nolint:gosec // likewise
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(r.markdown(true)), 0o644) //nolint:gosec // likewise
}

// markdown returns the whole report, with or without references to the plots.
func (r *report) markdown(plots bool) string {
	figures := r.figures()
	var b strings.Builder
	b.WriteString(r.head())
	section := func(title, figure, text string) {
		if text == "" {
			return
		}
		fmt.Fprintf(&b, "## %s\n\n", title)
		if f, ok := figures[figure]; plots && ok {
			fmt.Fprintf(&b, "![%s](results/%s.svg)\n\n", f.Title, figure)
		}
		b.WriteString(text + "\n")
	}
	section("CPU time", "cpu", r.costs())
	section("User mode", "", r.userMode())
	section("Where a peer is ahead of Wye", "", r.ahead())
	section("Memory of idle connections", "memory", r.memory())
	section("Callbacks that sleep", "pauses", r.pauses())
	section("One core and two", "scaling", r.scaling())
	section("Compression", "", r.compression())
	section("All figures of CPU time", "", r.details())
	section("What is missing", "", r.missing())
	return b.String()
}

// head says what was measured, and how.
func (r *report) head() string {
	c := r.res.Conditions
	var versions []string
	for _, s := range r.svs {
		if v := c.Versions[s.name]; v != "" {
			versions = append(versions, s.title+" "+v)
		}
	}
	return fmt.Sprintf("# Results\n\nWritten by `go run ./run -write`; [README.md](README.md) says how it measures. "+
		"Commit %s, %s, %s, %d cores of %s; rounds: %d of %gs, at most %d for memory, pauses and scaling. "+
		"The servers take turns within a round; the figures are medians, with the lowest and the highest value in brackets.\n\n"+
		"Wye runs through its whole framework (router, consumer, layer), inside net/http; the other servers are bare, "+
		"written as their users write them (%s). "+
		"**Bold** is the best value of a row, the floor apart. A difference under 10 %% means nothing.\n\n",
		c.Commit, c.Go, c.System, c.Cores, c.CPU, c.Rounds, c.Seconds, rare, strings.Join(versions, "; "))
}

// missing lists the servers that were left out, and what has failed.
func (r *report) missing() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.res.LeftOut)) {
		fmt.Fprintf(&b, "- %s was left out: %s\n", name, r.res.LeftOut[name])
	}
	if r.res.Stopped != "" {
		fmt.Fprintf(&b, "- stopped by the limit of time, %s\n", r.res.Stopped)
	}
	for _, line := range r.res.failures() {
		fmt.Fprintf(&b, "- failed: %s\n", line)
	}
	return b.String()
}

// markdownTable aligns all columns but the first left ones to the right.
func markdownTable(left int, header []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| " + strings.Join(header, " | ") + " |\n|")
	for i := range header {
		if i < left {
			b.WriteString("---|")
		} else {
			b.WriteString("--:|")
		}
	}
	b.WriteString("\n")
	for _, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return b.String()
}
