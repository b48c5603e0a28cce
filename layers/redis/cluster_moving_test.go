package redis_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// TestClusterSlotIsMoving has a slot move for longer than a call waits: what needs keys that are
// not there fails until it has moved, and nothing else does, as the guide says.
func TestClusterSlotIsMoving(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := redistest.NewCluster(t, redistest.ClusterOptions{Replicas: -1})
	l, d := open(t, redis.Options{URLs: []string{c.URL()}, Sharded: true, Partitions: 1})
	recordIn := func(group string) error {
		_, err := l.Record(ctx, group, said.New(text{"a"}), layers.Retention{})
		return err
	}
	sendTo := func(channel string) error { return l.Send(ctx, channel, said.New(text{"a"})) }
	wantSent(t, testkit.Here(), recordIn("old"))
	wantSent(t, testkit.Here(), sendTo("old"))

	slot, _ := d.SlotOf("old")
	from, err := c.Master(ctx, slot)
	if err != nil {
		t.Fatal(err)
	}
	to := c.Servers[0]
	if to == from {
		to = c.Servers[1]
	}
	target, source := to.CLI(t, "CLUSTER", "MYID"), from.CLI(t, "CLUSTER", "MYID")
	to.CLI(t, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "IMPORTING", source)
	from.CLI(t, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "MIGRATING", target)
	rows := []struct {
		at   testkit.Line
		call func() error
		ok   bool // while the slot moves
	}{
		{testkit.Here(), func() error { return l.GroupSend(ctx, "old", said.New(text{"a"})) }, true},
		{testkit.Here(), func() error { return l.GroupSend(ctx, "new", said.New(text{"a"})) }, true},
		{testkit.Here(), func() error { return recordIn("old") }, true},
		{testkit.Here(), func() error { return recordIn("new") }, false},
		{testkit.Here(), func() error { return sendTo("old") }, true},
		{testkit.Here(), func() error { return sendTo("new") }, false},
		{testkit.Here(), func() error { return l.Enter(ctx, "old", layers.Presence{ID: "1", Key: "ann"}) }, false},
	}
	var calling sync.WaitGroup
	for _, row := range rows {
		calling.Go(func() {
			if err := row.call(); (err == nil) != row.ok || err != nil && !errors.Is(err, layers.ErrDown) {
				t.Errorf("%s: the error is %v", row.at, err)
			}
		})
	}
	calling.Wait()
	if err := c.Move(ctx, slot, to); err != nil {
		t.Fatal(err)
	}
	await(t, "the slot that has moved", func() bool {
		counts, up := outages(d)
		return counts[0] > 0 && up
	})
	for _, row := range rows {
		if err := row.call(); err != nil {
			t.Errorf("%s: after the move, the error is %v", row.at, err)
		}
	}
}
