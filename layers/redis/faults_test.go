package redis_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
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
)

// bound10s is when a node has found an outage at the latest: 10 s, and as long again for a
// machine that is busy.
const bound10s = 20 * time.Second

// crowd are people on two nodes, all in one room.
type crowd struct {
	t        *testing.T
	a        *node
	ann, bob *person // on a and on b, with consumers that ask for the events of the layer
	deaf     *person // on a, with one that does not ask
	words    int
}

const room = "room"

func newCrowd(t *testing.T, a, b *node) *crowd {
	t.Helper()
	c := &crowd{t: t, a: a, ann: a.connect(t, room, false), bob: b.connect(t, room, false), deaf: a.connect(t, room, true)}
	c.wantTogether(room)
	return c
}

// word returns one that was not said before.
func (c *crowd) word() string { c.words++; return "word" + strconv.Itoa(c.words) }

// wantTogether has both nodes send to a group, of which Ann and Bob are members.
func (c *crowd) wantTogether(group string) {
	c.t.Helper()
	for _, from := range []*person{c.ann, c.bob} {
		word := c.word()
		from.ask("say "+group+" "+word, "sent")
		c.ann.await("said " + word)
		c.bob.await("said " + word)
		if group == room {
			c.deaf.await("said " + word)
		}
	}
}

// wantFound waits until both nodes have found that the layer is down.
func (c *crowd) wantFound(since time.Time) {
	c.t.Helper()
	c.ann.await("layer down")
	c.bob.await("layer down")
	took := time.Since(since)
	c.t.Logf("both nodes have found the outage after %v", took.Round(time.Millisecond))
	if took > bound10s {
		c.t.Errorf("the nodes have found the outage after %v, want 10 s at most", took)
	}
}

// wantSeparate has people live on while both nodes are down: each node delivers to its own
// members, says that others are not reached, and counts that; connections open and close, and
// join.
func (c *crowd) wantSeparate() {
	c.t.Helper()
	for _, p := range []*person{c.ann, c.bob} {
		before := p.stats().Unpublished
		word := c.word()
		p.ask("say room "+word, "down")
		p.await("said " + word)
		if p == c.ann {
			c.deaf.await("said " + word)
		}
		if n := p.stats().Unpublished - before; n != 1 {
			c.t.Errorf("%d sends were counted as not published, want 1", n)
		}
		p.ask("join late", "joined")
	}
	guest := c.a.connect(c.t, "guests", false)
	c.ann.awaitOpen(3)
	word := c.word()
	guest.ask("say room "+word, "down")
	c.ann.await("said " + word)
	c.deaf.await("said " + word)
	guest.client.Close(1000, "")
	c.ann.awaitOpen(2)
}

// wantWhole waits until both nodes are up again: consumers that ask know it, also that they
// may have missed events, and all groups arrive.
func (c *crowd) wantWhole() {
	c.t.Helper()
	for _, p := range []*person{c.ann, c.bob} {
		p.await("layer up")
		p.await("layer gap " + room)
	}
	c.wantTogether(room)
	for _, line := range c.deaf.early {
		if strings.HasPrefix(line, "layer") {
			c.t.Errorf("a consumer that does not ask has been told %q", line)
		}
	}
}

// wantOutage has an outage of a server start and end.
func (c *crowd) wantOutage(s *redistest.Server, start, end fault) {
	c.t.Helper()
	guest := c.a.connect(c.t, "guests", true)
	c.ann.awaitOpen(3)
	since := time.Now()
	if err := start(c.t.Context(), s); err != nil {
		c.t.Fatal(err)
	}
	guest.client.Close(1000, "") // before the outage is found
	c.ann.awaitOpen(2)
	c.wantFound(since)
	c.wantSeparate()
	if err := end(c.t.Context(), s); err != nil {
		c.t.Fatal(err)
	}
	c.wantWhole()
	c.wantTogether("late")
	c.wantNoMore()
}

// wantNoMore checks that nobody has received anything that was not sent to them, or something
// twice.
func (c *crowd) wantNoMore() {
	c.t.Helper()
	c.wantTogether(room) // is the last
	for _, p := range []*person{c.ann, c.bob, c.deaf} {
		for _, line := range p.early {
			if strings.HasPrefix(line, "said") {
				c.t.Errorf("%q was received, and nobody has waited for it", line)
			}
		}
	}
}

// options returns the options of the nodes of a test.
func options(t *testing.T, urls ...string) redis.Options {
	t.Helper()
	return redis.Options{URLs: urls, Prefix: t.Name()}
}

// fault is what happens to a server.
type fault func(ctx context.Context, s *redistest.Server) error

// commands are a fault that commands cause.
func commands(all ...string) fault {
	return func(ctx context.Context, s *redistest.Server) error {
		for _, command := range all {
			if _, err := s.Do(ctx, strings.Fields(command)...); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestOutages has a server fail and come back in several ways.
func TestOutages(t *testing.T) {
	t.Parallel()
	testOutages(t, redis.PubSub)
}

func testOutages(t *testing.T, backend redis.Backend) {
	t.Helper()
	stop := func(_ context.Context, s *redistest.Server) error { s.Stop(); return nil }
	kill := func(_ context.Context, s *redistest.Server) error { s.Kill(); return nil }
	start := func(_ context.Context, s *redistest.Server) error { return s.Start() }
	freeze := func(_ context.Context, s *redistest.Server) error { return s.Freeze() }
	thaw := func(_ context.Context, s *redistest.Server) error { return s.Thaw() }
	master := strings.ReplaceAll(shared.Addr(), ":", " ")
	for _, row := range []struct {
		name       string
		start, end fault
	}{
		{"stopped", stop, start},
		{"killed", kill, start},
		{"frozen", freeze, thaw},
		// The pause ends by itself: Redis does not even execute CLIENT UNPAUSE before.
		{"paused", commands("CLIENT PAUSE 30000 ALL"), commands()},
		// A server that has become a replica answers, and nobody publishes to it any longer.
		{"demoted", commands("REPLICAOF " + master), commands("REPLICAOF NO ONE")},
		// Nobody has told the nodes the new password: none is needed in the end.
		{"locked", commands(append([]string{"CONFIG SET requirepass new"}, cutClients()...)...), openUp},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.name == "paused" {
				testkit.SkipLong(t, "the pause is as long as an outage may stay unknown")
			}
			s := redistest.New(t, redistest.Options{})
			o := options(t, s.URL())
			o.Backend = backend
			c := newCrowd(t, startNode(t, o), startNode(t, o))
			c.wantOutage(s, row.start, row.end)
		})
	}
}

// cutClients are the commands that close all connections to a server, except for the one that
// they come from.
func cutClients() []string {
	return []string{"CLIENT KILL TYPE normal SKIPME yes", "CLIENT KILL TYPE pubsub SKIPME yes"}
}

// openUp removes the password of a server.
func openUp(ctx context.Context, s *redistest.Server) error {
	_, err := s.Do(ctx, "CONFIG", "SET", "requirepass", "")
	return err
}

// TestOutageOfOneServer has one of two servers fail: groups on the other one go on, and only
// members of groups on the one that has failed may have missed events.
func TestOutageOfOneServer(t *testing.T) {
	t.Parallel()
	servers := []*redistest.Server{redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{})}
	o := options(t, servers[0].URL(), servers[1].URL())
	a, b := startNode(t, o), startNode(t, o)
	c := newCrowd(t, a, b)
	failing, other := servers[0], servers[1]
	if strings.HasSuffix(failing.CLI(t, "PUBSUB", "NUMSUB", o.Prefix+"__group__"+room), "\n0") {
		failing, other = other, failing
	}
	// A group that is on the other server.
	elsewhere := ""
	for i := 0; elsewhere == ""; i++ {
		group := "group" + strconv.Itoa(i)
		c.ann.ask("join "+group, "joined")
		if strings.HasSuffix(other.CLI(t, "PUBSUB", "NUMSUB", o.Prefix+"__group__"+group), "\n1") {
			elsewhere = group
		}
	}
	c.bob.ask("join "+elsewhere, "joined")
	c.wantTogether(elsewhere)
	failing.Kill()
	for _, p := range []*person{c.ann, c.bob} {
		p.await("layer down")
		word := c.word()
		p.ask("say "+room+" "+word, "down")
		p.await("said " + word)
	}
	c.wantTogether(elsewhere)
	if err := failing.Start(); err != nil {
		t.Fatal(err)
	}
	c.wantWhole()
	c.wantTogether(elsewhere)
	for _, p := range []*person{c.ann, c.bob} {
		if slices.Contains(p.early, "layer gap "+elsewhere) {
			t.Errorf("the group %s was on a server that has not failed, and has a gap", elsewhere)
		}
	}
}

// TestSubscribesInBatches has a node subscribe to many groups again after a restart.
func TestSubscribesInBatches(t *testing.T) {
	t.Parallel()
	const groups = 2000
	s := redistest.New(t, redistest.Options{})
	o := options(t, s.URL())
	l, d := open(t, o)
	joinMany(t, l, groups)
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	err := s.Wait(t.Context(), "the node has subscribed to all groups", func(do redistest.Do) bool {
		return strings.Count(redistest.Text(do("PUBSUB", "CHANNELS", o.Prefix+"*")), "__group__") == groups
	})
	if err != nil {
		t.Fatal(err)
	}
	stats := s.CLI(t, "INFO", "commandstats")
	if !strings.Contains(stats, "cmdstat_subscribe:calls=4,") {
		t.Errorf("%d groups are not subscribed to by 4 commands: %s", groups, stats)
	}
	if n := d.Stats().Servers[0].Groups; n != groups {
		t.Errorf("the driver has %d groups, want %d", n, groups)
	}
}

// joinMany has a member join many groups.
func joinMany(t *testing.T, l *layers.Layer, groups int) {
	t.Helper()
	m := newMember()
	var joining sync.WaitGroup
	for i := range groups {
		joining.Go(func() {
			if err := l.Join(t.Context(), "group"+strconv.Itoa(i), m); err != nil {
				t.Error(err)
			}
		})
	}
	joining.Wait()
}

// TestWorkersOutliveOutages has a server fail while workers wait for events.
func TestWorkersOutliveOutages(t *testing.T) {
	t.Parallel()
	start := func(_ context.Context, s *redistest.Server) error { return s.Start() }
	for _, row := range []struct {
		name       string
		start, end fault
	}{
		{"killed", func(_ context.Context, s *redistest.Server) error { s.Kill(); return nil }, start},
		{"stopped", func(_ context.Context, s *redistest.Server) error { s.Stop(); return nil }, start},
		{
			"frozen", func(_ context.Context, s *redistest.Server) error { return s.Freeze() },
			func(_ context.Context, s *redistest.Server) error { return s.Thaw() },
		},
		{"cut", commands(cutClients()...), commands()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.New(t, redistest.Options{})
			o := options(t, s.URL())
			n := 20
			c := newTally(2 * n)
			for range 2 {
				runWorker(t, openLayer(t, o), "resize", c.add)
			}
			l, d := open(t, o)
			for i := range n {
				wantSent(t, testkit.Here(), l.Send(t.Context(), "resize", event("resize", fields{"I": i})))
			}
			c.await(t, n)
			if err := row.start(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if row.name != "cut" {
				awaitState(t, d, false)
				if err := l.Send(t.Context(), "resize", event("resize", fields{"I": -1})); !errors.Is(err, layers.ErrDown) {
					t.Errorf("a send during the outage returns %v, want ErrDown", err)
				}
			}
			if err := row.end(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			awaitState(t, d, true)
			for i := range n {
				sendPatiently(t, l, n+i)
			}
			c.wantOnce(t)
		})
	}
}

// awaitState waits until the driver's server is up, or down.
func awaitState(t *testing.T, d *redis.Driver, up bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); (d.Stats().Servers[0].Down == nil) != up; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("the server is still %+v", d.Stats().Servers[0])
		}
	}
}

// sendPatiently sends an event to the workers. Connections that were cut a moment ago may fail
// once more.
func sendPatiently(t *testing.T, l *layers.Layer, i int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		err := l.Send(t.Context(), "resize", event("resize", fields{"I": i}))
		if err == nil {
			return
		}
		if !errors.Is(err, layers.ErrDown) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// TestFaultsAtRandom has many faults follow each other, most of them shorter than it takes to
// find them, while people talk.
func TestFaultsAtRandom(t *testing.T) {
	t.Parallel()
	testFaultsAtRandom(t, redis.PubSub)
}

func testFaultsAtRandom(t *testing.T, backend redis.Backend) {
	t.Helper()
	s := redistest.New(t, redistest.Options{})
	o := options(t, s.URL())
	o.Backend = backend
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	all := []fault{
		func(_ context.Context, s *redistest.Server) error { s.Kill(); return s.Start() },
		func(_ context.Context, s *redistest.Server) error { s.Stop(); return s.Start() },
		func(_ context.Context, s *redistest.Server) error { return errors.Join(s.Freeze(), s.Thaw()) },
		commands(cutClients()[0]), commands(cutClients()[1]), commands(cutClients()...),
		commands("REPLICAOF "+strings.ReplaceAll(shared.Addr(), ":", " "), "REPLICAOF NO ONE"),
		commands("CLIENT PAUSE 50 ALL"), commands("CLIENT PAUSE 50 WRITE"),
	}
	for range testkit.Count(40, 10) {
		if err := all[random.IntN(len(all))](t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*person{c.ann, c.bob} {
			word := c.word()
			p.client.SendText("say " + room + " " + word)
			p.await("said " + word) // to its own node at least
			p.find("an answer", func(line string) bool { return line == "sent" || line == "down" })
		}
	}
	// Both nodes are whole again by themselves.
	for _, from := range []*person{c.ann, c.bob} {
		to := map[*person]*person{c.ann: c.bob, c.bob: c.ann}[from]
		for arrived := false; !arrived; {
			word := c.word()
			from.client.SendText("say " + room + " " + word)
			from.await("said " + word)
			from.find("an answer", func(line string) bool { return line == "sent" || line == "down" })
			arrived = to.has("said " + word)
		}
	}
	c.wantTogether(room)
}

// has reports whether a line has come. It reads what has come until now.
func (p *person) has(want string) bool {
	p.t.Helper()
	p.stats()
	return slices.Contains(p.early, want)
}

// TestOutageAgain has a server fail several times, for less time than it takes to find out.
func TestOutageAgain(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	o := options(t, s.URL())
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	for range testkit.Count(5, 2) {
		s.Kill()
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		c.ann.await("layer down")
		c.bob.await("layer down")
		c.wantWhole()
	}
}

// TestSlowSubscriber has Redis cut the connection of a node that receives more than Redis may
// keep for it: the node's consumers are told that they have missed events.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{Config: []string{"client-output-buffer-limit pubsub 256kb 64kb 1"}})
	o := options(t, s.URL())
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	s.CLI(t, "PUBLISH", o.Prefix+"__group__"+room, strings.Repeat("x", 1<<20))
	for _, p := range []*person{c.ann, c.bob} {
		p.await("layer gap " + room)
	}
	c.wantTogether(room)
}

// TestNodeDies kills the process of a node: others go on, and Redis forgets the node.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	o := options(t, s.URL())
	a, b, dying := startNode(t, o), startNode(t, o), startChild(t, o, here)
	c := newCrowd(t, a, b)
	eve := dying.connect(t, room, false)
	eve.ask("say room "+"first", "sent")
	eve.await("said first")
	c.ann.await("said first")
	c.bob.await("said first")
	s.AwaitSubscribers(t, o.Prefix+"__group__"+room, 3)
	if err := dying.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.deaf.await("said first")
	c.wantTogether(room)
	err := s.Wait(t.Context(), "the node that has died has no subscription", func(do redistest.Do) bool {
		return strings.HasSuffix(redistest.Text(do("PUBSUB", "NUMSUB", o.Prefix+"__group__"+room)), "\n2")
	})
	if err != nil {
		t.Error(err)
	}
	if stats := c.ann.stats(); stats.Downs != 0 || stats.Gaps != 0 || stats.Unpublished != 0 {
		t.Errorf("the end of one node has been an outage for another one: %+v", stats)
	}
}
