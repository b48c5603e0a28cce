package queue

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

const (
	roomy = 1 << 20 // a bound that is not reached
	most  = 128 << 10
)

func queueOf(each int) *Queue { return &Queue{Budget: &Budget{Each: each, Pool: NewPool(roomy)}} }

func ownFrame(s string) Frame {
	f := NewFrame(len(s))
	copy(f.Bytes(), s)
	return f
}

// forms are the ways in which a message is queued.
var forms = map[string]func(q *Queue, frame string) error{ //nolint:gochecknoglobals // a table
	"copied": func(q *Queue, s string) error {
		b, err := q.AddMessage(len(s), nil)
		copy(b, s)
		return err
	},
	"own":    func(q *Queue, s string) error { return q.Add(ownFrame(s), nil) },
	"shared": func(q *Queue, s string) error { return q.Add(NewShared([]byte(s), q.Budget.Pool).Frame(), nil) },
}

// add queues a small message, as most are.
func add(t *testing.T, q *Queue, frame string) {
	t.Helper()
	if err := forms["copied"](q, frame); err != nil {
		t.Fatalf("%.40q: %v", frame, err)
	}
}

// addShared queues a large message that others share.
func addShared(t *testing.T, q *Queue, frame string) {
	t.Helper()
	if err := forms["shared"](q, frame); err != nil {
		t.Fatalf("%.40q: %v", frame, err)
	}
}

// writeAll writes everything, as the writer does.
func writeAll(q *Queue) (written string, drained bool) {
	var all bytes.Buffer
	for {
		pieces := q.Peek(most)
		if len(pieces) == 0 {
			return all.String(), drained
		}
		n := 0
		for _, p := range pieces {
			n += len(p)
			all.Write(p)
		}
		drained = q.Advance(n, nil) || drained
	}
}

// wantEmpty fails if q holds anything.
func wantEmpty(t *testing.T, q *Queue) {
	t.Helper()
	if q.state != nil || q.Pending() != 0 || q.Budget.Used() != 0 {
		t.Errorf("left behind: %d pending, %d charged", q.Pending(), q.Budget.Used())
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	want := ""
	q := queueOf(roomy)
	for i, form := range []string{"copied", "copied", "shared", "copied", "own", "own", "shared", "copied"} {
		s := fmt.Sprintf("<%d %s>", i, form)
		if err := forms[form](q, s); err != nil {
			t.Fatal(err)
		}
		want += s
		if i%3 == 1 {
			q.AddControl([]byte("(pong)"), false)
			want += "(pong)"
		}
	}
	q.AddControl([]byte("(close)"), true)
	if got, _ := writeAll(q); got != want+"(close)" {
		t.Errorf("wrote %q, want %q and the close", got, want)
	}
	if !q.Finished() {
		t.Error("not finished although the last frame is written")
	}
	wantEmpty(t, q)
}

func TestLimit(t *testing.T) {
	t.Parallel()
	const limit = 100
	for form, add := range forms {
		q := queueOf(limit)
		if err := add(q, strings.Repeat("a", 1000)); err != nil { // one always fits
			t.Fatalf("%s: %v", form, err)
		}
		if err := add(q, "b"); !errors.Is(err, protocol.ErrQueueFull) {
			t.Errorf("%s: a second one: got %v, want ErrQueueFull", form, err)
		}
		if q.OfferControl([]byte("pong")) {
			t.Errorf("%s: not full", form)
		}
		q.AddControl([]byte("control"), false) // passes whatever the limit
		if got, drained := writeAll(q); !drained || !strings.HasSuffix(got, "acontrol") {
			t.Errorf("%s: wrote %.20q..., drained %v", form, got, drained)
		}
		for _, row := range []struct {
			size int
			err  error
		}{{60, nil}, {41, protocol.ErrQueueFull}, {40, nil}} {
			if err := add(q, strings.Repeat("a", row.size)); !errors.Is(err, row.err) {
				t.Errorf("%s: %d of %d: got %v, want %v", form, row.size, limit, err, row.err)
			}
		}
	}
}

// growth decides that a queue may grow to a limit of its own.
type growth struct {
	limit, asked, drained int
}

func (g *growth) QueueAdmits(queued, n int) bool {
	g.asked++
	return queued+n <= g.limit
}
func (g *growth) QueueDrained() { g.drained++ }

// TestQueueIsSmall makes sure that an empty queue is a few words.
func TestQueueIsSmall(t *testing.T) {
	t.Parallel()
	if size := reflect.TypeFor[Queue]().Size(); size > 32 {
		t.Errorf("a queue has %d bytes, want at most 32", size)
	}
}

// TestGrowth asks only when the queue is more than half full, and tells once when it no
// longer is.
func TestGrowth(t *testing.T) {
	t.Parallel()
	const limit = 100
	q, g := queueOf(limit), &growth{limit: 2 * limit}
	frame := strings.Repeat("a", 50)
	for round := range 3 {
		for i, row := range []struct {
			asked int
			err   error
		}{{0, nil}, {1, nil}, {2, nil}, {3, nil}, {4, protocol.ErrQueueFull}} {
			if err := q.Add(ownFrame(frame), g); g.asked-4*round != row.asked || !errors.Is(err, row.err) {
				t.Errorf("message %d: %v, and asked %d times, want %v and %d", i, err, g.asked-4*round, row.err, row.asked)
			}
		}
		q.Peek(most)
		if drained := q.Advance(100, g); drained || g.drained != round {
			t.Errorf("drained %v, told %d times, with 100 left", drained, g.drained)
		}
		if drained := q.Advance(50, g); !drained || g.drained != round+1 {
			t.Errorf("drained %v, told %d times, with 50 left", drained, g.drained)
		}
		if drained := q.Advance(50, g); drained || g.drained != round+1 {
			t.Errorf("drained %v, told %d times, again", drained, g.drained)
		}
	}
	wantEmpty(t, q)
}

// TestDrained tells of a drained queue only if a message was refused, and once.
func TestDrained(t *testing.T) {
	t.Parallel()
	const limit = 100
	q := queueOf(limit)
	for range 9 {
		if err := forms["own"](q, strings.Repeat("a", 10)); err != nil {
			t.Fatal(err)
		}
	}
	q.Peek(most)
	if q.Advance(10, nil) {
		t.Error("drained, though nothing was refused")
	}
	if err := forms["copied"](q, strings.Repeat("b", 50)); !errors.Is(err, protocol.ErrQueueFull) {
		t.Fatalf("got %v, want ErrQueueFull", err)
	}
	for _, want := range []bool{false, false, true, false} { // 70, 60, 50 and 40 are left
		if got := q.Advance(10, nil); got != want {
			t.Errorf("drained %v, want %v", got, want)
		}
	}
}

func TestFinal(t *testing.T) {
	t.Parallel()
	for _, final := range []func(q *Queue) string{
		func(q *Queue) string { q.AddControl([]byte("(close)"), true); return "(close)" },
		func(q *Queue) string { q.Finish(); return "" },
	} {
		q := queueOf(roomy)
		add(t, q, "<1>")
		last := final(q)
		for form, add := range forms {
			if err := add(q, "<2>"); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("%s behind the close: got %v, want ErrClosed", form, err)
			}
		}
		if _, err := q.Replace("key", ownFrame("<3>"), nil); !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("with a key behind the close: got %v, want ErrClosed", err)
		}
		if q.AddControl([]byte("(pong)"), false) || q.OfferControl([]byte("(pong)")) || q.AddControl([]byte("(again)"), true) {
			t.Error("a control frame was added behind the close")
		}
		if n := q.DropOldest(10); n != 0 || q.Finished() {
			t.Errorf("%d dropped behind the close, finished %v", n, q.Finished())
		}
		if got, _ := writeAll(q); got != "<1>"+last || !q.Finished() {
			t.Errorf("wrote %q, finished %v", got, q.Finished())
		}
	}
}

// TestAbort drops everything, but leaves its bytes to the writer that has a part of it.
func TestAbort(t *testing.T) {
	t.Parallel()
	for _, lent := range []bool{false, true} {
		q := queueOf(roomy)
		add(t, q, "<1>")
		addShared(t, q, strings.Repeat("s", 10_000))
		pieces := q.Peek(most)
		if !lent {
			q.Advance(2, nil)
		}
		add(t, q, "<2>")
		q.Abort()
		if !q.Finished() || len(q.Peek(most)) > 0 {
			t.Error("not finished after Abort")
		}
		if lent {
			if string(pieces[0]) != "<1>" {
				t.Errorf("the writer has %q", pieces[0])
			}
			q.Advance(3, nil)
		}
		wantEmpty(t, q)
		if err := forms["copied"](q, "<3>"); !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		q.Abort()
	}
}

// TestPeek is about what is returned, how much of it at once, and what is started.
func TestPeek(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("L", 3000)
	for _, row := range []struct {
		at      testkit.Line
		frames  []string // large ones are entries of their own
		keyed   bool     // the last one has a key
		most    int
		advance int
		want    []int // sizes of the pieces, then
	}{
		{testkit.Here(), []string{"<1>"}, false, most, 0, []int{3}},
		{testkit.Here(), []string{"<1>", "<2>"}, false, most, 0, []int{6}},
		{testkit.Here(), []string{"<1>", "<2>"}, false, most, 1, []int{5}},
		{testkit.Here(), []string{"<1>", "<2>"}, false, 4, 0, []int{4}},
		{testkit.Here(), []string{"<1>", "<2>"}, false, 4, 4, []int{2}},
		{testkit.Here(), []string{"<1>", large, "<2>"}, false, most, 0, []int{3, 3000, 3}},
		{testkit.Here(), []string{"<1>", large, "<2>"}, false, most, 5, []int{2998, 3}},
		{testkit.Here(), []string{"<1>", large, "<2>"}, false, 3003, 0, []int{3, 3000}},
		{testkit.Here(), []string{"<1>", large, "<2>"}, false, 3002, 0, []int{3}}, // entries are started as a whole
		{testkit.Here(), []string{large, large}, false, 2000, 0, []int{2000}},
		{testkit.Here(), []string{large, large}, false, 2000, 2000, []int{1000}},
		{testkit.Here(), []string{large, large}, false, 5000, 0, []int{3000}},
		{testkit.Here(), []string{large, large, large, large, large, large}, false, most, 0, []int{3000, 3000, 3000, 3000, 3000, 3000}},
		{testkit.Here(), []string{large, large, large, large, large, large}, true, most, 0, []int{3000, 3000, 3000, 3000, 3000}},
		{testkit.Here(), []string{strings.Repeat(large, 10), "<1>"}, true, most, 0, []int{30_000}},
	} {
		q := queueOf(roomy)
		for i, frame := range row.frames {
			switch {
			case row.keyed && i == len(row.frames)-1:
				if _, err := q.Replace("key", ownFrame(frame), nil); err != nil {
					t.Fatal(err)
				}
			case len(frame) >= len(large):
				addShared(t, q, frame)
			default:
				add(t, q, frame)
			}
		}
		var got []int
		if row.advance > 0 {
			q.Peek(row.most)
			q.Advance(row.advance, nil)
		}
		for _, p := range q.Peek(row.most) {
			got = append(got, len(p))
		}
		if fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%s: pieces of %v, want %v", row.at, got, row.want)
		}
	}
}

// TestStarted makes sure that nothing is added to what is being written.
func TestStarted(t *testing.T) {
	t.Parallel()
	q := queueOf(roomy)
	add(t, q, "<1>")
	first := q.Peek(most)
	add(t, q, "<2>")
	if string(first[0]) != "<1>" || !q.Started() {
		t.Errorf("got %q, started %v", first, q.Started())
	}
	q.Advance(2, nil)
	second := q.Peek(most)
	if len(second) != 2 || string(second[0]) != ">" || string(second[1]) != "<2>" || !q.Started() {
		t.Errorf("got %q, started %v", second, q.Started())
	}
	q.Advance(1, nil)
	if !q.Started() || q.Pending() != 3 {
		t.Errorf("started %v, %d pending", q.Started(), q.Pending())
	}
	q.Advance(3, nil)
	if q.Started() {
		t.Error("started, and all is written")
	}
	wantEmpty(t, q)
}

// TestReserved has frames that are made later keep their place: what is behind them waits.
func TestReserved(t *testing.T) {
	t.Parallel()
	q := queueOf(roomy)
	add(t, q, "<1>")
	second, third := ReserveFrame(3), ReserveFrame(3)
	if err := q.Add(second, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Replace("key", third, nil); err != nil {
		t.Fatal(err)
	}
	q.AddControl([]byte("(close)"), true)
	wantNext := func(want string, pending int) {
		t.Helper()
		if ready := q.Ready(); ready != (want != "") {
			t.Errorf("ready: %v, want %q", ready, want)
		}
		if got, _ := writeAll(q); got != want || q.Pending() != pending || q.Finished() != (pending == 0) {
			t.Errorf("wrote %q, %d pending, finished %v, want %q and %d", got, q.Pending(), q.Finished(), want, pending)
		}
	}
	wantNext("<1>", 13)
	q.Fill(third, ownFrame("<3>"))
	wantNext("", 13)
	q.Fill(second, ownFrame("<2>"))
	wantNext("<2><3>(close)", 0)
	wantEmpty(t, q)
}

// TestReservedIsGone makes a frame that was replaced, dropped, or aborted meanwhile.
func TestReservedIsGone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lose func(q *Queue)
		want string
	}{
		"replaced": {func(q *Queue) { q.Replace("key", ownFrame("<2>"), nil) }, "<2>"}, //nolint:errcheck // what is written shows it
		"dropped":  {func(q *Queue) { q.DropOldest(roomy) }, ""},
		"aborted":  {(*Queue).Abort, ""},
	} {
		q := queueOf(roomy)
		reserved := ReserveFrame(3)
		if _, err := q.Replace("key", reserved, nil); err != nil {
			t.Fatal(err)
		}
		row.lose(q)
		q.Fill(reserved, ownFrame("<1>"))
		if got, _ := writeAll(q); got != row.want {
			t.Errorf("%s: wrote %q, want %q", name, got, row.want)
		}
		wantEmpty(t, q)
	}
}

// TestMemory alternates messages and control frames of a few bytes: they share memory.
func TestMemory(t *testing.T) {
	t.Parallel()
	q := queueOf(roomy)
	for range 10_000 {
		add(t, q, "..")
		q.OfferControl([]byte(".."))
	}
	memory := q.Memory()
	if memory > 10*q.Pending() {
		t.Errorf("%d bytes pending take %d", q.Pending(), memory)
	}
	if got, _ := writeAll(q); len(got) != 40_000 {
		t.Errorf("wrote %d bytes", len(got))
	}
	wantEmpty(t, q)
}

// TestAllocQueue is about messages that are queued and written, again and again.
func TestAllocQueue(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	for _, size := range []int{2, 64, 1500, 16 << 10} {
		q := queueOf(roomy)
		shared := NewShared(make([]byte, size), q.Budget.Pool)
		for form, add := range map[string]func() error{
			"copied": func() error { _, err := q.AddMessage(size, nil); return err },
			"own":    func() error { return q.Add(NewFrame(size), nil) },
			"shared": func() error { return q.Add(shared.Frame(), nil) },
			"keyed":  func() error { _, err := q.Replace("key", NewFrame(size), nil); return err },
		} {
			if n := testing.AllocsPerRun(100, func() {
				for range 5 {
					if err := add(); err != nil {
						t.Fatal(err)
					}
				}
				for q.Pending() > 0 {
					n := 0
					for _, p := range q.Peek(most) {
						n += len(p)
					}
					q.Advance(n, nil)
				}
			}); n > 0 {
				t.Errorf("%s of %d bytes: %v allocations, want none", form, size, n)
			}
		}
	}
}
