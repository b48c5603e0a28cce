package roster

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// indexModel is an index beside a list of the hashes that it has.
type indexModel struct {
	t    *testing.T
	at   string
	got  index
	want []uint64 // by position
}

func (m *indexModel) hash(at int) uint64 { return m.want[at] }

func (m *indexModel) add(h uint64) {
	m.want = append(m.want, h)
	m.got.add(h, len(m.want)-1, m.hash)
}

// remove removes the hash at a position, which the last one takes.
func (m *indexModel) remove(at int) {
	m.got.remove(m.want[at], at, m.hash)
	end := len(m.want) - 1
	if at != end {
		m.got.move(m.want[end], end, at)
		m.want[at] = m.want[end]
	}
	m.want = m.want[:end]
}

// check finds every position, and that the pages are not too many or too long.
func (m *indexModel) check() {
	m.t.Helper()
	for at, h := range m.want {
		if got := m.got.find(h, func(i int) bool { return i == at }); got != at {
			m.t.Fatalf("%s: position %d is found at %d", m.at, at, got)
		}
	}
	seen, used := map[*page]bool{}, 0
	for i, p := range m.got.pages {
		if !seen[p] {
			seen[p] = true
			used += p.used
		}
		if p.used*8 > len(p.slots)*7 {
			m.t.Fatalf("%s: page %d has %d of %d slots in use", m.at, i, p.used, len(p.slots))
		}
	}
	if used != len(m.want) {
		m.t.Fatalf("%s: %d slots are in use, want %d", m.at, used, len(m.want))
	}
}

// TestIndexModel adds and removes hashes at random: of 64 random bits, and of few values in
// the bits that choose the page, the slot, or both.
func TestIndexModel(t *testing.T) {
	t.Parallel()
	masks := []struct {
		at   testkit.Line
		mask uint64
		most int
	}{
		{testkit.Here(), 1<<64 - 1, 12_000},
		{testkit.Here(), 1<<20 - 1, 3_000}, // one page for all
		{testkit.Here(), 3<<62 | 7<<20, 200},
		{testkit.Here(), 0, 60},
	}
	for _, row := range masks {
		r := rand.New(rand.NewPCG(3, row.mask))
		m := &indexModel{t: t}
		for round := range 6 {
			most := 1 + r.IntN(row.most)
			for step := 0; len(m.want) < most; step++ {
				if r.IntN(4) > 0 || len(m.want) == 0 {
					m.add(r.Uint64() & row.mask)
				} else {
					m.remove(r.IntN(len(m.want)))
				}
			}
			m.at = fmt.Sprintf("%s: round %d, full", row.at, round)
			m.check()
			for len(m.want) > most/(1+r.IntN(20)) {
				m.remove(r.IntN(len(m.want)))
			}
			m.at = fmt.Sprintf("%s: round %d, emptied", row.at, round)
			m.check()
			if got := m.got.find(r.Uint64()&row.mask, func(int) bool { return false }); got != -1 {
				t.Fatalf("%s: an unknown member is at %d", m.at, got)
			}
		}
	}
}

// TestIndexTakesLittleMemory: at most 11 bytes for each member, and 7 on average.
func TestIndexTakesLittleMemory(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	m := &indexModel{t: t}
	total, samples := 0.0, 0
	for n := 1; n <= 60_000; n++ {
		m.add(r.Uint64())
		if n < 2000 || n%1000 != 0 {
			continue
		}
		bytes, seen := 8*len(m.got.pages), map[*page]bool{}
		for _, p := range m.got.pages {
			if !seen[p] {
				seen[p] = true
				bytes += 4*len(p.slots) + 48
			}
		}
		each := float64(bytes) / float64(n)
		total, samples = total+each, samples+1
		if each > 11 {
			t.Errorf("%d members take %.1f bytes each, want at most 11", n, each)
		}
	}
	if mean := total / float64(samples); mean > 7.5 {
		t.Errorf("a member takes %.1f bytes on average, want about 7", mean)
	} else {
		t.Logf("%.1f bytes on average", mean)
	}
}
