package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wye-go/wye/bench/internal/stats"
)

// markdown returns the report.
func (r *results) markdown() string {
	var w strings.Builder
	c := r.Conditions
	versions := make([]string, 0, len(c.Versions))
	for _, name := range slices.Sorted(maps.Keys(c.Versions)) {
		versions = append(versions, name+" "+c.Versions[name])
	}
	fmt.Fprintf(&w, `# Groups on two nodes

Written by `+"`go run ./nodes -write`"+`; [README.md](README.md#groups-on-two-nodes) says how it measures.
Commit %s, %s, %s, %d cores of %s; %s.
Load average before the run: %s. Rounds: %d of %v s; the systems take turns within a round; the figures are medians.
Half of the members are at each node; both nodes, redis-server and the load generator share the cores.
`, c.Commit, c.Go, c.System, c.Cores, c.CPU, strings.Join(versions, "; "), c.Load, c.Rounds, c.Seconds)
	if r.Stopped {
		fmt.Fprintf(&w, "**There was no time for all rounds**: some figures are of fewer.\n")
	}
	r.layerSection(&w)
	r.socketSection(&w)
	r.groupSection(&w)
	r.storedSection(&w)
	if len(r.Failures) > 0 {
		fmt.Fprintf(&w, "\n## Not measured\n\n")
		for _, f := range r.Failures {
			fmt.Fprintf(&w, "- %s\n", strings.ReplaceAll(strings.TrimSpace(f), "\n", "; "))
		}
	}
	return w.String()
}

// table writes a table.
func table(w *strings.Builder, head []string, rows [][]string) {
	fmt.Fprintf(w, "\n| %s |\n|---%s|\n", strings.Join(head, " | "), strings.Repeat("|--:", len(head)-1))
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

// middle is the median of a figure of some results; ok is false if there are none.
func middle[T any](all []T, is func(*T) bool, figure func(*T) float64) (v float64, ok bool) {
	var some []float64
	for i := range all {
		if is(&all[i]) {
			some = append(some, figure(&all[i]))
		}
	}
	return stats.Median(some), len(some) > 0
}

// line is a row of a table: a figure of each system.
type line[T any] struct {
	title  string
	figure func(*T) float64
	format func(float64) string
}

// lines returns the rows for some of the results, of which of says which system they are of.
func lines[T any](all []T, title string, lines []line[T], names []string, of func(*T) string, is func(*T) bool) (rows [][]string) {
	for _, l := range lines {
		row := []string{title + ": " + l.title}
		for _, name := range names {
			v, ok := middle(all, func(r *T) bool { return of(r) == name && is(r) }, l.figure)
			if !ok {
				row = append(row, "-")
				continue
			}
			row = append(row, l.format(v))
		}
		rows = append(rows, row)
	}
	return rows
}

// titled returns the names and titles of the systems that have results.
func titled[T any](all []T, of func(*T) string) (names, titles []string) {
	for _, s := range systems {
		if slices.ContainsFunc(all, func(r T) bool { return of(&r) == s.name }) {
			names, titles = append(names, s.name), append(titles, s.title)
		}
	}
	return names, titles
}

// figure writes three digits.
func figure(v float64) string {
	if v >= 1000 {
		return stats.Count(v)
	}
	return fmt.Sprintf("%.3g", v)
}

func micros(ns float64) string { return figure(ns / 1e3) }

func (r *results) layerSection(w *strings.Builder) {
	of := func(l *layerResult) string { return l.System }
	names, titles := titled(r.Layer, of)
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(w, `
## At the level of the layer

The members only count. First as many messages as possible are sent: 256, 64 or 4 are under way for groups of 1, 100 and
10,000. Then 500, 100 or 4 a second are sent, for the latencies, from the call of the send to the delivery. The CPU time per
delivery is that of both nodes, user and system. At such a rate it is mostly that of waking up.
`)
	var rows [][]string
	for _, z := range layerSizes() {
		is := func(l *layerResult) bool { return l.Members == z.members }
		rows = append(rows, lines(r.Layer, stats.Count(float64(z.members)), []line[layerResult]{
			{"deliveries a second", func(l *layerResult) float64 { return l.Flood.Deliveries }, stats.Count},
			{"CPU of the nodes per delivery, us", func(l *layerResult) float64 { return l.Flood.nodesNs() }, micros},
			{"of it the sender's node, us", func(l *layerResult) float64 { return l.Flood.SenderNs }, micros},
			{"of it system, us", func(l *layerResult) float64 { return l.Flood.SystemNs }, micros},
			{"CPU of redis-server per delivery, us", func(l *layerResult) float64 { return l.Flood.RedisNs }, micros},
			{"p50 then, us", func(l *layerResult) float64 { return l.Flood.P50us }, figure},
			{"p99 then, us", func(l *layerResult) float64 { return l.Flood.P99us }, figure},
			{
				fmt.Sprintf("at %v sends a second: CPU of the nodes per delivery, us", z.rate),
				func(l *layerResult) float64 { return l.Paced.nodesNs() }, micros,
			},
			{fmt.Sprintf("at %v: p50, us", z.rate), func(l *layerResult) float64 { return l.Paced.P50us }, figure},
			{fmt.Sprintf("at %v: p99, us", z.rate), func(l *layerResult) float64 { return l.Paced.P99us }, figure},
		}, names, of, is)...)
	}
	table(w, append([]string{"members: figure"}, titles...), rows)
	r.layerVerdicts(w)
}

// layerVerdicts compares with what is wanted.
func (r *results) layerVerdicts(w *strings.Builder) {
	var rows [][]string
	for _, z := range layerSizes() {
		ratio := func(other string, f func(*layerResult) float64) (float64, bool) {
			a, ok := middle(r.Layer, func(l *layerResult) bool { return l.System == "wye" && l.Members == z.members }, f)
			b, ok2 := middle(r.Layer, func(l *layerResult) bool { return l.System == other && l.Members == z.members }, f)
			if !ok || !ok2 || b == 0 {
				return 0, false
			}
			return a / b, true
		}
		of := stats.Count(float64(z.members))
		if v, ok := ratio("channels", func(l *layerResult) float64 { return l.Flood.Deliveries }); ok {
			rows = append(rows, []string{of + ": deliveries a second, times those of channels_redis Pub/Sub", figure(v), "20", reached(v >= 20)})
		}
		if v, ok := ratio("centrifuge", func(l *layerResult) float64 { return l.Flood.nodesNs() }); ok {
			rows = append(rows, []string{of + ": CPU of the nodes per delivery, times centrifuge's", figure(v), "at most 1", reached(v <= 1)})
		}
		if v, ok := ratio("centrifuge", func(l *layerResult) float64 { return l.Flood.P99us }); ok {
			rows = append(rows, []string{of + ": p99 with as many as possible, times centrifuge's", figure(v), "at most 1", reached(v <= 1)})
		}
		if v, ok := ratio("centrifuge", func(l *layerResult) float64 { return l.Paced.P99us }); ok {
			rows = append(rows, []string{of + ": p99 at the rate, times centrifuge's", figure(v), "at most 1", reached(v <= 1)})
		}
	}
	table(w, []string{"Wye, members: figure", "is", "wanted", "reached"}, rows)
}

func reached(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func (r *results) socketSection(w *strings.Builder) {
	of := func(s *socketResult) string { return s.System }
	names, titles := titled(r.Sockets, of)
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(w, `
## Through sockets

WebSocket connections in one room, half of them at each node. One of them sends; the next message follows when the last one
has arrived everywhere, or 16 are under way. All servers and redis-server share one core, the load generator has the other
one. "Wye, one process" has no Redis: all connections are at one server.
`)
	var rows [][]string
	for _, z := range rooms() {
		title := stats.Count(float64(z.members))
		if z.depth > 1 {
			title = fmt.Sprintf("%s, %d under way", title, z.depth)
		}
		is := func(s *socketResult) bool { return s.Conns == z.members && s.Depth == z.depth }
		rows = append(rows, lines(r.Sockets, title, []line[socketResult]{
			{"deliveries a second", func(s *socketResult) float64 { return s.PerSecond }, stats.Count},
			{"CPU of the nodes per delivery, us", (*socketResult).nodesNs, micros},
			{"CPU of redis-server per delivery, us", (*socketResult).redisNs, micros},
			{"p50, us", func(s *socketResult) float64 { return s.P50us }, figure},
			{"p99, us", func(s *socketResult) float64 { return s.P99us }, figure},
		}, names, of, is)...)
	}
	table(w, append([]string{"connections: figure"}, titles...), rows)
	r.socketVerdicts(w)
}

func (r *results) socketVerdicts(w *strings.Builder) {
	var rows [][]string
	for _, z := range rooms() {
		cost := func(system string, redis bool) float64 {
			v, _ := middle(r.Sockets, func(s *socketResult) bool {
				return s.System == system && s.Conns == z.members && s.Depth == z.depth
			}, func(s *socketResult) float64 {
				if redis {
					return s.nodesNs() + s.redisNs()
				}
				return s.nodesNs()
			})
			return v
		}
		if local := cost("wye-local", false); local > 0 && cost("wye", false) > 0 {
			v := cost("wye", false) / local
			rows = append(rows, []string{
				fmt.Sprintf("%s connections, %d under way", stats.Count(float64(z.members)), z.depth),
				figure(v), figure(cost("wye", true) / local), "1.3", reached(v <= 1.3),
			})
		}
	}
	head := []string{"CPU of Wye's nodes per delivery, times that of one process", "is", "with redis-server", "wanted, at most", "reached"}
	table(w, head, rows)
}

func (r *results) groupSection(w *strings.Builder) {
	if len(r.Groups) == 0 {
		return
	}
	all := func(*groupResult) bool { return true }
	worst := 0.0
	for _, g := range r.Groups {
		worst = max(worst, g.WholeSeconds, g.SendSeconds)
	}
	fmt.Fprintf(w, `
## Many groups

A node of Wye has 10,000 groups with one member each. redis-server is killed and, after a second, started again, empty. The node
is whole when the last group has received what another program publishes, counted from when the server accepts again. Then
10,000 members join one more group.
`)
	var rows [][]string
	for _, l := range []struct {
		title  string
		figure func(*groupResult) float64
		wanted string
	}{
		{"whole again after a restart, s", func(g *groupResult) float64 { return g.WholeSeconds }, "under 2"},
		{"the other node sends again, s", func(g *groupResult) float64 { return g.SendSeconds }, "under 2"},
		{"the longest of both in any round, s", func(*groupResult) float64 { return worst }, "under 2"},
		{"live heap of the node per group, its member and its name included, bytes", func(g *groupResult) float64 { return g.HeapPerGroup }, ""},
		{"resident set of the node per group, bytes", func(g *groupResult) float64 { return g.RSSPerGroup }, ""},
		{"memory of redis-server per group, bytes", func(g *groupResult) float64 { return g.RedisPer }, ""},
		{"joining all groups, one after the other, s", func(g *groupResult) float64 { return g.JoinSeconds }, ""},
		{"subscriptions to the group of 10,000 members", func(g *groupResult) float64 { return float64(g.Subscriptions) }, "1"},
		{"their joining, s", func(g *groupResult) float64 { return g.MembersJoin }, ""},
	} {
		v, _ := middle(r.Groups, all, l.figure)
		rows = append(rows, []string{l.title, figure(v), l.wanted})
	}
	table(w, []string{"10,000 groups on a node", "is", "wanted"}, rows)
}
