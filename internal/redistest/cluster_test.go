package redistest_test

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
)

// TestCluster moves a slot with a key, and replaces a master that is killed.
func TestCluster(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := redistest.NewCluster(t, redistest.ClusterOptions{})
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
