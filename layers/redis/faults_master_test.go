package redis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// TestPasswordRotated changes the password of a server: nodes that ask for the password
// before they connect know the new one.
func TestPasswordRotated(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{Password: "old"})
	passwords := make(chan string, 1)
	passwords <- "old"
	o := options(t, "redis://"+s.Addr())
	o.Credentials = func(context.Context) (user, password string, err error) {
		password = <-passwords
		passwords <- password
		return "", password, nil
	}
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	s.CLI(t, "CONFIG", "SET", "requirepass", "new")
	<-passwords
	passwords <- "new"
	c.wantTogether(room) // connections stay
	for _, command := range cutClients() {
		s.CLI(t, strings.Fields(command)...)
	}
	c.wantWhole()
}

// TestOutOfMemory fills a server: groups go on, as they need no memory, and named channels
// say what is wrong.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	o := options(t, s.URL())
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	l := openLayer(t, o)
	wantSent(t, testkit.Here(), l.Send(t.Context(), "named", event("x", fields{"i": 1})))
	s.CLI(t, "CONFIG", "SET", "maxmemory", "1")
	c.wantTogether(room)
	c.ann.ask("join late", "joined")
	c.bob.ask("join late", "joined")
	c.wantTogether("late")
	before := l.Stats().Unpublished
	err := l.Send(t.Context(), "named", event("x", fields{"i": 2}))
	if err == nil || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("a send to a named channel of a full server returns %v", err)
	}
	if n := l.Stats().Unpublished - before; n != 1 {
		t.Errorf("%d sends were counted as not published, want 1", n)
	}
	wantPulls(t, testkit.Here(), l, "named", describe(event("x", fields{"i": 1})))
	s.CLI(t, "CONFIG", "SET", "maxmemory", "0")
	wantSent(t, testkit.Here(), l.Send(t.Context(), "named", event("x", fields{"i": 3})))
	wantPulls(t, testkit.Here(), l, "named", describe(event("x", fields{"i": 3})))
}

// sentinelURL is the URL of a master that Sentinels name.
func sentinelURL(st *redistest.Sentinel) string {
	return "redis+sentinel://" + strings.Join(st.Addrs(), ",") + "/" + st.Name
}

// TestFailover replaces a master by a replica, in several ways.
func TestFailover(t *testing.T) {
	t.Parallel()
	testkit.SkipLong(t, "Sentinels take seconds to know each other and to agree")
	st := redistest.NewSentinel(t, redistest.SentinelOptions{})
	o := options(t, sentinelURL(st))
	c := newCrowd(t, startNode(t, o), startNode(t, o))
	old := st.Servers[0]
	replaced := func() {
		t.Helper()
		var err error
		if old, err = st.NewMaster(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		c.ann.await("layer down")
		c.bob.await("layer down")
		c.wantWhole()
	}

	// The master works, and becomes a replica, which still answers.
	if _, err := st.Failover(t.Context()); err != nil {
		t.Fatal(err)
	}
	replaced()

	// The master is silent, and believes that it is one when it speaks again.
	frozen := old
	if err := frozen.Freeze(); err != nil {
		t.Fatal(err)
	}
	replaced()
	if err := frozen.Thaw(); err != nil {
		t.Fatal(err)
	}
	c.wantTogether(room)

	// The master is gone.
	old.Kill()
	replaced()
}
