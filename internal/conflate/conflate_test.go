package conflate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestPut is the rule of protocol.Message.Key. A letter is a value with that key, a dot
// one without, which is a fence, and a comma one without that is no fence.
func TestPut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		sent string
		want string // which are left, by number
	}{
		{testkit.Here(), "", ""},
		{testkit.Here(), "ab", "0 1"},
		{testkit.Here(), "aa", "1"},
		{testkit.Here(), "abca", "3 1 2"},
		{testkit.Here(), "abcb", "0 3 2"},
		{testkit.Here(), "abcc", "0 1 3"},
		{testkit.Here(), "a.a", "1 2"},
		{testkit.Here(), "a,a", "2 1"},
		{testkit.Here(), "a,.,a", "1 2 3 4"},
		{testkit.Here(), ".aa.", "0 2 3"},
		{testkit.Here(), "ab.cab", "2 3 4 5"},
		{testkit.Here(), "a.ba", "1 2 3"},
		{testkit.Here(), "ab.aab", "2 4 5"},
		{testkit.Here(), "ab.ac.a", "1 2 4 5 6"},
		{testkit.Here(), "abababab", "6 7"},
		{testkit.Here(), "...", "0 1 2"},
	} {
		var q Queue[int]
		for i, key := range row.sent {
			switch key {
			case '.':
				q.Fence()
				q.Append(i)
			case ',':
				q.Append(i)
			default:
				q.Put(string(key), i)
			}
		}
		var got []string
		for q.Len() > 0 {
			got = append(got, fmt.Sprint(q.Pop()))
		}
		if s := strings.Join(got, " "); s != row.want {
			t.Errorf("%s: %q leaves %q, want %q", row.at, row.sent, s, row.want)
		}
	}
}

// entry is a value of the reference.
type entry struct {
	key   string
	value int
	known bool // a value with its key would replace it
}

// model is a queue, and what it should be: a list that is searched from end to end.
type model struct {
	t      *testing.T
	q      Queue[int]
	want   []entry
	fence  int // values of want that a later one must not overtake
	number int
}

func (m *model) find(key string) int {
	return slices.IndexFunc(m.want, func(e entry) bool { return e.known && e.key == key })
}

func (m *model) remove(at int) {
	m.want = slices.Delete(m.want, at, at+1)
	if at < m.fence {
		m.fence--
	}
}

func (m *model) put(key string) {
	m.number++
	at := m.find(key)
	found := m.q.Find(key)
	old, replaced := m.q.Put(key, m.number)
	if replaced != (at >= 0) || (found != nil) != replaced || replaced && old != m.want[at].value {
		m.t.Fatalf("Put(%q) replaced %v %v, want %d of %v", key, old, replaced, at, m.want)
	}
	e := entry{key, m.number, true}
	switch {
	case at >= m.fence:
		m.want[at] = e
		return
	case at >= 0:
		m.remove(at)
	}
	m.want = append(m.want, e)
}

func (m *model) removeFirst(divisor int) {
	match := func(v int) bool { return v%divisor == 0 }
	v, ok := m.q.RemoveFirst(func(v *int) bool { return match(*v) })
	at := slices.IndexFunc(m.want, func(e entry) bool { return match(e.value) })
	if ok != (at >= 0) || ok && v != m.want[at].value {
		m.t.Fatalf("removed %d %v, want %d of %v", v, ok, at, m.want)
	}
	if ok {
		m.remove(at)
	}
}

// step does what op says.
func (m *model) step(op byte) {
	switch arg := int(op >> 3); op & 7 {
	case 0:
		m.number++
		m.q.Append(m.number)
		m.want = append(m.want, entry{value: m.number})
	case 1:
		m.q.Fence()
		m.fence = len(m.want)
	case 2:
		for range min(arg, len(m.want)) {
			if v := m.q.Pop(); v != m.want[0].value {
				m.t.Fatalf("popped %d, want the first of %v", v, m.want)
			}
			m.remove(0)
		}
	case 3:
		m.removeFirst(arg + 1)
	case 4:
		if arg == 0 {
			m.q.ForgetKeys()
			for i := range m.want {
				m.want[i].known = false
			}
		}
	default:
		m.put(fmt.Sprint(arg))
	}
	m.check()
}

func (m *model) check() {
	var got []entry
	for key, v := range m.q.All() {
		got = append(got, entry{key: key, value: *v})
	}
	same := slices.EqualFunc(got, m.want, func(a, b entry) bool { return a.key == b.key && a.value == b.value })
	if !same || m.q.Len() != len(m.want) {
		m.t.Fatalf("%v wait, want %v", got, m.want)
	}
	if hasKeys := slices.ContainsFunc(m.want, func(e entry) bool { return e.known }); m.q.HasKeys() != hasKeys {
		m.t.Fatalf("HasKeys is %v of %v", !hasKeys, m.want)
	}
	first, key := m.q.First()
	last := m.q.Last()
	switch {
	case len(m.want) == 0:
		if first != nil || last != nil || cap(m.q.items) > keptItems || m.q.index != nil && m.q.index.most > keptKeys {
			m.t.Fatal("an empty queue has values, or memory")
		}
	case *first != m.want[0].value || key != m.want[0].key || *last != m.want[len(m.want)-1].value:
		m.t.Fatalf("%d is first, %d last of %v", *first, *last, m.want)
	}
}

// FuzzQueue compares a queue with a list that is searched from end to end.
func FuzzQueue(f *testing.F) {
	f.Add([]byte("\x05\x0d\x15\x05\x12"))
	f.Add([]byte("\x05\x0d\x01\x05\x00\x0d\x04\x05\x0b\x7a"))
	for seed := range byte(8) {
		ops, x := make([]byte, 600), uint32(seed)*2654435761+1
		for i := range ops {
			x = x*1664525 + 1013904223
			ops[i] = byte(x >> 24)
			if ops[i]&7 == 2 && seed%2 == 0 { // let many wait
				ops[i] &= 0x17
			}
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := &model{t: t}
		for _, op := range ops {
			m.step(op)
		}
		m.step(0xfa)
	})
}

// TestToTheEndIsBounded has each of many values replaced at the end, again and again:
// the gaps that they leave are closed.
func TestToTheEndIsBounded(t *testing.T) {
	t.Parallel()
	const keys = 500
	var q Queue[int]
	for i := range 20 * keys {
		q.Fence()
		q.Put(fmt.Sprint(i%keys), i)
		if n := len(q.items); n > 2*keys+keptItems {
			t.Fatalf("%d items for %d values", n, q.Len())
		}
	}
	for i := range keys {
		if v := q.Pop(); v != 19*keys+i {
			t.Fatalf("popped %d, want %d", v, 19*keys+i)
		}
	}
	if q.items != nil || q.index != nil {
		t.Error("an empty queue holds memory")
	}
}

// TestToTheEndOfALargeIndex replaces the last of many values with keys: what is queued
// behind it is not a fence.
func TestToTheEndOfALargeIndex(t *testing.T) {
	t.Parallel()
	var q Queue[int]
	for i := range keptKeys + 1 {
		q.Put(fmt.Sprint(i), i)
	}
	for q.Len() > 1 {
		q.Pop()
	}
	q.Fence()
	q.Put(fmt.Sprint(keptKeys), 1)
	q.Put("other", 2)
	q.Put(fmt.Sprint(keptKeys), 3)
	if a, b := q.Pop(), q.Pop(); a != 3 || b != 2 {
		t.Errorf("%d and %d wait, want 3 and 2", a, b)
	}
}

// TestLetsGo: an empty queue keeps little memory, and nothing that was in it.
func TestLetsGo(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 16, keptItems + 1, 1000} {
		var q Queue[*int]
		for i := range n {
			q.Append(&i)
			q.Put("key", &i)
			q.Put(fmt.Sprint(i), &i)
			q.Fence()
		}
		for q.Len() > 0 {
			q.Pop()
		}
		if cap(q.items) > keptItems || n >= keptKeys && q.index != nil {
			t.Errorf("after %d values it keeps room for %d, and %+v", n, cap(q.items), q.index)
		}
		for _, it := range q.items[:cap(q.items)] {
			if it.value != nil || it.key != "" {
				t.Fatalf("after %d values it keeps one of them", n)
			}
		}
		q.ForgetKeys()
		if q.index != nil {
			t.Errorf("after %d values it keeps %+v", n, q.index)
		}
	}
}

func TestAllocQueue(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	var q Queue[[4]int]
	if n := testing.AllocsPerRun(100, func() {
		for i := range 15 {
			q.Append([4]int{i})
			q.Put("key", [4]int{i})
		}
		for q.Len() > 0 {
			q.Pop()
		}
	}); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
