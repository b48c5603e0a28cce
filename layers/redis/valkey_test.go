package redis_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// The suites on Valkey are TestSuiteOnValkey and TestSuiteOfCoreOnValkey.

// TestValkeyIsKilled has people on two nodes live through the death of a valkey-server.
func TestValkeyIsKilled(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{Valkey: true})
	o := options(t, s.URL())
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	kill := func(_ context.Context, s *redistest.Server) error { s.Kill(); return nil }
	start := func(_ context.Context, s *redistest.Server) error { return s.Start() }
	c.wantOutage(s, kill, start)
}

// TestValkeyStart is what the driver checks when it starts.
func TestValkeyStart(t *testing.T) {
	t.Parallel()
	testPermissions(t, redistest.Options{Valkey: true})
	cluster := redistest.New(t, redistest.Options{Valkey: true, Config: []string{"cluster-enabled yes"}})
	wantNoStart(t, testkit.Here(), cluster.URL(), "it is part of a Redis Cluster; write redis+cluster://")
}

// TestValkeyCluster has groups, a history, presences and named channels on a cluster of Valkey, with
// classic and with sharded Pub/Sub.
func TestValkeyCluster(t *testing.T) {
	t.Parallel()
	testClusterPermissions(t, redistest.Options{Valkey: true})
}
