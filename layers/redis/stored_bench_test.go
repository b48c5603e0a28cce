package redis_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// BenchmarkStored has presences enter, reads 10,000 of them, records events and reads 100. 16
// goroutines enter and record. It reports the CPU time of Redis too.
func BenchmarkStored(b *testing.B) {
	server := redistest.New(b, redistest.Options{})
	l, err := layers.Open(b.Context(), redis.New(redis.Options{URLs: []string{server.URL()}, Logger: quiet()}))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := l.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	run := func(name string, f func(b *testing.B)) {
		b.Helper()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := redisCPU(b, server)
			f(b)
			b.ReportMetric((redisCPU(b, server)-before)*1e9/float64(b.N), "redis-ns/op")
		})
	}
	var entered atomic.Int64
	enterOne := func(group string) error {
		n := entered.Add(1)
		return l.Enter(b.Context(), group, layers.Presence{
			ID: fmt.Sprintf("connection-%025d", n), Key: fmt.Sprintf("user-%06d", n), Meta: json.RawMessage(fmt.Sprintf(`{"name":"User %06d"}`, n)),
		})
	}
	run("Enter", func(b *testing.B) {
		b.Helper()
		inParallel(b, b.N, func() error { return enterOne(fmt.Sprint("room", b.N)) })
	})
	inParallel(b, 10_000, func() error { return enterOne("full") })
	run("Present of 10,000", func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			if all, err := l.Present(b.Context(), "full"); err != nil || len(all) != 10_000 {
				b.Fatal(len(all), err)
			}
		}
	})
	e := said.New(text{"one two three four five six seven eight nine ten"})
	record := func(n int) {
		inParallel(b, n, func() error {
			_, err := l.Record(b.Context(), "history", e, layers.Retention{MaxEvents: 1000})
			return err
		})
	}
	run("Record", func(b *testing.B) {
		b.Helper()
		record(b.N)
	})
	record(100)
	run("Read 100", func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			h, err := l.History(b.Context(), "history", layers.Range{Limit: 100, Newest: true})
			if err != nil || len(h.Events) != 100 {
				b.Fatal(len(h.Events), err)
			}
		}
	})
}

// inParallel calls f n times, by 16 goroutines.
func inParallel(b *testing.B, n int, f func() error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
