package consumer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// plainSet is the simplest groupSet: a list that is searched.
type plainSet []*plainEntry

type plainEntry struct {
	group  string
	calls  int
	joined bool
}

func (s *plainSet) find(group string) *plainEntry {
	for _, p := range *s {
		if p.group == group {
			return p
		}
	}
	return nil
}

func (s *plainSet) startCall(group string, limit int) *plainEntry {
	p := s.find(group)
	if p == nil {
		if len(*s) >= limit {
			return nil
		}
		p = &plainEntry{group: group}
		*s = append(*s, p)
	}
	p.calls++
	return p
}

func (s *plainSet) finishCall(p *plainEntry, err error) (absent bool) {
	p.calls--
	switch {
	case !slices.Contains(*s, p):
		return s.find(p.group) == nil
	case err == nil:
		p.joined = true
	case !p.joined && p.calls == 0:
		return s.remove(p)
	}
	return false
}

func (s *plainSet) remove(p *plainEntry) bool {
	i := slices.Index(*s, p)
	if i >= 0 {
		*s = slices.Delete(*s, i, i+1)
	}
	return i >= 0
}

func (s *plainSet) names(all bool) (names []string) {
	for _, p := range *s {
		if all || p.joined {
			names = append(names, p.group)
		}
	}
	return names
}

var errAny = errors.New("any")

// setModel is a groupSet beside a plainSet, with the calls of both that have not finished.
type setModel struct {
	t     *testing.T
	at    string
	limit int
	got   groupSet
	want  plainSet
	calls []setCall
}

type setCall struct {
	real  *groupEntry
	plain *plainEntry
}

func (m *setModel) startCall(name string) {
	m.t.Helper()
	p, err := m.got.startCall(name, func(n int) error {
		if n >= m.limit {
			return errAny
		}
		return nil
	})
	w := m.want.startCall(name, m.limit)
	if (err == nil) != (w != nil) || (p == nil) != (w == nil) {
		m.t.Fatalf("%s: startCall returned %v, %v; want an entry: %t", m.at, p, err, w != nil)
	}
	if w != nil {
		m.calls = append(m.calls, setCall{p, w})
	}
}

func (m *setModel) finishCall(i int, err error) {
	m.t.Helper()
	c := m.calls[i]
	m.calls = slices.Delete(m.calls, i, i+1)
	if a, b := m.got.finishCall(c.real, err), m.want.finishCall(c.plain, err); a != b {
		m.t.Fatalf("%s: finishCall for %s returned %t, want %t", m.at, c.plain.group, a, b)
	}
}

func (m *setModel) remove(name string) {
	m.t.Helper()
	if a, b := m.got.remove(m.got.find(name)), m.want.remove(m.want.find(name)); a != b {
		m.t.Fatalf("%s: remove(%s) returned %t, want %t", m.at, name, a, b)
	}
}

func (m *setModel) removeAll() {
	m.t.Helper()
	if a, b := m.got.removeAll(), m.want.names(true); !slices.Equal(a, b) {
		m.t.Fatalf("%s: removeAll returned %q, want %q", m.at, a, b)
	}
	m.want = nil
}

// check compares both. It fails if a long list has no index, or too many removed entries.
func (m *setModel) check() {
	m.t.Helper()
	if a, b := m.got.joined(), m.want.names(false); !slices.Equal(a, b) || m.got.size() != len(m.want) {
		m.t.Fatalf("%s: %d groups, joined %q; want %d and %q", m.at, m.got.size(), a, len(m.want), b)
	}
	l := m.got.more
	if l == nil {
		return
	}
	if n := len(l.list); n > maxSearched && (l.index == nil || n > 2*l.size()+1) {
		m.t.Fatalf("%s: a list of %d entries for %d groups has no index or is too long", m.at, n, m.got.size())
	}
}

// TestGroupSetModel does the same random operations on a groupSet and on a plainSet, with
// calls that overlap.
func TestGroupSetModel(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 200)
	for seed := first; seed <= last; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		groups := 1 + r.IntN(80)
		m := &setModel{t: t, limit: 1 + r.IntN(80)}
		for step := range 500 {
			m.at = fmt.Sprintf("seed %d, step %d", seed, step)
			name := fmt.Sprint(r.IntN(groups))
			switch what := r.IntN(100); {
			case what < 45:
				m.startCall(name)
			case what < 75 && len(m.calls) > 0:
				m.finishCall(r.IntN(len(m.calls)), [...]error{errAny, nil, nil}[r.IntN(3)])
			case what == 99:
				m.removeAll()
			default:
				m.remove(name)
			}
			m.check()
		}
	}
}
