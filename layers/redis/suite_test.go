package redis_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/layers/redis"
)

// expiry is how long events wait in the channel of the suite's case that waits for it.
const expiry = time.Second

// suiteOf returns the suite of drivers with these options, except for the URLs, on one real
// server.
func suiteOf(t *testing.T, o redis.Options) *layertest.Suite {
	t.Helper()
	server := redistest.New(t, redistest.Options{})
	p := newProxy(t, server.Addr())
	o.URLs, o.Logger = []string{p.url()}, slog.New(slog.DiscardHandler)
	o.PresenceLease = 2 * time.Second
	o.Channels = []redis.ChannelLimit{{Pattern: "*late*", Expiry: expiry}}
	return &layertest.Suite{
		Queues: true,
		Expire: func() { <-time.After(expiry + 100*time.Millisecond) },
		New:    func(*testing.T) layers.Driver { return redis.New(o) },
		Stop:   server.Stop,
		Start: func() {
			if err := server.Start(); err != nil {
				t.Error(err)
			}
		},
		Kill: func(d layers.Driver) { d.(*redis.Driver).Kill() },
		Slow: func(d time.Duration) { p.delay.Store(int64(d)) },

		History: true, Presence: true, Lease: 3 * time.Second,
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	suiteOf(t, redis.Options{}).Run(t)
}

// TestSuiteEncrypted is the suite with encryption. JSON has no bytes, which the suite sends.
func TestSuiteEncrypted(t *testing.T) {
	t.Parallel()
	suiteOf(t, redis.Options{EncryptionKeys: []string{"secret"}}).Run(t)
}
