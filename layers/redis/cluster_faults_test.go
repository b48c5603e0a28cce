package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// gapMark stands for a Gap in what a counter has received.
const gapMark = -1

// counter is a member that notes the numbers that it receives, and gaps.
type counter struct {
	mu struct {
		sync.Mutex
		got []int
	}
}

func (c *counter) Deliver(e *protocol.Event) bool {
	n := gapMark
	if p, err := said.Payload(e); e.Type() == said.Name && err == nil {
		n, _ = strconv.Atoi(p.Text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.got = append(c.mu.got, n)
	return false
}
func (c *counter) Offer(*protocol.Prepared) bool { return false }
func (*counter) Watches(typ string) bool         { return typ == layers.Gap.Name }

func (c *counter) has(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.mu.got, n)
}

// flow has numbered events flow from a node to members on another one, in many groups.
type flow struct {
	t      *testing.T
	groups []string
	send   map[string]func(number string) error
	sent   map[string][]int // numbers that were sent without an error, which run owns
	failed map[string][]int
	got    map[string]*counter
	stop   chan struct{}
	over   chan struct{}
}

// newFlow starts a flow. Events of the last group are recorded.
func newFlow(t *testing.T, from, to *layers.Layer) *flow {
	t.Helper()
	f := &flow{
		t: t, send: make(map[string]func(string) error), sent: make(map[string][]int), failed: make(map[string][]int),
		got: make(map[string]*counter), stop: make(chan struct{}), over: make(chan struct{}),
	}
	const groups = 24
	for i := range groups {
		group, recorded := fmt.Sprint("group-", i), i == groups-1
		f.groups, f.got[group] = append(f.groups, group), &counter{}
		f.send[group] = func(n string) error { return from.GroupSend(t.Context(), group, said.New(text{n})) }
		var err error
		if recorded {
			f.send[group] = func(n string) error {
				_, err := from.Record(t.Context(), group, said.New(text{n}), layers.Retention{MaxEvents: 10_000})
				return err
			}
			_, err = to.JoinFrom(t.Context(), group, f.got[group], layers.Range{})
		} else {
			err = to.Join(t.Context(), group, f.got[group])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	go f.run()
	return f
}

// run sends to all groups, again and again, to each from a goroutine of its own.
func (f *flow) run() {
	defer close(f.over)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, group := range f.groups {
		all.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for n := 1; ; n++ {
				err := f.send[group](strconv.Itoa(n))
				mu.Lock()
				if err == nil {
					f.sent[group] = append(f.sent[group], n)
				} else {
					f.failed[group] = append(f.failed[group], n)
				}
				if err != nil && !errors.Is(err, layers.ErrDown) {
					f.t.Errorf("%s: number %d: %v", group, n, err)
				}
				mu.Unlock()
				select {
				case <-tick.C:
				case <-f.stop:
					return
				}
			}
		})
	}
	all.Wait()
}

// end ends the flow, and waits until the last event of each group has arrived.
func (f *flow) end() {
	f.t.Helper()
	close(f.stop)
	<-f.over
	for _, group := range f.groups {
		const last = 1_000_000
		if err := f.send[group](strconv.Itoa(last)); err != nil {
			f.t.Errorf("%s: the last event: %v", group, err)
			continue
		}
		await(f.t, "the last event of "+group, func() bool { return f.got[group].has(last) })
	}
}

// check checks that numbers arrived once, and in order, and that a gap was told after the last
// number before each one that is missing. A number whose send has failed may arrive late: a master
// that is silent does later what it was asked for. It returns how many were lost, and how many gaps there
// were.
func (f *flow) check(group string) (lost, gaps int) {
	f.t.Helper()
	c := f.got[group]
	c.mu.Lock()
	defer c.mu.Unlock()
	at := make(map[int]int) // of each number in got
	before, lastGap := 0, -1
	for i, n := range c.mu.got {
		if n == gapMark {
			gaps, lastGap = gaps+1, i
			continue
		}
		if _, twice := at[n]; twice {
			f.t.Errorf("%s: number %d arrived twice", group, n)
		}
		at[n] = i
		if slices.Contains(f.failed[group], n) {
			continue
		}
		if n < before {
			f.t.Errorf("%s: number %d arrived after %d", group, n, before)
		}
		before = n
	}
	previous := -1 // in got, the last one that has arrived
	for _, n := range f.sent[group] {
		if i, ok := at[n]; ok {
			previous = i
			continue
		}
		lost++
		if lastGap < previous {
			f.t.Errorf("%s: number %d is missing, and no gap was told", group, n)
		}
	}
	return lost, gaps
}

// await waits until ok returns true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// outages returns how often each server was down, and whether all are up.
func outages(d *redis.Driver) (counts []int64, up bool) {
	up = true
	for _, s := range d.Stats().Servers {
		counts, up = append(counts, s.Outages), up && s.Down == nil
	}
	return counts, up
}

// TestClusterFaults moves a slot, and then has a master fail, while events flow in groups on all
// masters.
func TestClusterFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name         string
		sharded, tls bool
		fail         func(*redistest.Server) error
	}{
		{"classic, frozen", false, false, (*redistest.Server).Freeze},
		{"sharded, killed", true, false, func(s *redistest.Server) error { s.Kill(); return nil }},
		{"sharded, TLS, frozen", true, true, (*redistest.Server).Freeze},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			testClusterFaults(t, row.sharded, row.tls, row.fail)
		})
	}
}

func testClusterFaults(t *testing.T, sharded, secure bool, fail func(*redistest.Server) error) {
	t.Helper()
	c := redistest.NewCluster(t, redistest.ClusterOptions{
		NodeTimeout: 3000, Server: redistest.Options{Config: []string{"cluster-require-full-coverage no"}, TLS: secure},
	})
	o := options(t, c.URL())
	if secure {
		o.TLS = c.TLSConfig()
	}
	o.Prefix, o.Sharded, o.Partitions = "", sharded, 6
	from, fromDriver := open(t, o)
	to, toDriver := open(t, o)
	f := newFlow(t, from, to)

	f.move(c, toDriver, fromDriver)
	f.replace(c, fail, toDriver, fromDriver)
	f.end()
	f.report(toDriver, fromDriver)
}

// move moves the slot of the group that is recorded, with its keys.
func (f *flow) move(c *redistest.Cluster, toDriver, fromDriver *redis.Driver) {
	f.t.Helper()
	t := f.t
	slot, server := toDriver.SlotOf(f.groups[len(f.groups)-1])
	old, err := c.Master(t.Context(), slot)
	if err != nil {
		t.Fatal(err)
	}
	other := c.Servers[0]
	if other == old {
		other = c.Servers[1]
	}
	if err := c.Move(t.Context(), slot, other); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*redis.Driver{fromDriver, toDriver} {
		await(t, "the slot that has moved", func() bool {
			counts, up := outages(d)
			return counts[server] > 0 && up
		})
	}
}

// replace has a master fail.
func (f *flow) replace(c *redistest.Cluster, fail func(*redistest.Server) error, toDriver, fromDriver *redis.Driver) {
	f.t.Helper()
	t, master := f.t, c.Servers[2]
	before, _ := outages(toDriver)
	slot, server := slotOn(t, c, toDriver, f.groups, master)
	began := time.Now()
	if err := fail(master); err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewMaster(t.Context(), slot, master); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*redis.Driver{fromDriver, toDriver} {
		await(t, "the master that was killed", func() bool {
			counts, up := outages(d)
			return counts[server] > before[server] && up
		})
	}
	t.Logf("both nodes are up again after %v", time.Since(began).Round(time.Millisecond))
	if master.PID() != 0 { // it believes that it is a master until others tell it
		if err := master.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
}

// slotOn returns the slot of a group that is on a master.
func slotOn(t *testing.T, c *redistest.Cluster, d *redis.Driver, groups []string, master *redistest.Server) (slot, server int) {
	t.Helper()
	for _, group := range groups {
		slot, server := d.SlotOf(group)
		if m, err := c.Master(t.Context(), slot); err == nil && m == master {
			return slot, server
		}
	}
	t.Fatalf("no group is on %s", master)
	return 0, 0
}

// report checks all groups: those on servers that were never down have lost nothing, and have
// no gaps.
func (f *flow) report(drivers ...*redis.Driver) {
	f.t.Helper()
	var sent, failed, lost, gaps, calm int
	for _, group := range f.groups {
		l, g := f.check(group)
		sent, failed, lost, gaps = sent+len(f.sent[group]), failed+len(f.failed[group]), lost+l, gaps+g
		_, server := drivers[0].SlotOf(group)
		to, _ := outages(drivers[0])
		from, _ := outages(drivers[1])
		if to[server] > 0 && g == 0 {
			f.t.Errorf("%s: no gap was told", group)
		}
		if to[server]+from[server] > 0 {
			continue
		}
		calm++
		if l+g+len(f.failed[group]) > 0 {
			f.t.Errorf("%s, which was never interrupted: %d lost, %d gaps, %d failed", group, l, g, len(f.failed[group]))
		}
	}
	f.t.Logf("%d groups (%d never interrupted): %d events sent, %d more returned ErrDown, %d lost, %d gaps",
		len(f.groups), calm, sent, failed, lost, gaps)
}

// TestClusterStart starts drivers with URLs that are of another kind than the servers.
func TestClusterStart(t *testing.T) {
	t.Parallel()
	c := redistest.NewCluster(t, redistest.ClusterOptions{Masters: 3, Replicas: -1})
	for _, row := range []struct {
		at   testkit.Line
		url  string
		want string // in the error; "": none
	}{
		{testkit.Here(), c.URL(), ""},
		{testkit.Here(), "redis+cluster://" + c.Servers[1].Addr(), ""},
		{testkit.Here(), c.Servers[0].URL(), "it is part of a Redis Cluster; write redis+cluster://"},
		{testkit.Here(), "redis+cluster://" + shared.Addr(), "it is not part of a Redis Cluster; write redis://"},
	} {
		if row.want == "" {
			open(t, redis.Options{URLs: []string{row.url}})
			continue
		}
		wantNoStart(t, row.at, row.url, row.want)
	}
}

// TestClusterPermissions has a user of Redis who may do no more than the driver says that it needs.
func TestClusterPermissions(t *testing.T) {
	t.Parallel()
	testClusterPermissions(t, redistest.Options{})
}

func testClusterPermissions(t *testing.T, so redistest.Options) {
	t.Helper()
	so.ACL = []string{"wye on >secret ~* &* +@all"}
	c := redistest.NewCluster(t, redistest.ClusterOptions{Replicas: -1, Server: so})
	for _, sharded := range []bool{false, true} {
		o := redis.Options{URLs: []string{strings.Replace(c.URL(), "://", "://wye:secret@", 1)}, Sharded: sharded, Partitions: 3}
		_, d := open(t, o)
		for _, s := range c.Servers {
			s.CLI(t, append([]string{"ACL", "SETUSER", "wye", "reset", "on", ">secret"}, strings.Fields(d.ACL())...)...)
		}
		here, _ := open(t, o)
		there, _ := open(t, o)
		m := watch(t, there)
		wantSent(t, testkit.Here(), here.GroupSend(t.Context(), "room", said.New(text{"hi"})))
		m.next(t)
		record(t, here, "room", "a", layers.Retention{})
		m.next(t)
		enter(t, here, "1", "ann")
		m.wantVisits(t, testkit.Here(), "+ann")
		exit(t, here, "1")
		m.wantVisits(t, testkit.Here(), "-ann")
		wantSent(t, testkit.Here(), here.Send(t.Context(), "named", event("x", fields{"i": 1})))
		wantPulls(t, testkit.Here(), there, "named", describe(event("x", fields{"i": 1})))
	}
}
