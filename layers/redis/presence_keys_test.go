package redis_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// presentKey returns the IDs of a key in "room".
func presentKey(t *testing.T, l *layers.Layer, key string) string {
	t.Helper()
	all, err := l.PresentKey(t.Context(), "room", key)
	if err != nil {
		return err.Error()
	}
	var ids []string
	for _, p := range all {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return fmt.Sprint(ids)
}

// wantKept wants the keys of "room" to be kept for about an hour, and no others to be there.
func wantKept(t *testing.T, at testkit.Line, s *redistest.Server, prefix string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if ttl, err := strconv.Atoi(s.CLI(t, "PTTL", prefix+":wye:{room}:"+key)); err != nil || time.Duration(ttl)*time.Millisecond < time.Hour/2 {
			t.Errorf("%s: %s is kept for %d ms (%v)", at, key, ttl, err)
		}
	}
	if n := len(strings.Fields(s.CLI(t, "KEYS", prefix+":wye:{room}:*"))); n != len(keys) {
		t.Errorf("%s: there are %d keys, want %q", at, n, keys)
	}
}

// TestPresenceOfOneKey has presences of one key come and go on two nodes, with metadata and without
// time, in all formats: each change of the key is told once, and nothing is left.
func TestPresenceOfOneKey(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for _, row := range formats(s) {
		here, _ := open(t, row.options)
		there, _ := open(t, row.options)
		m := watch(t, here)
		want := func(at testkit.Line, ids string, keys, presences int, visits ...string) {
			t.Helper()
			m.wantVisits(t, at, visits...)
			if got := presentKey(t, there, "ann"); got != ids {
				t.Errorf("%s, %s: present are %s, want %s", row.at, at, got, ids)
			}
			if n, err := here.CountPresent(t.Context(), "room"); err != nil || n.Keys != keys || n.Presences != presences {
				t.Errorf("%s, %s: counted %+v (%v)", row.at, at, n, err)
			}
		}
		enterAs := func(l *layers.Layer, id, meta string) {
			t.Helper()
			if err := l.Enter(t.Context(), "room", layers.Presence{ID: id, Key: "ann", Meta: json.RawMessage(meta)}); err != nil {
				t.Fatal(err)
			}
		}
		enterAs(here, "1", "1")
		want(testkit.Here(), "[1]", 1, 1, "+ann")
		enterAs(there, "2", "2")
		enter(t, there, "3", "bob")
		want(testkit.Here(), "[1 2]", 2, 3, "+bob")
		enterAs(here, "1", "3")
		exit(t, here, "1")
		want(testkit.Here(), "[2]", 2, 2, "~ann")
		enterAs(here, "1", "4")
		enterAs(here, "4", "4")
		if err := there.ExitAfter(t.Context(), "room", "2", time.Hour); err != nil {
			t.Fatal(err)
		}
		want(testkit.Here(), "[1 2 4]", 2, 4)
		wantKept(t, row.at, s, row.options.Prefix, "present", "keys", "several", "lingering")
		enterAs(here, "5", "5") // in place of 2
		want(testkit.Here(), "[1 4 5]", 2, 4, "~ann")
		for _, id := range []string{"4", "1"} {
			if err := here.ExitAfter(t.Context(), "room", id, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		exit(t, there, "3")
		exit(t, here, "5")
		want(testkit.Here(), "[1 4]", 1, 2, "-bob")
		enterAs(there, "6", "4") // in place of both
		want(testkit.Here(), "[6]", 1, 1)
		wantKept(t, row.at, s, row.options.Prefix, "present", "keys")
		enter(t, there, "6", "cid")
		want(testkit.Here(), "[]", 1, 1, "-ann", "+cid")
		exit(t, there, "6")
		want(testkit.Here(), "[]", 0, 0, "-cid")
		if left := s.CLI(t, "KEYS", row.options.Prefix+"*{room}*"); left != "" {
			t.Errorf("%s: left are %q", row.at, left)
		}
	}
}

// TestPresenceOfOneKeyIsEvicted has Redis lose any of the keys of a group whose presences have one
// key. A node that enters all again, and another presence that enters, make it good.
func TestPresenceOfOneKeyIsEvicted(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for _, key := range []string{"present", "keys", "several"} {
		for _, another := range []bool{false, true} {
			l, d := open(t, quick(s))
			enter(t, l, "1", "ann")
			enter(t, l, "2", "ann")
			enter(t, l, "3", "bob")
			if got := s.CLI(t, "DEL", "asgi:wye:{room}:"+key); got != "1" {
				t.Errorf("%s: %s were removed", key, got)
			}
			want, ids := "1=ann 2=ann 3=bob", "[1 2]"
			if another {
				enter(t, l, "4", "ann")
				want, ids = "1=ann 2=ann 3=bob 4=ann", "[1 2 4]"
			}
			d.EnterAllAgain(t)
			d.EnterAllAgain(t) // what has been entered before the loss was noticed
			awaitPresent(t, testkit.Here(), l, want)
			if got := presentKey(t, l, "ann"); got != ids {
				t.Errorf("%s: present are %s", key, got)
			}
			if n, err := l.CountPresent(t.Context(), "room"); err != nil || n.Keys != 2 {
				t.Errorf("%s: counted %+v (%v)", key, n, err)
			}
			for _, id := range []string{"1", "2", "3", "4"} {
				exit(t, l, id)
			}
			if left := s.CLI(t, "KEYS", "*{room}*"); left != "" {
				t.Errorf("%s: left are %q", key, left)
			}
		}
	}
}

// TestPresenceOrder has presences that are as old as others, older than 1970, or of the far future,
// and what is no record.
func TestPresenceOrder(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, d := open(t, redis.Options{URLs: []string{s.URL()}})
	since := []int{1, 1000, 1969, 1970, 2000, 2026, 2026, 2026, 2200, 2600, 9999}
	for i := range since {
		at := (i*7 + 3) % len(since)
		p := layers.Presence{ID: fmt.Sprintf("%02d", at), Key: "ann", Since: time.Date(since[at], 5, 1, 0, 0, 0, 1, time.UTC)}
		if err := l.Enter(t.Context(), "room", p); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"x", "y"} {
		s.CLI(t, "HSET", "asgi:wye:{room}:present", id, "this is no record, however long it is, and has no key")
	}
	all, err := l.Present(t.Context(), "room")
	if err != nil || len(all) != len(since) || d.Stats().Malformed != 2 {
		t.Fatalf("present are %v (%v), %d could not be decoded", all, err, d.Stats().Malformed)
	}
	for i, p := range all {
		if p.ID != fmt.Sprintf("%02d", i) || p.Since.Year() != since[i] {
			t.Errorf("at %d there is %v", i, p)
		}
	}
}
