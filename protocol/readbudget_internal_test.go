package protocol

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestReadBudget plays what connections hold: each step names a connection, what it
// holds of a kind now, and who has to go.
func TestReadBudget(t *testing.T) {
	t.Parallel()
	const kib = 1 << 10
	type step struct {
		who  string
		kind int
		n    int
		gone string // separated by spaces
		used int
	}
	rows := []struct {
		at    testkit.Line
		steps []step
	}{
		{testkit.Here(), []step{{"a", 0, 4 * kib, "", 0}, {"a", 0, 4*kib + 1, "", 4*kib + 1}, {"a", 0, 0, "", 0}}},
		{testkit.Here(), []step{{"a", 0, 50 * kib, "", 50 * kib}, {"a", 1, 50 * kib, "", 100 * kib}, {"a", 0, 0, "", 50 * kib}, {"a", 1, 0, "", 0}}},
		{testkit.Here(), []step{{"a", 0, 60 * kib, "", 60 * kib}, {"b", 0, 40 * kib, "", 100 * kib}, {"b", 0, 50 * kib, "a", 50 * kib}}}, // the oldest, not the one that asks
		{testkit.Here(), []step{{"a", 0, 60 * kib, "", 60 * kib}, {"b", 0, 10 * kib, "", 70 * kib}, {"a", 0, 0, "", 10 * kib}, {"a", 0, 95 * kib, "b", 95 * kib}}},
		{testkit.Here(), []step{{"a", 0, 30 * kib, "", 30 * kib}, {"b", 0, 30 * kib, "", 60 * kib}, {"c", 1, 30 * kib, "", 90 * kib}, {"d", 1, 90 * kib, "a b c", 90 * kib}}},
		{testkit.Here(), []step{{"a", 0, 101 * kib, "a", 0}, {"a", 0, 0, "", 0}}}, // more than there is
		{testkit.Here(), []step{{"a", 0, 60 * kib, "", 60 * kib}, {"b", 0, 60 * kib, "a", 60 * kib}, {"a", 1, 0, "", 60 * kib}, {"a", 0, 0, "", 60 * kib}}},
	}
	for _, row := range rows {
		b := &ReadBudget{Bytes: 100 * kib}
		sessions := map[string]*Session{}
		for i, st := range row.steps {
			if sessions[st.who] == nil {
				sessions[st.who] = &Session{}
			}
			var gone []string
			for _, s := range b.set(sessions[st.who], st.kind, st.n) {
				for name, other := range sessions {
					if s == other {
						gone = append(gone, name)
					}
				}
			}
			if got := strings.Join(gone, " "); got != st.gone || b.Held() != st.used {
				t.Errorf("%s: step %d: %q has to go, %d held; want %q, %d", row.at, i, got, b.Held(), st.gone, st.used)
			}
		}
	}
}

// TestReadBudgetModel compares the budget with a list.
func TestReadBudgetModel(t *testing.T) {
	t.Parallel()
	type entry struct {
		s     *Session
		bytes [heldKinds]int
	}
	const limit = 200 << 10
	random := rand.New(rand.NewPCG(1, 2))
	b := &ReadBudget{Bytes: limit}
	sessions := make([]Session, 20)
	var list []entry // the longest first
	for range 20_000 {
		s, kind, n := &sessions[random.IntN(len(sessions))], random.IntN(heldKinds), random.IntN(40<<10)
		if random.IntN(3) == 0 {
			n = random.IntN(freeRead)
		}
		i := slices.IndexFunc(list, func(e entry) bool { return e.s == s })
		if i < 0 {
			i, list = len(list), append(list, entry{s: s})
		}
		list[i].bytes[kind] = n
		if n <= freeRead {
			list[i].bytes[kind] = 0
		}
		if list[i].bytes == [heldKinds]int{} {
			list = slices.Delete(list, i, i+1)
		}
		used := func() (sum int) {
			for _, e := range list {
				sum += e.bytes[0] + e.bytes[1]
			}
			return sum
		}
		var want []*Session
		for used() > limit {
			want, list = append(want, list[0].s), list[1:]
		}
		if got := b.set(s, kind, n); !slices.Equal(got, want) || b.Held() != used() {
			t.Fatalf("%d have to go and %d is held, want %d and %d", len(got), b.Held(), len(want), used())
		}
	}
}
