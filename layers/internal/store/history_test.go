package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

func at(epoch string, offset uint64) protocol.Position {
	return protocol.Position{Epoch: epoch, Offset: offset}
}

func event() *protocol.Event {
	return protocol.EventType[struct{}]{Name: "x"}.New(struct{}{})
}

// offsets are those of the events that were read.
func offsets(p *driver.History) []uint64 {
	var all []uint64
	for _, e := range p.Events {
		all = append(all, e.Position().Offset)
	}
	return all
}

// TestHistoryReads has a history of which 4 to 8 are kept.
func TestHistoryReads(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := store.NewHistory("E")
	for range 8 {
		r.Append(event(), driver.Retention{MaxEvents: 5, MaxAge: time.Hour}, now)
	}
	rows := []struct {
		at       testkit.Line
		name     string
		after    protocol.Position
		limit    int
		newest   bool
		want     []uint64
		complete bool
	}{
		{testkit.Here(), "from the beginning", at("", 0), 0, false, []uint64{4, 5, 6, 7, 8}, false},
		{testkit.Here(), "the first that is kept is missing", at("E", 2), 0, false, []uint64{4, 5, 6, 7, 8}, false},
		{testkit.Here(), "just not", at("E", 3), 0, false, []uint64{4, 5, 6, 7, 8}, true},
		{testkit.Here(), "in the middle", at("E", 6), 0, false, []uint64{7, 8}, true},
		{testkit.Here(), "all seen", at("E", 8), 0, false, nil, true},
		{testkit.Here(), "more seen than there was", at("E", 9), 0, false, []uint64{4, 5, 6, 7, 8}, false},
		{testkit.Here(), "another epoch", at("F", 6), 0, false, []uint64{4, 5, 6, 7, 8}, false},
		{testkit.Here(), "limited", at("E", 4), 2, false, []uint64{5, 6}, true},
		{testkit.Here(), "limited, with a gap", at("E", 1), 2, false, []uint64{4, 5}, false},
		{testkit.Here(), "newest", at("E", 4), 2, true, []uint64{7, 8}, false},
		{testkit.Here(), "newest, and all of them", at("E", 6), 2, true, []uint64{7, 8}, true},
		{testkit.Here(), "newest from the beginning", at("", 0), 3, true, []uint64{6, 7, 8}, false},
		{testkit.Here(), "newest of another epoch", at("F", 2), 1, true, []uint64{8}, false},
		{testkit.Here(), "newest without a limit", at("E", 6), 0, true, []uint64{7, 8}, true},
		{testkit.Here(), "limit not reached", at("E", 6), 2, false, []uint64{7, 8}, true},
	}
	for _, row := range rows {
		p := r.Read(driver.Range{After: row.after, Limit: row.limit, Newest: row.newest}, now)
		if !slices.Equal(offsets(&p), row.want) || p.Complete != row.complete || p.Last != at("E", 8) {
			t.Errorf("%s: %s: read %v up to %q, complete: %t; want %v", row.at, row.name, offsets(&p), p.Last, p.Complete, row.want)
		}
	}
	if p := store.NewHistory("E").Read(driver.Range{}, now); !p.Complete || !p.Last.IsZero() || p.Events != nil {
		t.Errorf("of a history without events: %+v", p)
	}
	for after, complete := range map[protocol.Position]bool{{}: true, at("E", 3): false} {
		if p := (*store.History)(nil).Read(driver.Range{After: after}, now); p.Complete != complete || !p.Last.IsZero() || p.Events != nil {
			t.Errorf("of no history, after %q: %+v", after, p)
		}
	}
}

func TestHistoryForgets(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	r := store.NewHistory("E")
	for i := range 3 {
		r.Append(event(), driver.Retention{MaxEvents: 10, MaxAge: time.Minute}, start.Add(time.Duration(i)*10*time.Second))
	}
	rows := []struct {
		at        testkit.Line
		after     time.Duration
		kept      int
		forgotten bool
	}{
		{testkit.Here(), time.Minute - 1, 3, false},
		{testkit.Here(), time.Minute, 2, false},
		{testkit.Here(), time.Minute + 20*time.Second - 1, 1, false},
		{testkit.Here(), time.Minute + 20*time.Second, 0, false},
		{testkit.Here(), time.Minute + 20*time.Second + store.Linger - 1, 0, false},
		{testkit.Here(), time.Minute + 20*time.Second + store.Linger, 0, true},
	}
	for _, row := range rows {
		now := start.Add(row.after)
		p := r.Read(driver.Range{After: at("E", 3)}, now)
		last := at("E", 3)
		if row.forgotten {
			last = protocol.Position{}
		}
		if r.Len() != row.kept || r.IsForgotten(now) != row.forgotten || p.Last != last || p.Complete == row.forgotten {
			t.Errorf("%s: %d are kept, forgotten: %t, read %+v", row.at, r.Len(), r.IsForgotten(now), p)
		}
	}
	if e := r.Append(event(), driver.Retention{MaxEvents: 10, MaxAge: time.Minute}, start.Add(time.Hour)); e.Position() != at("E", 4) {
		t.Errorf("the next event is at %q", e.Position())
	}
}

// TestHistoryIsWhatItsModelIs does random steps beside a list that forgets nothing.
func TestHistoryIsWhatItsModelIs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, seed))
		now := time.Unix(1000, 0)
		r := store.NewHistory("E")
		m := historyModel{events: 1, age: time.Second}
		for step := range 600 {
			now = now.Add(time.Duration(random.IntN(300)) * time.Millisecond)
			if random.IntN(100) == 0 {
				m.events, m.age = 1+random.IntN(20), time.Duration(1+random.IntN(5))*time.Second
			}
			if random.IntN(3) > 0 {
				e := r.Append(event(), driver.Retention{MaxEvents: m.events, MaxAge: m.age}, now)
				m.add(now)
				if want := at("E", uint64(len(m.times))); e.Position() != want {
					t.Fatalf("seed %d, step %d: appended at %q, want %q", seed, step, e.Position(), want)
				}
				continue
			}
			after := uint64(random.IntN(len(m.times) + 1))
			limit := random.IntN(6)
			p := r.Read(driver.Range{After: at("E", after), Limit: limit}, now)
			if after == 0 {
				p = r.Read(driver.Range{Limit: limit}, now)
			}
			want, complete := m.read(after, limit, now)
			if got := offsets(&p); !slices.Equal(got, want) || p.Complete != complete {
				t.Fatalf("seed %d, step %d: read %v (complete: %t) after %d, want %v (%t)", seed, step, got, p.Complete, after, want, complete)
			}
		}
	}
}

// historyModel is when each event came, and from which on they are kept.
type historyModel struct {
	times  []time.Time
	first  int // the first that is kept
	events int
	age    time.Duration
	used   time.Duration // the age that counts
}

func (m *historyModel) add(now time.Time) {
	m.times = append(m.times, now)
	m.first = max(m.first, len(m.times)-m.events)
	m.used = m.age
	m.forget(now)
}

func (m *historyModel) forget(now time.Time) {
	for m.first < len(m.times) && now.Sub(m.times[m.first]) >= m.used {
		m.first++
	}
}

func (m *historyModel) read(after uint64, limit int, now time.Time) (want []uint64, complete bool) {
	m.forget(now)
	for i := max(int(after), m.first); i < len(m.times) && (limit == 0 || len(want) < limit); i++ {
		want = append(want, uint64(i+1))
	}
	return want, int(after) >= m.first
}

func TestHistoryDoesNotGrow(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := store.NewHistory("E")
	const n = 100
	for i := range 50 * n {
		r.Append(event(), driver.Retention{MaxEvents: n, MaxAge: time.Hour}, now)
		if r.Len() != min(i+1, n) {
			t.Fatalf("%d are kept after %d", r.Len(), i+1)
		}
	}
	r.Append(event(), driver.Retention{MaxEvents: 3, MaxAge: time.Hour}, now)
	if r.Len() != 3 {
		t.Errorf("%d are kept of 3", r.Len())
	}
}

func ExampleHistory() {
	now := time.Now()
	r := store.NewHistory("E")
	for range 3 {
		r.Append(event(), driver.Retention{MaxEvents: 2, MaxAge: time.Hour}, now)
	}
	p := r.Read(driver.Range{After: at("E", 2)}, now)
	fmt.Println(len(p.Events), p.Last, p.Complete)
	p = r.Read(driver.Range{}, now)
	fmt.Println(len(p.Events), p.Last, p.Complete)
	// Output:
	// 1 3-E true
	// 2 3-E false
}
