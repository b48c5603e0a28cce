package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// visit is an event about a presence: "+ann" if she has entered, "~ann" if she has changed, and
// "-ann" if she has exited.
func visit(t *testing.T, e *protocol.Event) string {
	t.Helper()
	sign, ok := map[string]string{layers.Entered.Name: "+", layers.Changed.Name: "~", layers.Exited.Name: "-"}[e.Type()]
	if !ok {
		return e.Type()
	}
	v, err := layers.Entered.Payload(e) // all have the same
	if err != nil || v.Group != "room" {
		t.Errorf("group %q: %v", v.Group, err)
	}
	return sign + v.Presence.Key
}

// wantVisits wants these next. It skips what tells of the connection.
func (m watcher) wantVisits(t *testing.T, at testkit.Line, want ...string) {
	t.Helper()
	for _, w := range want {
		got := visit(t, m.next(t))
		for strings.HasPrefix(got, "layer.") {
			got = visit(t, m.next(t))
		}
		if got != w {
			t.Errorf("%s: got %q, want %q of %q", at, got, w, want)
		}
	}
}

func enter(t *testing.T, l *layers.Layer, id, key string) {
	t.Helper()
	if err := l.Enter(t.Context(), "room", layers.Presence{ID: id, Key: key}); err != nil {
		t.Fatal(err)
	}
}

func exit(t *testing.T, l *layers.Layer, id string) {
	t.Helper()
	if err := l.Exit(t.Context(), "room", id); err != nil {
		t.Fatal(err)
	}
}

// present returns who is in "room", as "1=ann 2=bob". It checks the count too.
func present(t *testing.T, l *layers.Layer) string {
	t.Helper()
	all, err := l.Present(t.Context(), "room")
	if err != nil {
		return err.Error()
	}
	var ids []string
	for _, p := range all {
		ids = append(ids, p.ID+"="+p.Key)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// awaitPresent waits until exactly these are present.
func awaitPresent(t *testing.T, at testkit.Line, l *layers.Layer, want string) {
	t.Helper()
	over := time.Now().Add(30 * time.Second)
	for present(t, l) != want {
		if time.Now().After(over) {
			t.Fatalf("%s: present are %q, want %q", at, present(t, l), want)
		}
		pause(nil, 10*time.Millisecond)
	}
	n, err := l.CountPresent(t.Context(), "room")
	if err != nil || n.Presences != len(strings.Fields(want)) {
		t.Errorf("%s: counted %+v (%v), want those of %q", at, n, err, want)
	}
}

// wantNothingLeft wants Redis to have no keys about presence.
func wantNothingLeft(t *testing.T, s *redistest.Server) {
	t.Helper()
	if err := s.Wait(t.Context(), "nothing is left", func(do redistest.Do) bool { return redistest.Text(do("KEYS", "*")) == "" }); err != nil {
		t.Error(err)
	}
}

func quick(s *redistest.Server) redis.Options {
	return redis.Options{URLs: []string{s.URL()}, PresenceLease: time.Second}
}

// TestPresenceFormats enters in all formats.
func TestPresenceFormats(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for _, row := range formats(s) {
		o := row.options
		here, _ := open(t, o)
		there, _ := open(t, o)
		m := watch(t, there)
		want := layers.Presence{
			ID: "a\n\x01", Key: "ann\n3\nµ\x01", Meta: json.RawMessage(`{"color":"red"}`),
			Since: time.Date(2020, 1, 2, 3, 4, 5, 678901234, time.UTC),
		}
		if err := here.Enter(t.Context(), "room", want); err != nil {
			t.Fatal(err)
		}
		m.wantVisits(t, row.at, "+"+want.Key)
		for _, key := range []string{"", want.Key} {
			all, err := there.Present(t.Context(), "room")
			if key != "" {
				all, err = there.PresentKey(t.Context(), "room", key)
			}
			if err != nil || len(all) != 1 || fmt.Sprintf("%q", all[0]) != fmt.Sprintf("%q", want) {
				t.Errorf("%s: present are %q (%v), want %q", row.at, all, err, want)
			}
		}
		if len(o.EncryptionKeys) > 0 && strings.Contains(s.CLI(t, "HVALS", o.Prefix+":wye:{room}:present"), "red") {
			t.Errorf("%s: the metadata are not encrypted", row.at)
		}
		exit(t, here, want.ID)
		m.wantVisits(t, row.at, "-"+want.Key)
	}
}

// TestPresenceOfALeaseThatEnds has a lease end although its node is alive: the node enters all
// again, whether or not another node has removed it, and Redis forgets the old lease.
func TestPresenceOfALeaseThatEnds(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	here, _ := open(t, quick(s))
	m := watch(t, here)
	enter(t, here, "1", "ann")
	enter(t, here, "2", "bob")
	m.wantVisits(t, testkit.Here(), "+ann", "+bob")
	lease := s.CLI(t, "ZRANGE", "asgi:wye:leases", "0", "-1")
	s.CLI(t, "ZADD", "asgi:wye:leases", "0", lease)
	err := s.Wait(t.Context(), "there is another lease", func(do redistest.Do) bool {
		return redistest.Text(do("ZRANGE", "asgi:wye:leases", "0", "-1")) != lease && redistest.Text(do("EXISTS", "asgi:wye:owned:"+lease)) == "0"
	})
	if err != nil {
		t.Error(err)
	}
	awaitPresent(t, testkit.Here(), here, "1=ann 2=bob")
	// Another node removes what belongs to the lease.
	lease = s.CLI(t, "ZRANGE", "asgi:wye:leases", "0", "-1")
	s.CLI(t, "EVAL", redis.ReapText, "2", "asgi:wye:leases", "asgi:wye:owned:"+lease, "asgi", "asgi__group__", lease, "100", "force")
	awaitPresent(t, testkit.Here(), here, "1=ann 2=bob")
	seen := []string{visit(t, m.next(t)), visit(t, m.next(t)), visit(t, m.next(t)), visit(t, m.next(t))}
	slices.Sort(seen)
	if want := []string{"+ann", "+bob", "-ann", "-bob"}; !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q: nothing when nothing has changed", seen, want)
	}
	exit(t, here, "1")
	exit(t, here, "2")
	m.wantVisits(t, testkit.Here(), "-ann", "-bob")
}

// TestPresenceLeavesNothing: when all have exited and the nodes have been closed, Redis has no
// keys.
//
//nolint:tparallel // Redis is looked at when the subtest has ended
func TestPresenceLeavesNothing(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	t.Run("nodes", func(t *testing.T) {
		here, _ := open(t, quick(s))
		there, _ := open(t, quick(s))
		m := watch(t, here)
		for i := range 300 {
			enter(t, there, fmt.Sprint(i), fmt.Sprint("key", i%100))
		}
		enter(t, here, "1000", "key1")
		if err := there.ExitAfter(t.Context(), "room", "0", time.Hour); err != nil {
			t.Error(err)
		}
		if n, err := here.CountPresent(t.Context(), "room"); err != nil || n.Keys != 100 || n.Presences != 301 {
			t.Errorf("counted %+v (%v), want 100 keys of 301", n, err)
		}
		if err := there.Close(t.Context()); err != nil {
			t.Error(err)
		}
		awaitPresent(t, testkit.Here(), here, "1000=key1")
		for range 199 {
			visit(t, m.next(t))
		}
	})
	wantNothingLeft(t, s)
}

// TestPresenceSettles: calls that fail because Redis does not answer are made good.
func TestPresenceSettles(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	here, _ := open(t, quick(s))
	there, _ := open(t, quick(s))
	enter(t, here, "1", "ann")
	enter(t, here, "2", "bob")
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := here.Exit(ctx, "room", "1"); err == nil {
		t.Error("Redis has answered although it is frozen")
	}
	if err := here.Enter(ctx, "room", layers.Presence{ID: "3", Key: "cid"}); err == nil {
		t.Error("Redis has answered although it is frozen")
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	awaitPresent(t, testkit.Here(), there, "2=bob")
	s.Stop()
	if err := here.Exit(t.Context(), "room", "2"); !errors.Is(err, layers.ErrDown) {
		t.Errorf("the error is %v, want ErrDown", err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	awaitPresent(t, testkit.Here(), there, "")
}

// TestPresenceTakenByAnotherNode: a presence belongs to the node that has entered its ID last,
// also when the other one enters all again.
func TestPresenceTakenByAnotherNode(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	here, _ := open(t, quick(s))
	there, _ := open(t, quick(s))
	m := watch(t, here)
	enter(t, here, "1", "ann")
	enter(t, there, "1", "bob")
	m.wantVisits(t, testkit.Here(), "+ann", "-ann", "+bob")
	s.CLI(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	s.CLI(t, "CLIENT", "KILL", "TYPE", "pubsub")
	for e := m.next(t); e.Type() != layers.Gap.Name; e = m.next(t) {
		continue
	}
	awaitPresent(t, testkit.Here(), here, "1=bob")
	exit(t, here, "1")
	awaitPresent(t, testkit.Here(), here, "1=bob")
	exit(t, there, "1")
	m.wantVisits(t, testkit.Here(), "-bob")
}

// TestPresenceAfterAFailover has a lease that Redis still has, and presences that it has lost, as
// a replica may that becomes the master.
func TestPresenceAfterAFailover(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, _ := open(t, quick(s))
	enter(t, l, "1", "ann")
	s.CLI(t, "DEL", "asgi:wye:{room}:present", "asgi:wye:{room}:keys")
	s.CLI(t, "CLIENT", "KILL", "TYPE", "pubsub")
	awaitPresent(t, testkit.Here(), l, "1=ann")
}

// TestPresenceIsEvicted has Redis lose one of the keys of a group.
func TestPresenceIsEvicted(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for _, key := range []string{"present", "keys"} {
		l, d := open(t, quick(s))
		enter(t, l, "1", "ann")
		enter(t, l, "2", "bob")
		s.CLI(t, "DEL", "asgi:wye:{room}:"+key)
		d.EnterAllAgain(t)
		awaitPresent(t, testkit.Here(), l, "1=ann 2=bob")
		exit(t, l, "1")
		exit(t, l, "2")
		wantNothing := s.CLI(t, "KEYS", "*{room}*")
		if wantNothing != "" {
			t.Errorf("left are %q", wantNothing)
		}
	}
}

// TestPresenceLeaseOption has leases that are too short.
func TestPresenceLeaseOption(t *testing.T) {
	t.Parallel()
	for _, lease := range []time.Duration{-1, time.Millisecond} {
		_, err := layers.Open(t.Context(), redis.New(redis.Options{PresenceLease: lease}))
		if err == nil || !strings.Contains(err.Error(), "Options.PresenceLease is") {
			t.Errorf("%v: the error is %v", lease, err)
		}
	}
}

// TestPermissionsOfHistoryAndPresence: the rules that an error names permit all that is needed.
func TestPermissionsOfHistoryAndPresence(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{ACL: []string{"wye on >secret ~* &* +@all"}})
	o := quick(s)
	o.URLs = []string{s.URLOf("wye", "secret")}
	l, d := open(t, o)
	s.CLI(t, append([]string{"ACL", "SETUSER", "wye", "reset", "on", ">secret"}, strings.Fields(d.ACL())...)...)
	m := watch(t, l)
	for _, first := range []string{"1", "2"} {
		record(t, l, "room", "a", layers.Retention{MaxAge: time.Millisecond})
		if e := m.next(t); e.Type() != said.Name {
			t.Errorf("got %q", e.Type())
		}
		enter(t, l, first, "ann")
		if err := l.ExitAfter(t.Context(), "room", first, time.Millisecond); err != nil {
			t.Error(err)
		}
		m.wantVisits(t, testkit.Here(), "+ann", "-ann")
		awaitPresent(t, testkit.Here(), l, "")
		wantHistory(t, testkit.Here(), l, protocol.Position{}, false)
	}
	enter(t, l, "3", "bob")
	if all, err := l.PresentKey(t.Context(), "room", "bob"); err != nil || len(all) != 1 {
		t.Errorf("present are %v (%v)", all, err)
	}
	m.wantVisits(t, testkit.Here(), "+bob")
}

// TestPresenceTellsWhatHasChanged: members of a node that has been asked who is present are told
// what has changed while Redis was down, although it has lost all, and nothing else.
func TestPresenceTellsWhatHasChanged(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	here, _ := open(t, quick(s))
	there, _ := open(t, quick(s))
	dead := redis.New(quick(s))
	third, err := layers.Open(t.Context(), dead)
	if err != nil {
		t.Fatal(err)
	}
	m := watch(t, here)
	enter(t, there, "1", "ann")
	enter(t, there, "2", "bob")
	enter(t, third, "3", "cid")
	m.wantVisits(t, testkit.Here(), "+ann", "+bob", "+cid")
	awaitPresent(t, testkit.Here(), here, "1=ann 2=bob 3=cid")
	enter(t, here, "4", "dan")
	enter(t, here, "5", "eve")
	m.wantVisits(t, testkit.Here(), "+dan", "+eve")
	s.Stop()
	if err := there.Exit(t.Context(), "room", "1"); !errors.Is(err, layers.ErrDown) {
		t.Errorf("the error is %v, want ErrDown", err)
	}
	dead.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	m.wantVisits(t, testkit.Here(), "-ann", "-cid")
	awaitPresent(t, testkit.Here(), here, "2=bob 4=dan 5=eve")
	exit(t, here, "4")
	exit(t, there, "2")
	enter(t, there, "6", "fay")
	m.wantVisits(t, testkit.Here(), "-dan", "-bob", "+fay")
}
