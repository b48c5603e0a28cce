package main

import (
	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/plot"
	"github.com/wye-go/wye/bench/internal/stats"
)

// figures returns the plots by the names of their files. Those without a value are left
// out.
func (r *report) figures() map[string]plot.Figure {
	figures := map[string]plot.Figure{
		"cpu": {
			Title:  "Server CPU time per message, times the floor",
			Note:   "Less is better; with the lowest and the highest round. Dashed: the goal of Wye's loop engine.",
			Panels: r.panels(costs, r.toFloor, times),
		},
		"memory": {
			Title: "Resident set per idle connection, bytes",
			Note:  "Less is better. After traffic and a garbage collection. Dashed: Wye's goal.",
			Panels: r.panels(memory, func(sc *scenario, s *server) (stat, bool) {
				return statOf(r.res.get(sc.name, s.name, rss))
			}, stats.Count),
		},
		"pauses": {
			Title: "p99 of messages whose callback does not sleep, ms",
			Note:  "Less is better. 10,000 messages per second.",
			Panels: r.panels(pauses, func(sc *scenario, s *server) (stat, bool) {
				return statOf(r.res.get(sc.name, s.name, func(l *load.Result) float64 { return l.P99us / 1e3 }))
			}, func(v float64) string { return millis(v * 1e3) }),
		},
		"scaling": {
			Title: "Messages per second on one core and on two",
			Note:  "More is better. The load generator needs a part of the two cores.",
			Panels: r.panels(scaling, func(sc *scenario, s *server) (stat, bool) {
				return statOf(r.res.get(sc.name, s.name, pace))
			}, stats.Count),
		},
	}
	for name, f := range figures {
		if len(f.Panels) == 0 {
			delete(figures, name)
		}
	}
	return figures
}

// panels returns a panel for each scenario of a table.
func (r *report) panels(t table, value func(*scenario, *server) (stat, bool), format func(float64) string) (panels []plot.Panel) {
	for _, sc := range r.of(t) {
		p := plot.Panel{Title: sc.title, Goal: max(sc.goal, sc.goroutine)}
		best := r.best(func(s *server) (stat, bool) { return value(sc, s) })
		if t == scaling {
			best = ""
		}
		for _, s := range r.svs {
			v, ok := value(sc, s)
			if !ok {
				continue
			}
			p.Bars = append(p.Bars, plot.Bar{
				Label: s.title, Mid: v.mid, Low: v.low, High: v.high, Text: format(v.mid), Ours: s.ours, Best: s.name == best,
			})
		}
		if len(p.Bars) > 0 {
			panels = append(panels, p)
		}
	}
	return panels
}
