package store_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/store"
)

// presenceModel is all who are present, in the order in which they came.
type presenceModel []driver.Presence

func (m *presenceModel) has(key string) bool {
	return slices.ContainsFunc(*m, func(p driver.Presence) bool { return p.Key == key })
}

func (m *presenceModel) exit(id string) (gone []string) {
	i := slices.IndexFunc(*m, func(p driver.Presence) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	key := (*m)[i].Key
	*m = slices.Delete(*m, i, i+1)
	if !m.has(key) {
		return []string{"-" + key}
	}
	return nil
}

func (m *presenceModel) enter(p driver.Presence) (changes []string) {
	for i, old := range *m {
		if old.ID == p.ID && old.Key == p.Key {
			p.Since = old.Since
			(*m)[i] = p
			if string(old.Meta) != string(p.Meta) {
				return []string{"~" + p.Key}
			}
			return nil
		}
	}
	changes = m.exit(p.ID)
	if !m.has(p.Key) {
		changes = append(changes, "+"+p.Key)
	}
	*m = append(*m, p)
	return changes
}

func (m *presenceModel) sorted() []driver.Presence {
	all := slices.Clone(*m)
	slices.SortStableFunc(all, func(a, b driver.Presence) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func has(c *store.Presences[string], id string) bool {
	_, has := c.Owner(id)
	return has
}

func named(changes []store.Change) (all []string) {
	for _, c := range changes {
		sign := map[string]string{driver.Entered.Name: "+", driver.Changed.Name: "~", driver.Exited.Name: "-"}[c.Type.Name]
		all = append(all, sign+c.Presence.Key)
	}
	return all
}

func TestPresencesIsWhatItsModelIs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, seed))
		var c store.Presences[string]
		var m presenceModel
		now := time.Unix(1000, 0)
		for step := range 600 {
			id := fmt.Sprint("id", random.IntN(12))
			var got, want []string
			if random.IntN(3) == 0 {
				got, want = named(c.Exit(id, "me")), m.exit(id)
			} else {
				now = now.Add(time.Duration(random.IntN(2)) * time.Second)
				p := driver.Presence{ID: id, Key: fmt.Sprint("key", random.IntN(5)), Since: now, Meta: json.RawMessage(fmt.Sprint(step % 3))}
				got, want = named(c.Enter(p, "me")), m.enter(p)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: told %q, want %q", seed, step, got, want)
			}
			if got, want := c.Present(""), m.sorted(); c.Count().Presences != len(m) || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, step %d: present are\n%v, want\n%v", seed, step, got, want)
			}
		}
	}
}

// TestPresencesTellsWhoWasFirstAndLast: the entries in changes are those that count.
func TestPresencesTellsWhoWasFirstAndLast(t *testing.T) {
	t.Parallel()
	var c store.Presences[string]
	first := driver.Presence{ID: "1", Key: "ann", Meta: json.RawMessage(`1`)}
	second := driver.Presence{ID: "2", Key: "ann", Meta: json.RawMessage(`2`)}
	asBob := driver.Presence{ID: "2", Key: "bob"}
	got := slices.Concat(c.Enter(first, "me"), c.Enter(second, "me"), c.Exit("1", "me"), c.Enter(asBob, "me"), c.Exit("1", "me"), c.Exit("2", "me"))
	want := []store.Change{{driver.Entered, first}, {driver.Exited, second}, {driver.Entered, asBob}, {driver.Exited, asBob}}
	if !reflect.DeepEqual(got, want) || c.Count().Presences != 0 {
		t.Errorf("told %v, want %v; %d are left", got, want, c.Count().Presences)
	}
}

// TestPresencesLingers has the whole life of entries that linger.
func TestPresencesLingers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	in := now.Add
	entry := func(id, key, meta string) driver.Presence {
		return driver.Presence{ID: id, Key: key, Meta: json.RawMessage(meta), Since: now}
	}
	var c store.Presences[string]
	for _, row := range []struct {
		at   testkit.Line
		do   func() []store.Change
		want []string
		ids  string // of all that are present
	}{
		{testkit.Here(), func() []store.Change { c.Linger("1", "me", in(1)); return c.Expire("1", in(1)) }, nil, ""},
		{testkit.Here(), func() []store.Change { return c.Enter(entry("1", "ann", "1"), "me") }, []string{"+ann"}, "1"},
		{testkit.Here(), func() []store.Change { return c.Expire("1", in(1)) }, nil, "1"}, // it does not linger
		{testkit.Here(), func() []store.Change { c.Linger("1", "me", in(time.Minute)); return c.Expire("1", in(time.Minute-1)) }, nil, "1"},
		{testkit.Here(), func() []store.Change { return c.Expire("1", in(time.Minute)) }, []string{"-ann"}, ""},
		{testkit.Here(), func() []store.Change {
			c.Enter(entry("1", "ann", "1"), "me")
			c.Linger("1", "me", in(1))
			return c.Enter(entry("2", "ann", "1"), "me")
		}, nil, "2"},
		{testkit.Here(), func() []store.Change { return c.Expire("1", in(1)) }, nil, "2"}, // it has been replaced
		{testkit.Here(), func() []store.Change { c.Linger("2", "me", in(1)); return c.Enter(entry("3", "ann", "2"), "me") }, []string{"~ann"}, "3"},
		{testkit.Here(), func() []store.Change { c.Linger("3", "me", in(1)); return c.Enter(entry("3", "ann", "2"), "me") }, nil, "3"}, // the same comes back
		{testkit.Here(), func() []store.Change { return c.Expire("3", in(1)) }, nil, "3"},
		{testkit.Here(), func() []store.Change { return c.Enter(entry("4", "ann", "4"), "me") }, nil, "34"},
		{testkit.Here(), func() []store.Change { c.Linger("3", "me", in(1)); return c.Enter(entry("4", "ann", "5"), "me") }, []string{"~ann"}, "34"},
		{testkit.Here(), func() []store.Change { return c.Exit("4", "me") }, nil, "3"}, // one that lingers is there
		{testkit.Here(), func() []store.Change { return c.Enter(entry("3", "bob", "3"), "me") }, []string{"-ann", "+bob"}, "3"},
		{testkit.Here(), func() []store.Change { c.Linger("3", "me", in(1)); return c.Enter(entry("5", "cid", "5"), "me") }, []string{"+cid"}, "35"},
		{testkit.Here(), func() []store.Change { return append(c.Exit("3", "me"), c.Exit("5", "me")...) }, []string{"-bob", "-cid"}, ""},
	} {
		got := named(row.do())
		ids := ""
		for _, p := range c.Present("") {
			ids += p.ID
		}
		if !slices.Equal(got, row.want) || ids != row.ids || c.Count().Presences != len(ids) {
			t.Errorf("%s: told %q and present are %q (%d), want %q and %q", row.at, got, ids, c.Count().Presences, row.want, row.ids)
		}
	}
	if c.Count().Keys != 0 || c.Lingers("1") || has(&c, "1") {
		t.Errorf("something is left: %+v", c)
	}
}

func TestPresencesByKey(t *testing.T) {
	t.Parallel()
	var c store.Presences[string]
	for i, key := range []string{"ann", "bob", "ann"} {
		c.Enter(driver.Presence{ID: fmt.Sprint(i), Key: key, Since: time.Unix(int64(9-i), 0)}, "me")
	}
	if got := c.Present("ann"); len(got) != 2 || got[0].ID != "2" || got[1].ID != "0" || c.Count().Keys != 2 || c.Count().Presences != 3 {
		t.Errorf("present as ann: %v; %d keys, %d in all", got, c.Count().Keys, c.Count().Presences)
	}
	if got := c.Present("cid"); len(got) != 0 {
		t.Errorf("present as cid: %v", got)
	}
}

// TestPresencesOfOneKey: the entries of a key are found again whatever has been taken out,
// and one more or less of many is no more work than of few.
func TestPresencesOfOneKey(t *testing.T) { // not parallel: it counts allocations
	const n = 1000
	var c store.Presences[string]
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
		c.Enter(driver.Presence{ID: ids[i], Key: "ann"}, "me")
	}
	c.Enter(driver.Presence{ID: "other", Key: "bob"}, "me")
	if c.Linger("other", "me", time.Time{}) {
		c.Exit("other", "me") // the count of those that linger ends with it
	}
	i := 0
	if allocs := testing.AllocsPerRun(n, func() {
		id := ids[i*7%n]
		i++
		if told := c.Exit(id, "me"); told != nil {
			t.Errorf("%v was told of one of many", told)
		}
		c.Enter(driver.Presence{ID: id, Key: "ann"}, "me")
	}); allocs > 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
	for i, id := range ids {
		if !has(&c, id) || len(c.Present("ann")) != n-i {
			t.Fatalf("after %d of %d have left: %s is present: %t; %d are", i, n, id, has(&c, id), len(c.Present("ann")))
		}
		if told := c.Exit(id, "me"); len(told) != 0 != (i == n-1) {
			t.Errorf("told %v after %d of %d have left", told, i+1, n)
		}
	}
	if c.Count().Presences != 0 || c.Count().Keys != 0 {
		t.Errorf("%d entries of %d keys are left", c.Count().Presences, c.Count().Keys)
	}
}

// TestPresencesBelongToTheOwnerThatEnteredLast: other owners cannot have them exit.
func TestPresencesBelongToTheOwnerThatEnteredLast(t *testing.T) {
	t.Parallel()
	var c store.Presences[string]
	now := time.Unix(1000, 0)
	for _, row := range []struct {
		at    testkit.Line
		do    func() []store.Change
		want  []string
		a, b  string // the IDs that belong to owners a and b
		owner string // of ID 1
	}{
		{testkit.Here(), func() []store.Change { return c.Enter(driver.Presence{ID: "1", Key: "ann"}, "a") }, []string{"+ann"}, "1", "", "a"},
		{testkit.Here(), func() []store.Change { return c.Exit("1", "b") }, nil, "1", "", "a"},
		{testkit.Here(), func() []store.Change { return c.Enter(driver.Presence{ID: "1", Key: "ann"}, "b") }, nil, "", "1", "b"},
		{testkit.Here(), func() []store.Change { return c.Exit("1", "a") }, nil, "", "1", "b"},
		{testkit.Here(), func() []store.Change { c.Linger("1", "a", now); return c.Expire("1", now) }, nil, "", "1", "b"},
		{testkit.Here(), func() []store.Change { return c.Enter(driver.Presence{ID: "2", Key: "bob"}, "a") }, []string{"+bob"}, "2", "1", "b"},
		{testkit.Here(), func() []store.Change { return c.Enter(driver.Presence{ID: "3", Key: "ann"}, "a") }, nil, "23", "1", "b"},
		{testkit.Here(), func() []store.Change { return c.ExitAll("a") }, []string{"-bob"}, "", "1", "b"},
		{testkit.Here(), func() []store.Change { return c.ExitAll("a") }, nil, "", "1", "b"},
		{testkit.Here(), func() []store.Change { return c.ExitAll("b") }, []string{"-ann"}, "", "", ""},
	} {
		got := named(row.do())
		owner, _ := c.Owner("1")
		a, b := strings.Join(c.OwnedBy("a"), ""), strings.Join(c.OwnedBy("b"), "")
		if !slices.Equal(got, row.want) || a != row.a || b != row.b || owner != row.owner {
			t.Errorf("%s: %q; a has %q, b has %q, and 1 is of %q; want %q, %q, %q, %q", row.at, got, a, b, owner, row.want, row.a, row.b, row.owner)
		}
		owners := c.Owners()
		if slices.Contains(owners, "a") != (row.a != "") || slices.Contains(owners, "b") != (row.b != "") {
			t.Errorf("%s: the owners are %q", row.at, owners)
		}
	}
}
