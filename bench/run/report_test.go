package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/stats"
	"github.com/wye-go/wye/internal/testkit"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{7, 1, 3}, 3},
	} {
		if got := stats.Median(test.in); got != test.want {
			t.Errorf("median of %v: got %v, want %v", test.in, got, test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, row := range []struct {
		at        testkit.Line
		got, want string
	}{
		{testkit.Here(), stats.Count(0), "0"},
		{testkit.Here(), stats.Count(999.6), "1,000"},
		{testkit.Here(), stats.Count(-1234567), "-1,234,567"},
		{testkit.Here(), stats.Count(-0.2), "0"},
		{testkit.Here(), times(1.236), "1.24"},
		{testkit.Here(), micros(5123), "5.12"},
		{testkit.Here(), millis(123), "0.123"},
		{testkit.Here(), stat{1, 1, 1}.text(times), "1.00"},
		{testkit.Here(), stat{1.2, 1.1, 1.4}.text(times), "1.20 (1.10 to 1.40)"},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %q, want %q", row.at, row.got, row.want)
		}
	}
}

// TestUserTime has a round with more messages, which counts for more.
func TestUserTime(t *testing.T) {
	round := func(messages uint64, user, total float64) load.Result {
		return load.Result{Messages: messages, Server: &load.Server{Cost: load.Cost{UserNs: user, TotalNs: total}}}
	}
	ns, margin := userTime([]load.Result{round(100_000, 100, 1000), round(300_000, 500, 1000)})
	if ns != 400 || margin < 70 || margin > 90 {
		t.Errorf("got %v ± %v, want 400 ± 77", ns, margin)
	}
	if ns, margin := userTime(nil); ns != 0 || margin != 0 {
		t.Errorf("of nothing: got %v ± %v", ns, margin)
	}
}

// cost is a result with a cost per message.
func cost(total float64) load.Result {
	return load.Result{Messages: 1000, Server: &load.Server{Cost: load.Cost{UserNs: total / 4, SysNs: total * 3 / 4, TotalNs: total}}}
}

// latency is a result of paced messages.
func latency(p99us, perSecond float64) load.Result {
	r := cost(1)
	r.P99us, r.P50us, r.PerSecond = p99us, p99us/10, perSecond
	return r
}

// resident is a result of idle connections.
func resident(bytes float64) load.Result {
	return load.Result{Conns: 10_000, Server: &load.Server{Memory: load.Memory{RSSPerConn: bytes, UnsettledRSS: 2 * bytes, Goroutines: 1}}}
}

// sample has two rounds, the second of which was slow for all.
func sample() *results {
	r := &results{
		Conditions: conditions{Go: "go1.26", Commit: "abc", Versions: map[string]string{"gws": "v1.10.1"}},
		LeftOut:    map[string]string{"fib": "no such toolchain"},
	}
	add := func(scenario, server string, rounds ...load.Result) {
		for i := range rounds {
			r.Runs = append(r.Runs, outcome{Round: i + 1, Scenario: scenario, Server: server, Result: rounds[i]})
		}
	}
	add("echo", baseline, cost(1000), cost(2000))
	add("echo", loopEngine, cost(1200), cost(2200))
	add("echo", goroutineEngine, cost(1500), cost(3000))
	add("echo", "gws", cost(1100), cost(2000))
	add("room", baseline, cost(1000))
	add("room", loopEngine, cost(1000))
	add("room", "gws", cost(3000))
	add("idle", baseline, resident(200))
	add("idle", loopEngine, resident(1000))
	add("idle", "gws", resident(9000))
	add("paced", loopEngine, latency(1000, 10_000))
	add("paced-sleep", loopEngine, latency(1500, 10_000))
	add("paced-sleep", goroutineEngine, latency(3000, 9_900))
	add("scale-work-p1", loopEngine, latency(1, 20_000))
	add("scale-work-p2", loopEngine, latency(1, 35_000))
	r.Runs = append(r.Runs, outcome{Round: 1, Scenario: "room", Server: "coder", Error: "it fell over"})
	return r
}

func TestReport(t *testing.T) {
	got := newReport(sample()).markdown(true)
	for _, want := range []string{
		"gws v1.10.1",
		"| echo 64 B | 1.5 (1 to 2) | 1.15 (1.10 to 1.20) | 1.50 | **1.05 (1.00 to 1.10)** | - | 1.10 | no |",
		"| room of 1000 | 1 | **1.00** | - | 3.00 | - | 1.10 | yes |",
		"- echo 64 B: gws 1.05; Wye 1.15\n",
		"| in a group | 10,000 | Wye, loop | **1,000** | 2,000 | 0 | 0 | 1.00 | 0 | 1,024 | yes |",
		"| Wye, loop | 0.1 | 1 | 10,000 | 0.15 | 1.5 | 10,000 | 1.50 | 0.50 | yes |",
		"| 30 us of work per message | Wye, loop | 20,000 | 35,000 | 1.75 |",
		"- fib was left out: no such toolchain\n",
		"- failed: coder, room: it fell over\n",
		"![Server CPU time per message, times the floor](results/cpu.svg)",
		"| echo 64 B | Wye, loop | 425 ±",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "room of 1000: ") {
		t.Errorf("a peer is said to be ahead where none is:\n%s", got)
	}
	if plain := newReport(sample()).markdown(false); strings.Contains(plain, "svg") {
		t.Errorf("plots that are not written in\n%s", plain)
	}
}

func TestReportOfNothing(t *testing.T) {
	got := newReport(new(results)).markdown(true)
	if strings.Contains(got, "|") || strings.Contains(got, "svg") {
		t.Errorf("got\n%s", got)
	}
}

func TestFigures(t *testing.T) {
	figures := newReport(sample()).figures()
	cpu := figures["cpu"]
	if len(figures) != 4 || len(cpu.Panels) != 2 {
		t.Fatalf("%d figures, %d panels, want 4 and 2", len(figures), len(cpu.Panels))
	}
	var best []string
	for _, p := range cpu.Panels {
		for _, b := range p.Bars {
			if b.Best {
				best = append(best, p.Title+": "+b.Label)
			}
		}
	}
	if want := []string{"echo 64 B: gws", "room of 1000: Wye, loop"}; !slices.Equal(best, want) {
		t.Errorf("best are %q, want %q", best, want)
	}
}

func TestSave(t *testing.T) {
	file := filepath.Join(t.TempDir(), "raw.json")
	if err := sample().save(file); err != nil {
		t.Fatal(err)
	}
	back, err := loadResults(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := newReport(back).markdown(true), newReport(sample()).markdown(true); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
