//go:build linux

package load

import (
	"context"

	"github.com/wye-go/wye/bench/internal/probe"
)

// memory is what a server has in memory at a point in time.
type memory struct {
	probe.Sample

	rss, unsettled int64
}

// memory reads the server's memory. An idle server with a probe collects its garbage
// before.
func (c Config) memory(ctx context.Context) (m memory, err error) {
	if m.rss, err = readRSS(c.PID); err != nil || c.Probe == "" || c.Scenario != Idle {
		return m, err
	}
	m.unsettled = m.rss
	if m.Sample, err = probe.Ask(ctx, c.PID, c.Probe); err != nil {
		return m, err
	}
	m.rss, err = readRSS(c.PID)
	return m, err
}

// perConn returns the growth since an earlier reading.
func (m memory) perConn(before memory, conns int) Memory {
	n := float64(conns)
	return Memory{
		RSSPerConn:   float64(m.rss-before.rss) / n,
		UnsettledRSS: float64(m.unsettled-before.unsettled) / n,
		HeapPerConn:  (float64(m.Heap) - float64(before.Heap)) / n,
		StackPerConn: (float64(m.Stacks) - float64(before.Stacks)) / n,
		Goroutines:   float64(m.Goroutines-before.Goroutines) / n,
	}
}
