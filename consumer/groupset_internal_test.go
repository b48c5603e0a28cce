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

// placesModel is places beside plainPlaces, and calls for both that are under way.
type placesModel struct {
	t     *testing.T
	at    string
	limit int
	got   places
	want  plainPlaces
	calls []placesCall
}

type placesCall struct {
	real  *place
	plain *plainPlace
}

func (m *placesModel) begin(name string) {
	m.t.Helper()
	p, err := m.got.begin(name, func(n int) error {
		if n >= m.limit {
			return errAny
		}
		return nil
	})
	w := m.want.begin(name, m.limit)
	if (err == nil) != (w != nil) || (p == nil) != (w == nil) {
		m.t.Fatalf("%s: begin returned %v, %v; want a place: %t", m.at, p, err, w != nil)
	}
	if w != nil {
		m.calls = append(m.calls, placesCall{p, w})
	}
}

func (m *placesModel) end(i int, err error) {
	m.t.Helper()
	c := m.calls[i]
	m.calls = slices.Delete(m.calls, i, i+1)
	if a, b := m.got.end(c.real, err), m.want.end(c.plain, err); a != b {
		m.t.Fatalf("%s: end of %s returned %t, want %t", m.at, c.plain.group, a, b)
	}
}

func (m *placesModel) remove(name string) {
	m.t.Helper()
	if a, b := m.got.remove(m.got.find(name)), m.want.remove(m.want.find(name)); a != b {
		m.t.Fatalf("%s: remove of %s returned %t, want %t", m.at, name, a, b)
	}
}

func (m *placesModel) removeAll() {
	m.t.Helper()
	if a, b := m.got.removeAll(), m.want.names(true); !slices.Equal(a, b) {
		m.t.Fatalf("%s: removeAll returned %q, want %q", m.at, a, b)
	}
	m.want = nil
}

// check compares both, and looks at how long the list is and whether it is searched.
func (m *placesModel) check() {
	m.t.Helper()
	if a, b := m.got.taken(), m.want.names(false); !slices.Equal(a, b) || m.got.count() != len(m.want) {
		m.t.Fatalf("%s: %d, of which %q are taken; want %d and %q", m.at, m.got.count(), a, len(m.want), b)
	}
	if n := len(m.got.list); n > fewPlaces && (m.got.many == nil || n > 2*m.got.count()+1) {
		m.t.Fatalf("%s: a list of %d for %d places is searched, or too long", m.at, n, m.got.count())
	}
}

// TestPlacesModel does the same at random to places and to plainPlaces, with calls that
// overlap.
func TestPlacesModel(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 200)
	for seed := first; seed <= last; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		groups := 1 + r.IntN(80)
		m := &placesModel{t: t, limit: 1 + r.IntN(80)}
		for step := range 500 {
			m.at = fmt.Sprintf("seed %d, step %d", seed, step)
			name := fmt.Sprint(r.IntN(groups))
			switch what := r.IntN(100); {
			case what < 45:
				m.begin(name)
			case what < 75 && len(m.calls) > 0:
				m.end(r.IntN(len(m.calls)), [...]error{errAny, nil, nil}[r.IntN(3)])
			case what == 99:
				m.removeAll()
			default:
				m.remove(name)
			}
			m.check()
		}
	}
}
