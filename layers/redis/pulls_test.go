package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// awaitBlocked waits until n connections to a server wait for an event.
func awaitBlocked(t *testing.T, s *redistest.Server, n int) {
	t.Helper()
	want := fmt.Sprintf("blocked_clients:%d\r\n", n)
	await(t, want, func() bool { return strings.Contains(s.CLI(t, "INFO", "clients")+"\r\n", want) })
}

// TestManyPulls has more calls of Pull wait than rueidis opens connections by default. All of
// them wait in Redis, and neither hold up a reconnection, nor Close.
func TestManyPulls(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	d := redis.New(redis.Options{URLs: []string{s.URL()}, Logger: quiet()})
	d.MakeSmall() // otherwise a connection takes half a megabyte
	l, err := layers.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	const pulls = 1100
	var pulling sync.WaitGroup
	for i := range pulls {
		pulling.Go(func() {
			for {
				if _, err := l.Pull(t.Context(), fmt.Sprint("jobs", i)); errors.Is(err, layers.ErrLayerClosed) {
					return
				}
				select {
				case <-time.After(100 * time.Millisecond): // as a Worker does
				case <-t.Context().Done():
					return
				}
			}
		})
	}
	began := time.Now()
	awaitBlocked(t, s, pulls)
	t.Logf("%d calls wait after %v", pulls, time.Since(began).Round(time.Millisecond))

	began = time.Now()
	s.CLI(t, "CLIENT", "KILL", "TYPE", "pubsub")
	eventually(t, testkit.Here(), "the outage", func() bool { return d.Stats().Servers[0].Outages == 1 })
	awaitState(t, d, true)
	t.Logf("the subscriber was connected again after %v", time.Since(began).Round(time.Millisecond))
	awaitBlocked(t, s, pulls)

	s.Kill()
	awaitState(t, d, false)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	awaitState(t, d, true)
	t.Logf("the driver was connected again after %v", time.Since(began).Round(time.Millisecond))
	awaitBlocked(t, s, pulls)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began = time.Now()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
	pulling.Wait()
	t.Logf("the layer was closed after %v", time.Since(began).Round(time.Millisecond))
}
