package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// counting is a member that counts its events.
type counting struct {
	count atomic.Int64
	want  atomic.Int64
	all   chan struct{}
}

func (c *counting) Deliver(*protocol.Event) bool {
	if c.count.Add(1) == c.want.Load() {
		c.all <- struct{}{}
	}
	return false
}
func (c *counting) Offer(p *protocol.Prepared) bool { return c.Deliver(p.Event()) }

// redisCPU returns the seconds of CPU that a server has used.
func redisCPU(b *testing.B, s *redistest.Server) (sum float64) {
	b.Helper()
	for line := range strings.Lines(s.CLI(b, "INFO", "cpu")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			sum += seconds
		}
	}
	return sum
}

// BenchmarkGroupSend sends to a group that has members on some other nodes, with both backends:
// by one goroutine, and by 64 at once. It waits until all events have arrived.
func BenchmarkGroupSend(b *testing.B) {
	for _, backend := range []redis.Backend{redis.PubSub, redis.Core} {
		for _, nodes := range []int{1, 4} {
			for _, senders := range []int{1, 64} {
				b.Run(fmt.Sprintf("%v/%d-nodes/%d-senders", backend, nodes, senders), func(b *testing.B) {
					benchmarkGroupSend(b, backend, nodes, senders)
				})
			}
		}
	}
}

func benchmarkGroupSend(b *testing.B, backend redis.Backend, nodes, senders int) {
	b.Helper()
	server := redistest.New(b, redistest.Options{})
	open := func() *layers.Layer {
		l, err := layers.Open(b.Context(), redis.New(redis.Options{URLs: []string{server.URL()}, Backend: backend, Logger: quiet()}))
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	sender, members := open(), make([]*counting, nodes)
	all := []*layers.Layer{sender}
	for i := range members {
		members[i] = &counting{all: make(chan struct{}, 1)}
		l := open()
		all = append(all, l)
		if err := l.Join(b.Context(), "room", members[i]); err != nil {
			b.Fatal(err)
		}
	}
	for _, m := range members {
		m.want.Store(int64(b.N))
	}
	e := said.New(text{strings.Repeat("x", 100)})
	before, left := redisCPU(b, server), atomic.Int64{}
	left.Store(int64(b.N))
	b.ResetTimer()
	for range senders {
		go func() {
			for left.Add(-1) >= 0 {
				if err := sender.GroupSend(b.Context(), "room", e); err != nil {
					b.Error(err)
				}
			}
		}()
	}
	for _, m := range members {
		<-m.all
	}
	b.StopTimer()
	b.ReportMetric((redisCPU(b, server)-before)*1e6/float64(b.N), "redis-us/op")
	for _, l := range all {
		if err := l.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}
}
