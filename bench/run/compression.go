package main

import (
	"strings"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/stats"
)

// compression is the table of permessage-deflate: each server beside itself without.
func (r *report) compression() string {
	var rows [][]string
	for _, sc := range r.of(compression) {
		for _, s := range r.svs {
			if row := r.compressionRow(sc, s); row != nil {
				rows = append(rows, row)
			}
		}
	}
	return withNote("Events of a chat as JSON, 61 different messages in turn. CPU time of the server is per message, in a room per delivery; "+
		"\"times plain\" is beside the same server without compression, round by round. "+
		"Bytes on the wire are those that a client receives per message, frames included. "+
		"gorilla has no context takeover, so that its row with takeover is without. "+
		"Resident set is its growth in all, with 100 connections, or 1000 in the room. "+
		"All compress at their fastest level, from 256 bytes (gorilla: any message); Wye refers back 4 KiB, the others 32 KiB.",
		markdownTable(3, []string{
			"", "compression", "server", "us CPU per message", "times plain", "bytes on the wire", "msgs/s", "resident set, MiB",
		}, rows))
}

// compressionRow returns a row, or nil if it was not measured.
func (r *report) compressionRow(sc *scenario, s *server) []string {
	v, ok := statOf(r.res.get(sc.name, s.name, total))
	if !ok {
		return nil
	}
	d, plain := sc.deflation()
	beside, compared := statOf(r.res.ratios(sc.name, s.name, plain, s.name, total))
	median := func(get func(*load.Result) float64) float64 { return stats.Median(r.res.get(sc.name, s.name, get)) }
	best := r.best(func(s *server) (stat, bool) { return statOf(r.res.get(sc.name, s.name, total)) })
	return []string{
		sc.title, d, s.title, bold(s.name == best, v.text(micros)), cell(beside, compared, times),
		stats.Count(median(wire)), stats.Count(median(pace)), times(median(grown)),
	}
}

// deflation returns how a scenario is compressed, in words, and the name of the same scenario
// without.
func (sc *scenario) deflation() (title, plain string) {
	for _, d := range deflations[1:] {
		if name, ok := strings.CutSuffix(sc.name, d.suffix); ok {
			return d.title, name
		}
	}
	return deflations[0].title, sc.name
}
