package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/redis"
)

// subscribed returns how many groups are subscribed to.
func subscribed(t *testing.T, s *redistest.Server, o redis.Options) int {
	t.Helper()
	return strings.Count(s.CLI(t, "PUBSUB", "CHANNELS", o.Prefix+"__group__*"), "__group__")
}

// TestSubscribeInterrupted has calls of Subscribe, which are several commands each, end after
// the first one. What they have not changed is changed at the next probe.
func TestSubscribeInterrupted(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	p := newProxy(t, s.Addr())
	o := options(t, p.url())
	_, d := open(t, o)
	groups := make([]string, 2000)
	for i := range groups {
		groups[i] = fmt.Sprint("group", i)
	}
	interrupt := func(at testkit.Line, add, drop []string) {
		t.Helper()
		p.delay.Store(int64(time.Second))
		defer p.delay.Store(0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- d.Subscribe(ctx, add, drop) }()
		eventually(t, at, "the first command", func() bool { n := subscribed(t, s, o); return 0 < n && n < len(groups) })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the error is %v, want that of ctx", at, err)
		}
	}
	interrupt(testkit.Here(), groups, nil)
	eventually(t, testkit.Here(), "all groups are subscribed to", func() bool { return subscribed(t, s, o) == len(groups) })
	interrupt(testkit.Here(), nil, groups)
	eventually(t, testkit.Here(), "no group is subscribed to", func() bool { return subscribed(t, s, o) == 0 })
	if n := d.Stats().Servers[0].Outages; n != 0 {
		t.Errorf("there were %d outages, want none", n)
	}
}

// TestJoinRefused has a server refuse to subscribe the node to a group for a time, and nothing
// else: the member stays, and the next probe subscribes.
func TestJoinRefused(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	o := options(t, s.URL())
	l, d := open(t, o)
	s.CLI(t, "ACL", "SETUSER", "default", "resetchannels", "&specific."+l.Node()+"!*")
	m := joined(t, l, "room")
	if n := subscribed(t, s, o); n != 0 {
		t.Fatalf("%d groups are subscribed to, want none", n)
	}
	s.CLI(t, "ACL", "SETUSER", "default", "allchannels")
	eventually(t, testkit.Here(), "the gap is reported", func() bool { return l.Stats().Gaps == 1 })
	other := openLayer(t, o)
	wantSent(t, testkit.Here(), other.GroupSend(t.Context(), "room", said.New(text{"hi"})))
	m.wantReceives(t, testkit.Here(), said.New(text{"hi"}))
	if n := d.Stats().Servers[0].Outages; n != 0 {
		t.Errorf("there were %d outages, want none", n)
	}
}
