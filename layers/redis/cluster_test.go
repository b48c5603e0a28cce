package redis_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/layers/redis"
)

// suiteOnCluster returns the suite of drivers with these options on a cluster of three masters.
// There is nothing that makes it slow.
func suiteOnCluster(t *testing.T, o redis.Options) *layertest.Suite {
	t.Helper()
	c := redistest.NewCluster(t, redistest.ClusterOptions{Replicas: -1})
	o.URLs, o.Partitions = []string{c.URL()}, 6
	o.Logger, o.PresenceLease = slog.New(slog.DiscardHandler), 2*time.Second
	o.Channels = []redis.ChannelLimit{{Pattern: "*late*", Expiry: expiry}}
	return &layertest.Suite{
		Queues: true,
		Expire: func() { <-time.After(expiry + 100*time.Millisecond) },
		New:    func(*testing.T) layers.Driver { return redis.New(o) },
		Stop: func() {
			for _, s := range c.Servers {
				s.Stop()
			}
		},
		Start: func() {
			for _, s := range c.Servers {
				if err := s.Start(); err != nil {
					t.Error(err)
				}
			}
			if err := c.AwaitWhole(t.Context()); err != nil {
				t.Error(err)
			}
		},
		Kill: func(d layers.Driver) { d.(*redis.Driver).Kill() },

		History: true, Presence: true, Lease: 3 * time.Second, Patience: 30 * time.Second,
	}
}

func TestSuiteOfCluster(t *testing.T) {
	t.Parallel()
	suiteOnCluster(t, redis.Options{}).Run(t)
}

func TestSuiteOfClusterSharded(t *testing.T) {
	t.Parallel()
	suiteOnCluster(t, redis.Options{Sharded: true, EncryptionKeys: []string{"secret"}}).Run(t)
}

// TestClusterInterop has nodes on a cluster, and a process of Django Channels that knows one node of
// it, send to each other in groups and to consumers.
func TestClusterInterop(t *testing.T) {
	t.Parallel()
	c := redistest.NewCluster(t, redistest.ClusterOptions{Replicas: -1})
	o := options(t, c.URL())
	config := fields{"prefix": o.Prefix, "hosts": []string{c.Servers[1].URL()}}
	here, there := openLayer(t, o), openLayer(t, o)
	django := startDjango(t, "pubsub", config, c.Servers[1])
	for i := range 10 {
		room := fmt.Sprint("room-", i)
		channel := django.joins(t, room)
		m := joined(t, there, room)
		wantSent(t, testkit.Here(), here.GroupSend(t.Context(), room, event("a", fields{"n": i})))
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'n': %d, 'type': 'a'}", i))
		django.call(t, "group_send", room, "{'type': 'b'}")
		django.wantReceives(t, testkit.Here(), channel, "{'type': 'b'}")
		m.wantReceives(t, testkit.Here(), event("a", fields{"n": int64(i)}), event("b", fields{}))

		wantSent(t, testkit.Here(), here.Send(t.Context(), channel, event("c", fields{})))
		django.wantReceives(t, testkit.Here(), channel, "{'type': 'c'}")
		m, own := bound(t, here)
		django.call(t, "send", own, "{'type': 'd'}")
		m.wantReceives(t, testkit.Here(), event("d", fields{}))
	}
}
