package redis_test

import (
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// BenchmarkQueue sends an event to a named channel and pulls it: when it waits there, and
// when the reader waits for it.
func BenchmarkQueue(b *testing.B) {
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
	e := shrink.New(job{1})
	b.Run("waiting event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Send(b.Context(), "jobs", e); err != nil {
				b.Fatal(err)
			}
			if _, err := l.Pull(b.Context(), "jobs"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("waiting reader", func(b *testing.B) {
		b.ReportAllocs()
		pulled := make(chan error)
		go func() {
			for {
				_, err := l.Pull(b.Context(), "ping")
				select {
				case pulled <- err:
				case <-b.Context().Done():
					return
				}
			}
		}()
		for b.Loop() {
			if err := l.Send(b.Context(), "ping", e); err != nil {
				b.Fatal(err)
			}
			if err := <-pulled; err != nil {
				b.Fatal(err)
			}
		}
	})
}
