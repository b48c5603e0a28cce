package liveness

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

type timed struct {
	position DeadlinePosition
	name     rune
}

func (m *timed) DeadlinePosition() *DeadlinePosition { return &m.position }

// TestDeadlines plays steps with a granularity of 10 ms. A step adds members, at the time
// of the first number, removes them, or advances to the first number; then want are due.
// next is the result of Next afterwards, -1: nothing.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	const g = 10
	type step struct {
		add, remove string
		ms          int
		want        string
		next        int
	}
	rows := []struct {
		at    testkit.Line
		steps []step
	}{
		{testkit.Here(), []step{{"", "", 0, "", -1}, {"", "", 1e9, "", -1}}},
		{testkit.Here(), []step{{"a", "", 25, "", 30}, {"", "", 20, "", 30}, {"", "", 29, "", 30}, {"", "", 30, "a", -1}, {"", "", 100, "", -1}}},
		{testkit.Here(), []step{{"a", "", 30, "", 30}, {"", "", 29, "", 30}, {"", "", 30, "a", -1}}},
		{testkit.Here(), []step{{"a", "", 21, "", 30}, {"b", "", 30, "", 30}, {"c", "", 31, "", 30}, {"", "", 39, "ab", 40}, {"", "", 40, "c", -1}}},
		{testkit.Here(), []step{{"abc", "", 25, "", 30}, {"", "b", 0, "", 30}, {"", "", 35, "ac", -1}}},
		{testkit.Here(), []step{{"a", "", 25, "", 30}, {"", "a", 0, "", -1}, {"", "a", 0, "", -1}, {"", "", 100, "", -1}}},
		{testkit.Here(), []step{{"ab", "", 25, "", 30}, {"a", "", 45, "", 30}, {"", "", 30, "b", 50}, {"", "", 50, "a", -1}}}, // later
		{testkit.Here(), []step{{"a", "", 45, "", 50}, {"a", "", 15, "", 20}, {"", "", 20, "a", -1}, {"", "", 90, "", -1}}},   // earlier
		{testkit.Here(), []step{{"", "", 500, "", -1}, {"ab", "", 20, "", 510}, {"c", "", 505, "", 510}, {"", "", 505, "", 510}, {"", "", 510, "abc", -1}}},
		{testkit.Here(), []step{{"a", "", -5, "", 10}, {"", "", 10, "a", -1}}},
		// More than one round ahead, with another one in the same slot.
		{testkit.Here(), []step{{"a", "", 20 + 3*64*g, "", 20}, {"b", "", 20, "", 20}, {"", "", 20, "b", 20 + 64*g}, {"", "", 20 + 64*g, "", 20 + 2*64*g}, {"", "", 20 + 3*64*g, "a", -1}}},
		{testkit.Here(), []step{{"abc", "", 700, "", 60}, {"d", "", 1e6, "", 60}, {"", "", 1e6 - 1, "abc", 1e6}, {"", "", 1e6, "d", -1}}}, // nothing called Advance for long
		{testkit.Here(), []step{{"a", "", 25, "", 30}, {"", "", 20, "", 30}, {"", "", 10, "", 30}, {"", "", 30, "a", -1}}},                // the clock goes back
	}
	for _, row := range rows {
		d := NewDeadlines[*timed](g * time.Millisecond)
		members := map[rune]*timed{}
		for i, s := range row.steps {
			if got := play(d, members, s.add, s.remove, time.Duration(s.ms)*time.Millisecond); got != s.want {
				t.Errorf("%s: step %d: %q are due, want %q", row.at, i, got, s.want)
			}
			next, ok := d.Next()
			if want := time.Duration(s.next) * time.Millisecond; ok != (s.next >= 0) || ok && next != want {
				t.Errorf("%s: step %d: Next is %v, %v, want %v", row.at, i, next, ok, want)
			}
		}
	}
}

// play plays a step of TestDeadlines and returns the names of those that are due.
func play(d *Deadlines[*timed], members map[rune]*timed, add, remove string, at time.Duration) string {
	for _, name := range add {
		if members[name] == nil {
			members[name] = &timed{name: name}
		}
		d.Add(members[name], at)
	}
	for _, name := range remove {
		d.Remove(members[name])
	}
	if add+remove != "" {
		return ""
	}
	var due []rune
	for _, m := range d.Advance(at, nil) {
		due = append(due, m.name)
	}
	slices.Sort(due)
	return string(due)
}

// TestDeadlinesFar is about deadlines that never come.
func TestDeadlinesFar(t *testing.T) {
	t.Parallel()
	d := NewDeadlines[*timed](7 * time.Millisecond)
	m := &timed{}
	d.Add(m, math.MaxInt64)
	if due := d.Advance(100*365*24*time.Hour, nil); len(due) > 0 {
		t.Error("due too early")
	}
	d.Remove(m)
	if _, ok := d.Next(); ok || d.Len() != 0 {
		t.Error("not removed")
	}
}

// TestDeadlinesShrink makes sure that slots give up memory that only a burst needed.
func TestDeadlinesShrink(t *testing.T) {
	t.Parallel()
	d := NewDeadlines[*timed](time.Millisecond)
	for _, at := range []time.Duration{5 * time.Millisecond, 10 * time.Millisecond} {
		members := make([]timed, 1000)
		for i := range members {
			d.Add(&members[i], at)
		}
		if due := d.Advance(at, nil); len(due) != len(members) {
			t.Fatalf("%d are due, want all", len(due))
		}
		for i := range d.slots {
			if n := cap(d.slots[i]); n > keptDeadlines {
				t.Errorf("an empty slot has room for %d", n)
			}
		}
	}
}

// deadlineModel is a sorted list beside a Deadlines.
type deadlineModel struct {
	t    *testing.T
	d    *Deadlines[*timed]
	list []modelDeadline // by due
	now  time.Duration
}

type modelDeadline struct {
	m       *timed
	at, due time.Duration
}

func (m *deadlineModel) index(of *timed) int {
	return slices.IndexFunc(m.list, func(e modelDeadline) bool { return e.m == of })
}

func (m *deadlineModel) remove(of *timed) {
	if i := m.index(of); i >= 0 {
		m.list = slices.Delete(m.list, i, i+1)
	}
}

// up rounds t up to whole granularities.
func (m *deadlineModel) up(t time.Duration) time.Duration {
	if rest := t % m.d.granularity; rest > 0 {
		t += m.d.granularity - rest
	}
	return t
}

func (m *deadlineModel) add(of *timed, at time.Duration) {
	m.d.Add(of, at)
	m.remove(of)
	due := max(m.up(at), m.up(m.now+1)) // what has passed is due at the next tick
	m.list = append(m.list, modelDeadline{of, at, due})
	slices.SortFunc(m.list, func(a, b modelDeadline) int { return cmp.Compare(a.due, b.due) })
}

func (m *deadlineModel) advance(now time.Duration) {
	m.now = now
	got := m.d.Advance(now, nil)
	n := 0
	for ; n < len(m.list) && m.list[n].due <= now; n++ {
		if !slices.Contains(got, m.list[n].m) {
			m.t.Fatalf("at %v: %v is not due, want it", now, m.list[n].at)
		}
		if *m.list[n].m.DeadlinePosition() != (DeadlinePosition{}) {
			m.t.Fatal("a member that was due has a position")
		}
	}
	if len(got) != n {
		m.t.Fatalf("at %v: %d are due, want %d", now, len(got), n)
	}
	m.list = m.list[n:]
}

// check compares what can be seen.
func (m *deadlineModel) check(members []timed) {
	if m.d.Len() != len(m.list) {
		m.t.Fatalf("Len is %d, want %d", m.d.Len(), len(m.list))
	}
	for i := range members {
		at, ok := m.d.Has(&members[i])
		switch j := m.index(&members[i]); {
		case ok != (j >= 0):
			m.t.Fatalf("Has is %v, want %v", ok, j >= 0)
		case ok && at != m.list[j].at:
			m.t.Fatalf("Has is %v, want %v", at, m.list[j].at)
		}
	}
	next, ok := m.d.Next()
	if ok != (len(m.list) > 0) {
		m.t.Fatalf("Next is %v, want %v", ok, !ok)
	}
	if ok && (next > m.list[0].due || next <= m.now) {
		m.t.Fatalf("at %v: Next is %v, the first is due at %v", m.now, next, m.list[0].due)
	}
	for i := range m.d.slots {
		if n := len(m.d.slots[i]); (m.d.used>>i&1 == 1) != (n > 0) {
			m.t.Fatalf("slot %d has %d members, and its bit says otherwise", i, n)
		}
	}
}

// play plays two bytes a step.
func (m *deadlineModel) play(steps []byte) {
	members := make([]timed, 16)
	for ; len(steps) >= 2; steps = steps[2:] {
		of, arg := &members[steps[0]%16], time.Duration(steps[1])
		far := time.Duration(int(steps[1]) * int(steps[1]))
		switch steps[0] / 16 % 8 {
		case 0, 1:
			m.add(of, m.now+arg)
		case 2:
			m.add(of, m.now+far)
		case 3:
			m.add(of, max(m.now-arg, 0))
		case 4:
			m.d.Remove(of)
			m.remove(of)
		case 5, 6:
			m.advance(m.now + arg)
		case 7:
			m.advance(m.now + far)
		}
		m.check(members)
	}
	m.advance(m.now + 1<<20)
	m.check(members)
}

// TestDeadlinesModel plays random steps beside a sorted list.
func TestDeadlinesModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := deadlineModel{t: t, d: NewDeadlines[*timed](1 + time.Duration(random.IntN(40)))}
		steps := make([]byte, 400)
		for i := range steps {
			steps[i] = byte(random.IntN(256))
		}
		m.play(steps)
	}
}

// FuzzDeadlines plays steps beside a sorted list.
func FuzzDeadlines(f *testing.F) {
	f.Add(byte(10), []byte{0, 25, 1, 45, 80, 30, 0, 9, 112, 60})
	f.Add(byte(1), []byte{33, 200, 50, 7, 64, 0, 117, 255})
	f.Fuzz(func(t *testing.T, granularity byte, steps []byte) {
		m := deadlineModel{t: t, d: NewDeadlines[*timed](1 + time.Duration(granularity))}
		m.play(steps[:min(len(steps), 2000)])
	})
}

// TestAllocDeadlines is about members that get deadlines in slots that are in use.
func TestAllocDeadlines(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	d := NewDeadlines[*timed](time.Millisecond)
	members := make([]timed, 100)
	buf := make([]*timed, 0, len(members))
	var now time.Duration
	round := func() {
		for i := range members {
			d.Add(&members[i], now+time.Duration(i)*time.Millisecond)
		}
		now += 200 * time.Millisecond
		buf = d.Advance(now, buf[:0])
	}
	for range 3 * deadlineSlots {
		round()
	}
	if got := testing.AllocsPerRun(100, round); got > 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

// BenchmarkDeadlines is a deadline that is made and moved, or removed, among 10,000.
func BenchmarkDeadlines(b *testing.B) {
	d := NewDeadlines[*timed](100 * time.Millisecond)
	members := make([]timed, 10000)
	for i := range members {
		d.Add(&members[i], time.Duration(i)*time.Millisecond)
	}
	b.Run("Add", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			d.Add(&members[i%len(members)], time.Duration(i%9000)*time.Millisecond)
		}
	})
	b.Run("AddRemove", func(b *testing.B) {
		m := &timed{}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			d.Add(m, time.Duration(i%9000)*time.Millisecond)
			d.Remove(m)
		}
	})
}
