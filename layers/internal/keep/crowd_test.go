package keep_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wye-go/wye/layers/internal/keep"
)

// crowdModel is all who are present, in the order in which they came.
type crowdModel []keep.Entry

func (m *crowdModel) has(key string) bool {
	return slices.ContainsFunc(*m, func(p keep.Entry) bool { return p.Key == key })
}

func (m *crowdModel) exit(id string) (gone []string) {
	i := slices.IndexFunc(*m, func(p keep.Entry) bool { return p.ID == id })
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

func (m *crowdModel) enter(p keep.Entry) (changes []string) {
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

func (m *crowdModel) sorted() []keep.Entry {
	all := slices.Clone(*m)
	slices.SortStableFunc(all, func(a, b keep.Entry) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func named(changes []keep.Change) (all []string) {
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
		var c keep.Crowd
		var m crowdModel
		now := time.Unix(1000, 0)
		for step := range 600 {
			id := fmt.Sprint("id", random.IntN(12))
			var got, want []string
			if random.IntN(3) == 0 {
				got, want = named(c.Exit(id)), m.exit(id)
			} else {
				now = now.Add(time.Duration(random.IntN(2)) * time.Second)
				p := keep.Entry{ID: id, Key: fmt.Sprint("key", random.IntN(5)), Since: now, Meta: json.RawMessage(fmt.Sprint(step % 3))}
				got, want = named(c.Enter(p)), m.enter(p)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: told %q, want %q", seed, step, got, want)
			}
			if got, want := c.Present(), m.sorted(); c.Len() != len(m) || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, step %d: present are\n%v, want\n%v", seed, step, got, want)
			}
		}
	}
}

// TestCrowdTellsWhoWasFirstAndLast: the entries in changes are those that count.
func TestCrowdTellsWhoWasFirstAndLast(t *testing.T) {
	t.Parallel()
	var c keep.Crowd
	first := keep.Entry{ID: "1", Key: "ann", Meta: json.RawMessage(`1`)}
	second := keep.Entry{ID: "2", Key: "ann", Meta: json.RawMessage(`2`)}
	asBob := keep.Entry{ID: "2", Key: "bob"}
	got := slices.Concat(c.Enter(first), c.Enter(second), c.Exit("1"), c.Enter(asBob), c.Exit("1"), c.Exit("2"))
	want := []keep.Change{{Entry: first}, {Entry: second, Gone: true}, {Entry: asBob}, {Entry: asBob, Gone: true}}
	if !reflect.DeepEqual(got, want) || c.Len() != 0 {
		t.Errorf("told %v, want %v; %d are left", got, want, c.Len())
	}
}
