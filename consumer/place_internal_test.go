package consumer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// plainPlaces are places as simple as can be: a list that is searched.
type plainPlaces []*plainPlace

type plainPlace struct {
	group string
	calls int
	taken bool
}

func (ps *plainPlaces) find(group string) *plainPlace {
	for _, p := range *ps {
		if p.group == group {
			return p
		}
	}
	return nil
}

func (ps *plainPlaces) begin(group string, limit int) *plainPlace {
	p := ps.find(group)
	if p == nil {
		if len(*ps) >= limit {
			return nil
		}
		p = &plainPlace{group: group}
		*ps = append(*ps, p)
	}
	p.calls++
	return p
}

func (ps *plainPlaces) end(p *plainPlace, err error) (absent bool) {
	p.calls--
	switch {
	case !slices.Contains(*ps, p):
		return ps.find(p.group) == nil
	case err == nil:
		p.taken = true
	case !p.taken && p.calls == 0:
		return ps.remove(p)
	}
	return false
}

func (ps *plainPlaces) remove(p *plainPlace) bool {
	i := slices.Index(*ps, p)
	if i >= 0 {
		*ps = slices.Delete(*ps, i, i+1)
	}
	return i >= 0
}

func (ps *plainPlaces) names(all bool) (names []string) {
	for _, p := range *ps {
		if all || p.taken {
			names = append(names, p.group)
		}
	}
	return names
}

var errAny = errors.New("any")

// TestPlacesModel does the same at random to places and to plainPlaces, with calls that
// overlap, and looks at how long the list is and whether it is searched.
func TestPlacesModel(t *testing.T) {
	t.Parallel()
	type call struct {
		real  *place
		plain *plainPlace
	}
	first, last := testkit.Seeds(t, 200)
	for seed := first; seed <= last; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		groups, limit := 1+r.IntN(80), 1+r.IntN(80)
		room := func(n int) error {
			if n >= limit {
				return errAny
			}
			return nil
		}
		var got places
		var want plainPlaces
		var calls []call
		for step := range 500 {
			name := fmt.Sprint(r.IntN(groups))
			switch what := r.IntN(100); {
			case what < 45:
				p, err := got.begin(name, room)
				w := want.begin(name, limit)
				if (err == nil) != (w != nil) || (p == nil) != (w == nil) {
					t.Fatalf("seed %d, step %d: begin returned %v, %v; want a place: %t", seed, step, p, err, w != nil)
				}
				if w != nil {
					calls = append(calls, call{p, w})
				}
			case what < 75 && len(calls) > 0:
				i := r.IntN(len(calls))
				c := calls[i]
				calls = slices.Delete(calls, i, i+1)
				var err error
				if r.IntN(3) == 0 {
					err = errAny
				}
				if a, b := got.end(c.real, err), want.end(c.plain, err); a != b {
					t.Fatalf("seed %d, step %d: end of %s returned %t, want %t", seed, step, c.plain.group, a, b)
				}
			case what < 98:
				if a, b := got.remove(got.find(name)), want.remove(want.find(name)); a != b {
					t.Fatalf("seed %d, step %d: remove of %s returned %t, want %t", seed, step, name, a, b)
				}
			case what == 98:
				if a, b := got.removeAll(), want.names(true); !slices.Equal(a, b) {
					t.Fatalf("seed %d, step %d: removeAll returned %q, want %q", seed, step, a, b)
				}
				want = nil
			}
			if a, b := got.taken(), want.names(false); !slices.Equal(a, b) || got.count() != len(want) {
				t.Fatalf("seed %d, step %d: %d, of which %q are taken; want %d and %q", seed, step, got.count(), a, len(want), b)
			}
			if n := len(got.list); n > fewPlaces && (got.many == nil || n > 2*got.count()+1) {
				t.Fatalf("seed %d, step %d: a list of %d for %d places is searched, or too long", seed, step, n, got.count())
			}
		}
	}
}
