package redis_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// coreOptions are the options of nodes with Core on the shared server, with a prefix of their
// own.
func coreOptions(t *testing.T) redis.Options {
	t.Helper()
	_, o := dialect{}.coreOn(t, shared)
	return o
}

// openTuned is open with another lease and other renewals.
func openTuned(t *testing.T, o redis.Options, lease, renew time.Duration) (*layers.Layer, *redis.Driver) {
	t.Helper()
	o.Logger = quiet()
	d := redis.New(o)
	d.Tune(lease, renew)
	l, err := layers.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return l, d
}

// eventually waits until ok returns true.
func eventually(t *testing.T, at testkit.Line, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: still not: %s", at, what)
		}
	}
}

// entries returns the channels in a group.
func entries(t *testing.T, s *redistest.Server, o redis.Options, group string) []string {
	t.Helper()
	return strings.Fields(s.CLI(t, "ZRANGE", o.Prefix+":group:"+group, "0", "-1"))
}

// TestCoreEntries has many members in one group: the node has one entry there, which lasts as
// long as the last member. When the node has been closed, Redis has nothing of it.
func TestCoreEntries(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	o.Logger = quiet()
	l, err := layers.Open(t.Context(), redis.New(o))
	if err != nil {
		t.Fatal(err)
	}
	var all []member
	for range 100 {
		m := newMember()
		all = append(all, m)
		for _, group := range []string{"many", "others"} {
			if err := l.Join(t.Context(), group, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{"specific." + l.Node() + "!wye.group.many"}
	if got := entries(t, shared, o, "many"); !slices.Equal(got, want) {
		t.Errorf("the entries are %q, want %q", got, want)
	}
	if ttl := shared.CLI(t, "TTL", o.Prefix+":group:many"); ttl != "86400" && ttl != "86399" && ttl != "86398" {
		t.Errorf("the group lasts for %s s, want a day", ttl)
	}
	for _, m := range all {
		l.Leave("many", m)
	}
	joined(t, l, "later") // in a later round of changes
	if got := entries(t, shared, o, "many"); len(got) > 0 {
		t.Errorf("the entries are %q after all have left", got)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if left := shared.CLI(t, "KEYS", o.Prefix+"*"); left != "" {
		t.Errorf("a node that has been closed leaves %s", left)
	}
}

// TestCoreGroupLasts has a node join a group that lasts longer than the node says: it must not
// make the memberships of others shorter.
func TestCoreGroupLasts(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	o.GroupExpiry = time.Minute
	key := o.Prefix + ":group:room"
	shared.CLI(t, "ZADD", key, "1e11", "specific.django!x")
	shared.CLI(t, "EXPIRE", key, "5000")
	shared.CLI(t, "ZADD", key, "1000", "specific.expired!x")
	l := openLayer(t, o)
	joined(t, l, "room")
	if got := shared.CLI(t, "TTL", key); !strings.HasPrefix(got, "5000") && !strings.HasPrefix(got, "499") {
		t.Errorf("the group lasts for %s s, want 5000", got)
	}
	want := []string{"specific." + l.Node() + "!wye.group.room", "specific.django!x"}
	if got := entries(t, shared, o, "room"); !slices.Equal(got, want) {
		t.Errorf("the entries are %q, want %q", got, want)
	}
}

// TestCoreNodeDies has a node die: others remove it from its groups when its lease has ended,
// and nothing is added to its queue any longer.
func TestCoreNodeDies(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	l, _ := openTuned(t, o, 6*time.Second, 0)
	defer func() {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	dies, d := openTuned(t, o, 6*time.Second, 0)
	m := joined(t, l, "room")
	for i := range 300 { // more than one call of a script removes
		if err := dies.Join(t.Context(), fmt.Sprint("room", i), newMember()); err != nil {
			t.Fatal(err)
		}
	}
	if err := dies.Join(t.Context(), "room", newMember()); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "room", event("x", fields{})))
	if n := shared.CLI(t, "EXISTS", o.Prefix+"specific."+dies.Node()+"!"); n != "1" {
		t.Errorf("the queue of a node that has just died exists %s times, want 1", n)
	}
	left := func() string { return shared.CLI(t, "KEYS", o.Prefix+"*"+dies.Node()+"*") }
	eventually(t, testkit.Here(), "the dead node is removed", func() bool { return left() == "" })
	if got := entries(t, shared, o, "room"); !slices.Equal(got, []string{"specific." + l.Node() + "!wye.group.room"}) {
		t.Errorf("the entries are %q, want only that of the other node", got)
	}
	if got := shared.CLI(t, "KEYS", o.Prefix+":group:*"); got != o.Prefix+":group:room" {
		t.Errorf("the groups are %q, want only one", got)
	}
	m.wantReceives(t, testkit.Here(), event("x", fields{}))
	wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "room", event("x", fields{})))
	if got := left(); got != "" {
		t.Errorf("after a send, Redis has %s", got)
	}
}

// TestCoreJoinRefused has a server refuse to add a node to a group for a time, and nothing else:
// the member stays, and the next probe adds the node.
func TestCoreJoinRefused(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	_, o := dialect{}.coreOn(t, s)
	l, d := open(t, o)
	s.CLI(t, "ACL", "SETUSER", "default", "resetkeys", "~*:wye:*", "~*specific*")
	joined(t, l, "room")
	if got := entries(t, s, o, "room"); len(got) != 0 {
		t.Fatalf("the entries are %q, want none", got)
	}
	s.CLI(t, "ACL", "SETUSER", "default", "allkeys")
	eventually(t, testkit.Here(), "the node is in the group", func() bool { return len(entries(t, s, o, "room")) == 1 })
	eventually(t, testkit.Here(), "the gap is reported", func() bool { return l.Stats().Gaps == 1 })
	if n := d.Stats().Servers[0].Outages; n != 0 {
		t.Errorf("there were %d outages, want none", n)
	}
}

// TestCoreForgotten has Redis lose all that it stores, while it runs.
func TestCoreForgotten(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	_, o := dialect{}.coreOn(t, s)
	here, d := open(t, o)
	there := openLayer(t, o)
	m, other := joined(t, here, "room", "room2"), joined(t, there, "room")
	s.CLI(t, "FLUSHALL")
	eventually(t, testkit.Here(), "the loss is noticed", func() bool {
		server := d.Stats().Servers[0]
		return server.Outages == 1 && server.Down == nil
	})
	if n := here.Stats().Gaps; n != 1 {
		t.Errorf("%d gaps are reported, want 1", n)
	}
	wantSent(t, testkit.Here(), there.GroupSend(t.Context(), "room", event("x", fields{})))
	m.wantReceives(t, testkit.Here(), event("x", fields{}))
	other.wantReceives(t, testkit.Here(), event("x", fields{}))
}

// TestCoreRenews has Redis evict a group: the node's membership is added again.
func TestCoreRenews(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	l, d := openTuned(t, o, 0, time.Millisecond)
	defer func() {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	m := joined(t, l, "room", "stays")
	shared.CLI(t, "DEL", o.Prefix+":group:room")
	eventually(t, testkit.Here(), "the membership is back", func() bool { return len(entries(t, shared, o, "room")) == 1 })
	eventually(t, testkit.Here(), "a gap is reported", func() bool { return l.Stats().Gaps == 1 })
	wantSent(t, testkit.Here(), openLayer(t, o).GroupSend(t.Context(), "room", event("x", fields{})))
	for {
		if e := testkit.Await(t, m, "the event"); e.Type() == "x" {
			break
		}
	}
	if n := d.Stats().Servers[0].Outages; n != 0 {
		t.Errorf("%d outages are reported, want none", n)
	}
}

// TestCoreQueueWaits has a node lose its connections for a while: it gets what others have sent
// meanwhile.
func TestCoreQueueWaits(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	there := openLayer(t, o)
	p := newProxy(t, shared.Addr())
	o.URLs = []string{p.url()}
	here, d := open(t, o)
	m := joined(t, here, "room")
	p.cut(true)
	eventually(t, testkit.Here(), "the outage is noticed", func() bool { return d.Stats().Servers[0].Down != nil })
	for i := range 20 {
		wantSent(t, testkit.Here(), there.GroupSend(t.Context(), "room", event("x", fields{"i": i})))
	}
	p.cut(false)
	for i := range 20 {
		m.wantReceives(t, testkit.Here(), event("x", fields{"i": int64(i)}))
	}
	eventually(t, testkit.Here(), "the node is up again", func() bool { return d.Stats().Servers[0].Down == nil })
}

// TestCoreLeavesWhileDown has the last member of a group leave while the server cannot be
// reached, which has kept the node's entry.
func TestCoreLeavesWhileDown(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	direct := o
	p := newProxy(t, shared.Addr())
	o.URLs = []string{p.url()}
	l, d := open(t, o)
	m := newMember()
	if err := l.Join(t.Context(), "left", m); err != nil {
		t.Fatal(err)
	}
	joined(t, l, "stays")
	p.cut(true)
	eventually(t, testkit.Here(), "the outage is noticed", func() bool { return d.Stats().Servers[0].Down != nil })
	l.Leave("left", m)
	p.cut(false)
	eventually(t, testkit.Here(), "the entry is removed", func() bool { return len(entries(t, shared, direct, "left")) == 0 })
	if n := len(entries(t, shared, direct, "stays")); n != 1 {
		t.Errorf("the other group has %d entries, want 1", n)
	}
}

// TestCoreLogsOverCapacity has a queue that is full.
func TestCoreLogsOverCapacity(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	var logged testkit.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	o.Channels = []redis.ChannelLimit{{Pattern: "specific.*", Capacity: 2}}
	l, _ := open(t, o)
	shared.CLI(t, "ZADD", o.Prefix+":group:room", "1e11", "specific.slow!a")
	for range 5 {
		wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "room", event("x", fields{})))
	}
	if n := strings.Count(logged.String(), "over capacity"); n != 1 {
		t.Errorf("logged %d lines, want 1: %s", n, logged.String())
	}
	if n := shared.CLI(t, "ZCARD", o.Prefix+"specific.slow!"); n != "2" {
		t.Errorf("the queue has %s events, want 2", n)
	}
}

// TestCoreOrderInQueue has the clock of a sender that is ahead: what comes later is behind it.
func TestCoreOrderInQueue(t *testing.T) {
	t.Parallel()
	o := coreOptions(t)
	l := openLayer(t, o)
	queue := o.Prefix + "specific.django!"
	shared.CLI(t, "ZADD", queue, "3000000000.25", "first")
	for range 20 {
		wantSent(t, testkit.Here(), l.Send(t.Context(), "specific.django!x", event("x", fields{})))
	}
	all := strings.Fields(shared.CLI(t, "ZRANGE", queue, "0", "-1", "WITHSCORES"))
	if len(all) == 0 || all[0] != "first" {
		t.Errorf("the queue is %q, want the first to be the first", all)
	}
	if n := shared.CLI(t, "ZCOUNT", queue, "3000000000.250001", "3000000000.25003"); n != "20" {
		t.Errorf("%s events are right behind the first, want 20", n)
	}
}

// TestCoreOutages has a server fail and come back in several ways.
func TestCoreOutages(t *testing.T) {
	t.Parallel()
	testOutages(t, redis.Core)
}

// TestCoreFaultsAtRandom has many faults follow each other.
func TestCoreFaultsAtRandom(t *testing.T) {
	t.Parallel()
	testFaultsAtRandom(t, redis.Core)
}

// TestCorePermissions has a user of Redis who may do no more than the driver says that it needs.
func TestCorePermissions(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{ACL: []string{"wye on >secret ~* &* +@all"}})
	_, o := dialect{}.coreOn(t, s)
	o.URLs = []string{s.URLOf("wye", "secret")}
	first, d := open(t, o)
	joined(t, first, "room")
	s.CLI(t, append([]string{"ACL", "SETUSER", "wye", "reset", "on", ">secret"}, strings.Fields(d.ACL())...)...)
	l, d := openTuned(t, o, 0, time.Millisecond)
	m := joined(t, l, "room", "left")
	l.Leave("left", m)
	wantSent(t, testkit.Here(), first.GroupSend(t.Context(), "room", event("x", fields{})))
	m.wantReceives(t, testkit.Here(), event("x", fields{}))
	wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "room", event("x", fields{})))
	if _, err := l.Record(t.Context(), "room", event("y", fields{}), layers.Retention{}); err != nil {
		t.Error(err)
	}
	before := d.Stats().Servers[0].Lag
	eventually(t, testkit.Here(), "memberships are renewed", func() bool { return d.Stats().Servers[0].Lag != before })
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := entries(t, s, o, "room"); len(got) != 1 {
		t.Errorf("the entries are %q, want that of the node that is not closed", got)
	}
	if log := s.CLI(t, "ACL", "LOG"); log != "" {
		t.Errorf("Redis has refused commands: %s", log)
	}
}
