package store_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/internal/store"
)

// crowdModel is all who are present, in the order in which they came.
type crowdModel []store.Entry

func (m *crowdModel) has(key string) bool {
	return slices.ContainsFunc(*m, func(p store.Entry) bool { return p.Key == key })
}

func (m *crowdModel) exit(id string) (gone []string) {
	i := slices.IndexFunc(*m, func(p store.Entry) bool { return p.ID == id })
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

func (m *crowdModel) enter(p store.Entry) (changes []string) {
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

func (m *crowdModel) sorted() []store.Entry {
	all := slices.Clone(*m)
	slices.SortStableFunc(all, func(a, b store.Entry) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func named(changes []store.Change) (all []string) {
	for _, c := range changes {
		sign := "+"
		switch {
		case c.Gone:
			sign = "-"
		case c.Other:
			sign = "~"
		}
		all = append(all, sign+c.Key)
	}
	return all
}

func TestCrowdIsWhatItsModelIs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, seed))
		var c store.Crowd
		var m crowdModel
		now := time.Unix(1000, 0)
		for step := range 600 {
			id := fmt.Sprint("id", random.IntN(12))
			var got, want []string
			if random.IntN(3) == 0 {
				got, want = named(c.Exit(id)), m.exit(id)
			} else {
				now = now.Add(time.Duration(random.IntN(2)) * time.Second)
				p := store.Entry{ID: id, Key: fmt.Sprint("key", random.IntN(5)), Since: now, Meta: json.RawMessage(fmt.Sprint(step % 3))}
				got, want = named(c.Enter(p)), m.enter(p)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: told %q, want %q", seed, step, got, want)
			}
			if got, want := c.Present(""), m.sorted(); c.Len() != len(m) || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, step %d: present are\n%v, want\n%v", seed, step, got, want)
			}
		}
	}
}

// TestCrowdTellsWhoWasFirstAndLast: the entries in changes are those that count.
func TestCrowdTellsWhoWasFirstAndLast(t *testing.T) {
	t.Parallel()
	var c store.Crowd
	first := store.Entry{ID: "1", Key: "ann", Meta: json.RawMessage(`1`)}
	second := store.Entry{ID: "2", Key: "ann", Meta: json.RawMessage(`2`)}
	asBob := store.Entry{ID: "2", Key: "bob"}
	got := slices.Concat(c.Enter(first), c.Enter(second), c.Exit("1"), c.Enter(asBob), c.Exit("1"), c.Exit("2"))
	want := []store.Change{{Entry: first}, {Entry: second, Gone: true}, {Entry: asBob}, {Entry: asBob, Gone: true}}
	if !reflect.DeepEqual(got, want) || c.Len() != 0 {
		t.Errorf("told %v, want %v; %d are left", got, want, c.Len())
	}
}

// TestCrowdLingers has the whole life of entries that linger.
func TestCrowdLingers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	in := now.Add
	entry := func(id, key, meta string) store.Entry {
		return store.Entry{ID: id, Key: key, Meta: json.RawMessage(meta), Since: now}
	}
	var c store.Crowd
	for _, row := range []struct {
		at   testkit.Line
		do   func() []store.Change
		want []string
		ids  string // of all that are present
	}{
		{testkit.Here(), func() []store.Change { c.Linger("1", in(1)); return c.Expire("1", in(1)) }, nil, ""},
		{testkit.Here(), func() []store.Change { return c.Enter(entry("1", "ann", "1")) }, []string{"+ann"}, "1"},
		{testkit.Here(), func() []store.Change { return c.Expire("1", in(1)) }, nil, "1"}, // it does not linger
		{testkit.Here(), func() []store.Change { c.Linger("1", in(time.Minute)); return c.Expire("1", in(time.Minute-1)) }, nil, "1"},
		{testkit.Here(), func() []store.Change { return c.Expire("1", in(time.Minute)) }, []string{"-ann"}, ""},
		{testkit.Here(), func() []store.Change {
			c.Enter(entry("1", "ann", "1"))
			c.Linger("1", in(1))
			return c.Enter(entry("2", "ann", "1"))
		}, nil, "2"},
		{testkit.Here(), func() []store.Change { return c.Expire("1", in(1)) }, nil, "2"}, // it has been replaced
		{testkit.Here(), func() []store.Change { c.Linger("2", in(1)); return c.Enter(entry("3", "ann", "2")) }, []string{"~ann"}, "3"},
		{testkit.Here(), func() []store.Change { c.Linger("3", in(1)); return c.Enter(entry("3", "ann", "2")) }, nil, "3"}, // the same comes back
		{testkit.Here(), func() []store.Change { return c.Expire("3", in(1)) }, nil, "3"},
		{testkit.Here(), func() []store.Change { return c.Enter(entry("4", "ann", "4")) }, nil, "34"},
		{testkit.Here(), func() []store.Change { c.Linger("3", in(1)); return c.Enter(entry("4", "ann", "5")) }, []string{"~ann"}, "34"},
		{testkit.Here(), func() []store.Change { return c.Exit("4") }, nil, "3"}, // one that lingers is there
		{testkit.Here(), func() []store.Change { return c.Enter(entry("3", "bob", "3")) }, []string{"-ann", "+bob"}, "3"},
		{testkit.Here(), func() []store.Change { c.Linger("3", in(1)); return c.Enter(entry("5", "cid", "5")) }, []string{"+cid"}, "35"},
		{testkit.Here(), func() []store.Change { return append(c.Exit("3"), c.Exit("5")...) }, []string{"-bob", "-cid"}, ""},
	} {
		got := named(row.do())
		ids := ""
		for _, p := range c.Present("") {
			ids += p.ID
		}
		if !slices.Equal(got, row.want) || ids != row.ids || c.Len() != len(ids) {
			t.Errorf("%s: told %q and present are %q (%d), want %q and %q", row.at, got, ids, c.Len(), row.want, row.ids)
		}
	}
	if c.Keys() != 0 || c.Lingers("1") || c.Has("1") {
		t.Errorf("something is left: %+v", c)
	}
}

func TestCrowdByKey(t *testing.T) {
	t.Parallel()
	var c store.Crowd
	for i, key := range []string{"ann", "bob", "ann"} {
		c.Enter(store.Entry{ID: fmt.Sprint(i), Key: key, Since: time.Unix(int64(9-i), 0)})
	}
	if got := c.Present("ann"); len(got) != 2 || got[0].ID != "2" || got[1].ID != "0" || c.Keys() != 2 || c.Len() != 3 {
		t.Errorf("present as ann: %v; %d keys, %d in all", got, c.Keys(), c.Len())
	}
	if got := c.Present("cid"); len(got) != 0 {
		t.Errorf("present as cid: %v", got)
	}
}

// TestCrowdOfOneKey: the entries of a key are found again whatever has been taken out,
// and one more or less of many is no more work than of few.
func TestCrowdOfOneKey(t *testing.T) { // not parallel: it counts allocations
	const n = 1000
	var c store.Crowd
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
		c.Enter(store.Entry{ID: ids[i], Key: "ann"})
	}
	c.Enter(store.Entry{ID: "other", Key: "bob"})
	if c.Linger("other", time.Time{}) {
		c.Exit("other") // the count of those that linger ends with it
	}
	i := 0
	if allocs := testing.AllocsPerRun(n, func() {
		id := ids[i*7%n]
		i++
		if told := c.Exit(id); told != nil {
			t.Errorf("%v was told of one of many", told)
		}
		c.Enter(store.Entry{ID: id, Key: "ann"})
	}); allocs > 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
	for i, id := range ids {
		if !c.Has(id) || len(c.Present("ann")) != n-i {
			t.Fatalf("after %d of %d have left: %s is present: %t; %d are", i, n, id, c.Has(id), len(c.Present("ann")))
		}
		if told := c.Exit(id); len(told) != 0 != (i == n-1) {
			t.Errorf("told %v after %d of %d have left", told, i+1, n)
		}
	}
	if c.Len() != 0 || c.Keys() != 0 {
		t.Errorf("%d entries of %d keys are left", c.Len(), c.Keys())
	}
}
