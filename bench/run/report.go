package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wye-go/wye/bench/internal/load"
)

// report prints the medians as markdown.
func report(w io.Writer, all results, svs []server, scs []scenario) error {
	var cost, life, idle strings.Builder
	for _, sc := range scs {
		for _, s := range svs {
			rs := all[cell{sc.name, s.name}]
			base := all[cell{sc.name, baseline}]
			switch {
			case len(rs) == 0:
			case sc.kind() == load.Idle:
				idleRow(&idle, s, rs, base)
			case sc.kind() == load.Handshake:
				lifeRow(&life, s, rs, base)
			default:
				costRow(&cost, sc, s, rs, base)
			}
		}
	}
	var out strings.Builder
	if cost.Len() > 0 {
		out.WriteString("Server CPU per message (in a room, per delivery), medians; x is the median of the rounds' ratios.\n\n" +
			"| scenario | server | user ns | sys ns | total ns | x " + baseline + " | spread " +
			"| msgs/s | p50 us | p99 us | server cores | client cores | client-bound |\n" +
			"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n" + cost.String() + "\n")
	}
	if life.Len() > 0 {
		out.WriteString("Connections that are opened and closed again, medians.\n\n" +
			"| server | conns per CPU s | us CPU/conn | x " + baseline + " | spread " +
			"| conns/s | p50 us | p99 us | server cores | client cores | client-bound |\n" +
			"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n" + life.String() + "\n")
	}
	if idle.Len() > 0 {
		out.WriteString("Connections that only wait, medians.\n\n" +
			"| server | conns | RSS B/conn | x " + baseline + " | handshake us CPU | x " + baseline + " | idle CPU % |\n" +
			"|---|--:|--:|--:|--:|--:|--:|\n" + idle.String() + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func total(r load.Result) float64 { return r.Server.TotalNs }

func costRow(w io.Writer, sc scenario, s server, rs, base []load.Result) {
	fmt.Fprintf(w, "| %s | %s | %.0f | %.0f | %.0f | %s | %.0f %% | %s |\n",
		sc.title, s.name,
		median(each(rs, func(r load.Result) float64 { return r.Server.UserNs })),
		median(each(rs, func(r load.Result) float64 { return r.Server.SysNs })),
		median(each(rs, total)), ratio(each(rs, total), each(base, total)), 100*spread(each(rs, total)), pace(rs))
}

// lifeRow tells cost first the way in which servers are dimensioned.
func lifeRow(w io.Writer, s server, rs, base []load.Result) {
	cost := median(each(rs, total))
	fmt.Fprintf(w, "| %s | %.0f | %.1f | %s | %.0f %% | %s |\n",
		s.name, 1e9/cost, cost/1e3, ratio(each(rs, total), each(base, total)), 100*spread(each(rs, total)), pace(rs))
}

// pace is the columns that say how busy everybody was.
func pace(rs []load.Result) string {
	of := func(get func(load.Result) float64) float64 { return median(each(rs, get)) }
	bound := 0
	for i := range rs {
		if rs[i].ClientBound {
			bound++
		}
	}
	return fmt.Sprintf("%.0f | %.0f | %.0f | %.2f | %.2f | %d/%d",
		of(func(r load.Result) float64 { return r.PerSecond }),
		of(func(r load.Result) float64 { return r.P50us }),
		of(func(r load.Result) float64 { return r.P99us }),
		of(func(r load.Result) float64 { return r.Server.Cores }),
		of(func(r load.Result) float64 { return r.Client.Cores }),
		bound, len(rs))
}

func idleRow(w io.Writer, s server, rs, base []load.Result) {
	rss := func(r load.Result) float64 { return r.Server.RSSPerConn }
	handshake := func(r load.Result) float64 { return r.Server.HandshakeNs }
	fmt.Fprintf(w, "| %s | %d | %.0f | %s | %.1f | %s | %.2f |\n", s.name, rs[0].Conns,
		median(each(rs, rss)), ratio(each(rs, rss), each(base, rss)),
		median(each(rs, handshake))/1e3, ratio(each(rs, handshake), each(base, handshake)),
		100*median(each(rs, func(r load.Result) float64 { return r.Server.Cores })))
}

func each(rs []load.Result, get func(load.Result) float64) []float64 {
	vs := make([]float64, 0, len(rs))
	for i := range rs {
		vs = append(vs, get(rs[i]))
	}
	return vs
}

// median returns the middle value, or the mean of the middle two.
func median(vs []float64) float64 {
	if len(vs) == 0 {
		return 0
	}
	vs = slices.Sorted(slices.Values(vs))
	mid := len(vs) / 2
	if len(vs)%2 == 1 {
		return vs[mid]
	}
	return (vs[mid-1] + vs[mid]) / 2
}

// ratio compares round with round, since a slow spell of the machine hits both.
func ratio(vs, base []float64) string {
	if len(base) != len(vs) {
		return "-"
	}
	rs := make([]float64, 0, len(vs))
	for i, v := range vs {
		if base[i] <= 0 {
			return "-"
		}
		rs = append(rs, v/base[i])
	}
	return fmt.Sprintf("%.2f", median(rs))
}

// spread is the distance of the extremes, relative to the median.
func spread(vs []float64) float64 {
	m := median(vs)
	if m == 0 {
		return 0
	}
	return (slices.Max(vs) - slices.Min(vs)) / m
}
