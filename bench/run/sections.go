package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/stats"
)

// best returns the server with the lowest median, the floor apart; "" if there is none.
func (r *report) best(value func(*server) (stat, bool)) (name string) {
	lowest := 0.0
	for _, s := range r.svs {
		if v, ok := value(s); ok && s.name != baseline && s.mode == "ws" && (name == "" || v.mid < lowest) {
			name, lowest = s.name, v.mid
		}
	}
	return name
}

func bold(is bool, s string) string {
	if is {
		return "**" + s + "**"
	}
	return s
}

// reached says whether Wye's loop engine has reached a goal.
func reached(v stat, ok bool, goal float64) string {
	switch {
	case !ok || goal == 0:
		return ""
	case v.mid <= goal:
		return "yes"
	default:
		return "no"
	}
}

// costs is the table of CPU times, relative to the floor.
func (r *report) costs() string {
	header := append(r.header("server CPU per message, times the floor"), "goal", "reached")
	scs := r.of(costs)
	rows := make([][]string, 0, len(scs))
	for _, sc := range scs {
		rows = append(rows, r.costRow(sc))
	}
	return withNote("In a room, per delivery; in the row of connects, per connection. The floor's column is its CPU time in us. "+
		"The goal is that of Wye's loop engine.", markdownTable(1, header, rows))
}

// header is a title and the servers.
func (r *report) header(title string) []string {
	header := append(make([]string, 0, len(r.svs)+1), title)
	for _, s := range r.svs {
		header = append(header, s.title)
	}
	return header
}

func withNote(note, table string) string {
	if table == "" {
		return ""
	}
	return note + "\n\n" + table
}

func (r *report) costRow(sc *scenario) []string {
	row := []string{sc.title}
	best := r.best(func(s *server) (stat, bool) { return r.toFloor(sc, s) })
	for _, s := range r.svs {
		v, ok := r.toFloor(sc, s)
		if s.name == baseline {
			v, ok = statOf(r.res.get(sc.name, baseline, total))
			row = append(row, cell(v, ok, micros))
			continue
		}
		row = append(row, bold(s.name == best, cell(v, ok, times)))
	}
	v, ok := r.toFloor(sc, &server{name: loopEngine})
	goal := ""
	if sc.goal > 0 {
		goal = times(sc.goal)
	}
	return append(row, goal, reached(v, ok, sc.goal))
}

func cell(v stat, ok bool, format func(float64) string) string {
	if !ok {
		return "-"
	}
	return v.text(format)
}

// userGoal is what an echo of 64 bytes may take in user mode, in nanoseconds.
const userGoal = 250

// userMode is the table of the CPU time outside of the kernel.
func (r *report) userMode() string {
	scs := r.of(costs)
	rows := make([][]string, 0, len(scs))
	for _, sc := range scs {
		row := append(make([]string, 0, len(r.svs)+1), sc.title)
		for _, s := range r.svs {
			ns, margin := userTime(r.res.of(sc.name, s.name))
			if ns == 0 {
				row = append(row, "-")
				continue
			}
			row = append(row, fmt.Sprintf("%s ± %s", stats.Count(ns), stats.Count(margin)))
		}
		rows = append(rows, row)
	}
	note := fmt.Sprintf("All rounds together. The kernel finds out by sampling whether a process is in user mode, "+
		"so these figures have a standard error, which is behind each. The goal of an echo of 64 bytes is %d ns with the loop engine.", userGoal)
	return withNote(note, markdownTable(1, r.header("ns of user mode per message"), rows))
}

// ahead lists the rows in which another server does better than Wye.
func (r *report) ahead() string {
	var lines []string
	for _, sc := range r.of(costs) {
		lines = append(lines, r.aheadIn(sc, func(s *server) (stat, bool) { return r.toFloor(sc, s) }, times)...)
	}
	for _, sc := range r.of(memory) {
		lines = append(lines, r.aheadIn(sc, func(s *server) (stat, bool) { return statOf(r.res.get(sc.name, s.name, rss)) },
			func(v float64) string { return stats.Count(v) + " B" })...)
	}
	if len(lines) == 0 {
		return "Nowhere in these tables.\n"
	}
	return "By the medians, with the better one of Wye's engines; times the floor, or bytes of resident set.\n\n" + strings.Join(lines, "")
}

// aheadIn returns a line if another server does better than Wye in a scenario.
func (r *report) aheadIn(sc *scenario, value func(*server) (stat, bool), format func(float64) string) []string {
	ours := math.Inf(1)
	for _, s := range r.svs {
		if v, ok := value(s); ok && s.ours {
			ours = min(ours, v.mid)
		}
	}
	var peers []string
	for _, s := range r.svs {
		if v, ok := value(s); ok && s.peer() && v.mid < ours {
			peers = append(peers, s.title+" "+format(v.mid))
		}
	}
	if len(peers) == 0 || math.IsInf(ours, 1) {
		return nil
	}
	return []string{fmt.Sprintf("- %s: %s; Wye %s\n", sc.title, strings.Join(peers, ", "), format(ours))}
}

// goalOf is the goal of a server in a scenario.
func (sc *scenario) goalOf(s *server) float64 {
	switch s.name {
	case loopEngine:
		return sc.goal
	case goroutineEngine:
		return sc.goroutine
	default:
		return 0
	}
}

// memory is the table of idle connections.
func (r *report) memory() string {
	var rows [][]string
	for _, sc := range r.of(memory) {
		value := func(s *server) (stat, bool) { return statOf(r.res.get(sc.name, s.name, rss)) }
		best := r.best(value)
		for _, s := range r.svs {
			rs := r.res.of(sc.name, s.name)
			v, ok := value(s)
			if !ok {
				continue
			}
			of := func(get func(*load.Result) float64) float64 { return stats.Median(r.res.get(sc.name, s.name, get)) }
			goal := ""
			if g := sc.goalOf(s); g > 0 {
				goal = stats.Count(g)
			}
			rows = append(rows, []string{
				sc.title, stats.Count(float64(rs[0].Conns)), s.title, bold(s.name == best, v.text(stats.Count)),
				stats.Count(of(func(r *load.Result) float64 { return r.Server.UnsettledRSS })),
				stats.Count(of(func(r *load.Result) float64 { return r.Server.HeapPerConn })),
				stats.Count(of(func(r *load.Result) float64 { return r.Server.StackPerConn })),
				times(of(func(r *load.Result) float64 { return r.Server.Goroutines })),
				micros(of(func(r *load.Result) float64 { return r.Server.HandshakeNs })),
				goal, reached(v, ok, sc.goalOf(s)),
			})
		}
	}
	return withNote("Each connection is in a group, has sent a message and received the answer, and does nothing then. Bytes per connection. "+
		"The resident set is read after the server has collected its garbage and returned memory to the system; "+
		"\"before\" is what it was until then. "+
		"The goal for the live heap with Wye's loop engine is 450 bytes, and 640 with an account of every byte. What libraries "+
		"allocate outside of Go's heap is not in the heap's column. Kernel memory of sockets is in none.",
		markdownTable(3, []string{
			"", "connections", "server", "resident set", "before", "live heap", "stacks", "goroutines", "handshake, us CPU", "goal", "reached",
		}, rows))
}

// pauseGoal is how many times its usual p99 a server with sleepers may have.
const pauseGoal = 2

// pauses is the table of latencies.
func (r *report) pauses() string {
	const calm, sleepy = "paced", "paced-sleep"
	var rows [][]string
	for _, s := range r.svs {
		if len(r.res.of(calm, s.name))+len(r.res.of(sleepy, s.name)) == 0 {
			continue
		}
		row := append(make([]string, 0, 10), s.title)
		for _, sc := range []string{calm, sleepy} {
			for _, get := range []func(*load.Result) float64{p50, p99, pace} {
				v, ok := statOf(r.res.get(sc, s.name, get))
				format := millis
				if len(row)%3 == 0 {
					format = stats.Count
				}
				row = append(row, cell(v, ok, format))
			}
		}
		slower, ok := statOf(r.res.ratios(sleepy, s.name, calm, s.name, p99))
		beside, ok2 := statOf(r.res.ratios(sleepy, s.name, sleepy, goroutineEngine, p99))
		goal := ""
		if s.name == loopEngine {
			goal = reached(slower, ok, pauseGoal)
		}
		rows = append(rows, append(row, cell(slower, ok, times), cell(beside, ok2, times), goal))
	}
	return withNote(fmt.Sprintf("10,000 messages per second on 200 connections, whatever the server does; latencies in ms, "+
		"from the moment a message was due. In the columns with sleepers, every hundredth message lets its callback sleep for 100 ms, "+
		"so that about ten sleep at any time; the latencies are those of the others. "+
		"The first second is not counted. The goal of Wye's loop engine is a p99 within %d times that without sleepers.", pauseGoal),
		markdownTable(1, []string{
			"server", "p50", "p99", "msgs/s", "p50 with sleepers", "p99 with sleepers", "msgs/s with sleepers",
			"p99: with / without", "p99: times Wye's goroutine engine", "reached",
		}, rows))
}

// scaling is the table of one core and two.
func (r *report) scaling() string {
	var rows [][]string
	for _, work := range []struct{ name, title string }{{"echo", "echo 64 B"}, {"work", "30 us of work per message"}} {
		one, two := "scale-"+work.name+"-p1", "scale-"+work.name+"-p2"
		for _, s := range r.svs {
			a, ok := statOf(r.res.get(one, s.name, pace))
			b, ok2 := statOf(r.res.get(two, s.name, pace))
			if !ok && !ok2 {
				continue
			}
			gain, ok3 := statOf(r.res.ratios(two, s.name, one, s.name, pace))
			rows = append(rows, []string{
				work.title, s.title, cell(a, ok, stats.Count), cell(b, ok2, stats.Count), cell(gain, ok3, times),
				micros(stats.Median(r.res.get(one, s.name, total))), micros(stats.Median(r.res.get(two, s.name, total))),
			})
		}
	}
	return withNote("GOMAXPROCS of 1 and of 2, which is the number of Wye's loops. The load generator needs a part of one of the two cores, "+
		"and the scheduler chooses the cores: of a factor of 2, about 1.75 can be reached with work, and little without.",
		markdownTable(2, []string{"", "server", "msgs/s, 1", "msgs/s, 2", "factor", "us CPU per message, 1", "us CPU per message, 2"}, rows))
}

// details is the long table of CPU times.
func (r *report) details() string {
	var rows [][]string
	for _, sc := range r.of(costs) {
		for _, s := range r.svs {
			rs := r.res.of(sc.name, s.name)
			if len(rs) == 0 {
				continue
			}
			ns, margin := userTime(rs)
			v, _ := statOf(r.res.get(sc.name, s.name, total))
			x, ok := r.toFloor(sc, s)
			of := func(get func(*load.Result) float64) float64 { return stats.Median(r.res.get(sc.name, s.name, get)) }
			bound := 0
			for i := range rs {
				if rs[i].ClientBound {
					bound++
				}
			}
			rows = append(rows, []string{
				sc.title, s.title, fmt.Sprintf("%s ± %s", stats.Count(ns), stats.Count(margin)), v.text(stats.Count), cell(x, ok, times),
				stats.Count(of(pace)), stats.Count(of(p50)), stats.Count(of(p99)),
				times(of(func(r *load.Result) float64 { return r.Server.Cores })),
				times(of(func(r *load.Result) float64 { return r.Client.Cores })),
				fmt.Sprintf("%d/%d", bound, len(rs)),
			})
		}
	}
	text := markdownTable(2, []string{
		"", "server", "user ns", "user + system ns", "x floor", "msgs/s", "p50 us", "p99 us", "server cores", "client cores", "client-bound",
	}, rows)
	if text == "" {
		return ""
	}
	return "<details><summary>" + strconv.Itoa(len(rows)) + " rows</summary>\n\n" + text + "\n</details>\n"
}
