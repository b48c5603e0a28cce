package redistest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
)

// TestCluster moves a slot with a key, and replaces a master that is killed.
func TestCluster(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", secure), func(t *testing.T) {
			t.Parallel()
			testCluster(t, secure)
		})
	}
}

func testCluster(t *testing.T, secure bool) {
	t.Helper()
	ctx := t.Context()
	c := redistest.NewCluster(t, redistest.ClusterOptions{Server: redistest.Options{TLS: secure}})
	wantURL(t, c, secure)
	const slot = 12182 // of "foo"
	old, err := c.Master(ctx, slot)
	if err != nil || old != c.Servers[2] {
		t.Fatalf("the master is %v, %v; want the third one", old, err)
	}
	old.CLI(t, "SET", "foo", "1")
	if err := c.Move(ctx, slot, c.Servers[0]); err != nil {
		t.Fatal(err)
	}
	if got := c.Servers[0].CLI(t, "GET", "foo"); got != "1" {
		t.Errorf("the key that was moved is %q", got)
	}
	if _, err := old.Do(ctx, "GET", "foo"); err == nil || !strings.HasPrefix(err.Error(), "MOVED ") {
		t.Errorf("the old master answers %v, want MOVED", err)
	}
	old.Kill()
	master, err := c.NewMaster(ctx, redistest.Slots-1, old)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitWhole(ctx); err != nil {
		t.Error(err)
	}
	if now, err := c.Master(ctx, redistest.Slots-1); err != nil || now != master {
		t.Errorf("the master is %v, %v; want %v", now, err, master)
	}
}

// wantURL wants the URL to say whether the cluster uses TLS, and its nodes to do so.
func wantURL(t *testing.T, c *redistest.Cluster, secure bool) {
	t.Helper()
	if got := strings.HasPrefix(c.URL(), "rediss+cluster://127.0.0.1:"); got != secure {
		t.Errorf("the URL is %s", c.URL())
	}
	if secure {
		for _, s := range c.Servers {
			if got := dialURL(t, c.Servers[0], s.URL(), "PING"); got != "+PONG" {
				t.Errorf("PING is answered with %q", got)
			}
		}
	}
}
