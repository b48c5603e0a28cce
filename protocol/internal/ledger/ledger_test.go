package ledger_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/internal/ledger"
)

// TestLedger plays what holders hold: each step names a holder, what it holds of a kind
// now, and who is evicted.
func TestLedger(t *testing.T) {
	t.Parallel()
	type step struct {
		holder  string
		kind, n int
		evicted string // separated by spaces
		used    int
	}
	for _, row := range []struct {
		at    testkit.Line
		steps []step
	}{
		{testkit.Here(), []step{{"a", 0, 0, "", 0}, {"a", 0, 5, "", 5}, {"a", 0, 0, "", 0}}},
		{testkit.Here(), []step{{"a", 0, 50, "", 50}, {"a", 1, 50, "", 100}, {"a", 0, 0, "", 50}, {"a", 1, 0, "", 0}}},
		{testkit.Here(), []step{{"a", 0, 60, "", 60}, {"b", 0, 40, "", 100}, {"b", 0, 50, "a", 50}}}, // the oldest, not the one that asks
		{testkit.Here(), []step{{"a", 0, 60, "", 60}, {"b", 0, 10, "", 70}, {"a", 0, 0, "", 10}, {"a", 0, 95, "b", 95}}},
		{testkit.Here(), []step{{"a", 0, 30, "", 30}, {"b", 0, 30, "", 60}, {"c", 1, 30, "", 90}, {"d", 1, 90, "a b c", 90}}},
		{testkit.Here(), []step{{"a", 0, 101, "a", 0}, {"a", 0, 0, "", 0}}}, // more than there is
		{testkit.Here(), []step{{"a", 0, 60, "", 60}, {"b", 0, 60, "a", 60}, {"a", 1, 0, "", 60}, {"a", 0, 0, "", 60}}},
	} {
		var l ledger.Ledger[string]
		accounts := map[string]*ledger.Account[string]{}
		for i, st := range row.steps {
			if accounts[st.holder] == nil {
				accounts[st.holder] = &ledger.Account[string]{Holder: st.holder}
			}
			evicted := strings.Join(l.Set(accounts[st.holder], st.kind, st.n, 100), " ")
			if evicted != st.evicted || l.Used() != st.used {
				t.Errorf("%s: step %d: evicted %q, %d used; want %q, %d", row.at, i, evicted, l.Used(), st.evicted, st.used)
			}
		}
	}
}

// TestModel compares a ledger with a list.
func TestModel(t *testing.T) {
	t.Parallel()
	type entry struct {
		holder int
		held   [ledger.Kinds]int
	}
	const limit = 200 << 10
	random := rand.New(rand.NewPCG(1, 2))
	var l ledger.Ledger[int]
	accounts := make([]ledger.Account[int], 20)
	for i := range accounts {
		accounts[i].Holder = i
	}
	var list []entry // the oldest first
	for range 20_000 {
		holder, kind, n := random.IntN(len(accounts)), random.IntN(ledger.Kinds), random.IntN(40<<10)
		if random.IntN(3) == 0 {
			n = 0
		}
		i := slices.IndexFunc(list, func(e entry) bool { return e.holder == holder })
		if i < 0 {
			i, list = len(list), append(list, entry{holder: holder})
		}
		list[i].held[kind] = n
		empty := list[i].held == [ledger.Kinds]int{}
		if empty {
			list = slices.Delete(list, i, i+1)
		}
		used := func() (sum int) {
			for _, e := range list {
				sum += e.held[0] + e.held[1]
			}
			return sum
		}
		var want []int
		for used() > limit {
			want, list = append(want, list[0].holder), list[1:]
		}
		got := l.Set(&accounts[holder], kind, n, limit)
		gone := empty || slices.Contains(want, holder)
		if !slices.Equal(got, want) || l.Used() != used() || accounts[holder].IsEmpty() != gone {
			t.Fatalf("evicted %v, %d used, empty: %t; want %v, %d, %t", got, l.Used(), accounts[holder].IsEmpty(), want, used(), gone)
		}
	}
}
