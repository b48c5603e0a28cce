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
	return suiteOn(t, o, redistest.Options{})
}

// suiteOn is suiteOf on one or more servers, which have their faults together.
func suiteOn(t *testing.T, o redis.Options, all ...redistest.Options) *layertest.Suite {
	t.Helper()
	servers, proxies := make([]*redistest.Server, len(all)), make([]*proxy, len(all))
	o.Logger, o.PresenceLease = slog.New(slog.DiscardHandler), 2*time.Second
	for i := range all {
		servers[i] = redistest.New(t, all[i])
		proxies[i] = newProxy(t, servers[i].Addr())
		o.URLs = append(o.URLs, proxies[i].url())
	}
	o.Channels = []redis.ChannelLimit{{Pattern: "*late*", Expiry: expiry}}
	return &layertest.Suite{
		Queues: true,
		Expire: func() { <-time.After(expiry + 100*time.Millisecond) },
		New:    func(*testing.T) layers.Driver { return redis.New(o) },
		Stop: func() {
			for _, s := range servers {
				s.Stop()
			}
		},
		Start: func() {
			for _, s := range servers {
				if err := s.Start(); err != nil {
					t.Error(err)
				}
			}
		},
		Kill: func(d layers.Driver) { d.(*redis.Driver).Kill() },
		Slow: func(d time.Duration) {
			for _, p := range proxies {
				p.delay.Store(int64(d))
			}
		},

		History: true, Presence: true, Lease: 3 * time.Second,
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	suiteOf(t, redis.Options{}).Run(t)
}

// TestSuiteOnValkey is the suite on Valkey, with encryption, of which no server knows. JSON has no
// bytes, which the suite sends.
func TestSuiteOnValkey(t *testing.T) {
	t.Parallel()
	suiteOn(t, redis.Options{EncryptionKeys: []string{"secret"}}, redistest.Options{Valkey: true}).Run(t)
}

func TestSuiteOfCore(t *testing.T) {
	t.Parallel()
	suiteOf(t, redis.Options{Backend: redis.Core}).Run(t)
}

// withoutQueues hides the named channels of a driver.
type withoutQueues struct{ stores }

type stores interface {
	layers.Historian
	layers.Presencer
}

// TestSuiteOfCoreOnValkey is the suite of Core with all that its format can have otherwise, on
// several servers. Named channels are left out, because they have a queue on each server.
func TestSuiteOfCoreOnValkey(t *testing.T) {
	t.Parallel()
	o := redis.Options{Backend: redis.Core, EncryptionKeys: []string{"secret"}, RandomPrefixLength: 5, Prefix: "site"}
	valkey := redistest.Options{Valkey: true}
	s := suiteOn(t, o, valkey, valkey, valkey)
	drivers, kill := s.New, s.Kill
	s.New = func(t *testing.T) layers.Driver {
		t.Helper()
		return withoutQueues{drivers(t).(*redis.Driver)}
	}
	s.Kill = func(d layers.Driver) { kill(d.(withoutQueues).stores) }
	s.Queues = false
	s.Run(t)
}
