package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
)

// TestConflationBeforeTheAnswerAtRandom compares what waits for the answer with a
// list that is searched from end to end.
func TestConflationBeforeTheAnswerAtRandom(t *testing.T) {
	t.Parallel()
	var conflated, full int
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		e, limit := &opening{}, random.IntN(20_000)
		var want early
		for i := range 200 {
			m := Text(fmt.Sprint(i, strings.Repeat(" ", random.IntN(300))))
			if n := random.IntN(12); n > 0 {
				m.Key = strings.Repeat("k", n)
			}
			at, room := want.find(m.Key), limit-want.counted()
			if at >= 0 {
				room += counted(want[at])
			}
			o := outgoing{msg: m}
			if random.IntN(2) == 0 {
				o = outgoing{prepared: Prepare(m)}
			}
			fits := room == limit || counted(m) <= room
			if replaced, ok := e.add(o, limit); ok != fits || replaced != (ok && at >= 0) {
				t.Fatalf("seed %d: message %d: conflated %v, %v, want %v, %v", seed, i, replaced, ok, fits && at >= 0, fits)
			}
			if !fits {
				full++
				continue
			}
			conflated += min(at+1, 1)
			want = want.put(at, m)
		}
		checkWaiting(t, seed, e, want)
	}
	if conflated < 1000 || full < 1000 {
		t.Errorf("only %d conflated and %d did not fit", conflated, full)
	}
}

// early is what waits for the answer.
type early []Message

func (w early) find(key string) int {
	return slices.IndexFunc(w, func(m Message) bool { return key != "" && m.Key == key })
}

func (w early) counted() (n int) {
	for _, m := range w {
		n += counted(m)
	}
	return n
}

// put returns w with m, instead of the message at that place if there is one.
func (w early) put(at int, m Message) early {
	switch keyless := func(m Message) bool { return m.Key == "" }; {
	case at < 0:
		return append(w, m)
	case slices.ContainsFunc(w[at:], keyless):
		return append(slices.Delete(w, at, at+1), m)
	}
	w[at] = m
	return w
}

// counted is what m counts before the answer.
func counted(m Message) int {
	n := len(m.Data) + messageOverhead
	if m.Key != "" {
		n += len(m.Key) + plumbing.KeyOverhead
	}
	return n
}

func checkWaiting(t *testing.T, seed uint64, e *opening, want early) {
	t.Helper()
	i := 0
	for _, o := range e.waiting.All() {
		got := o.msg
		if o.prepared != nil {
			got = o.prepared.Message()
		}
		if i >= len(want) || got.Text() != want[i].Text() || got.Key != want[i].Key {
			t.Fatalf("seed %d: %q waits in place %d", seed, got.Data, i)
		}
		i++
	}
	if e.waiting.Len() != len(want) || e.queued != want.counted() {
		t.Errorf("seed %d: %d wait and count %d, want %d and %d", seed, e.waiting.Len(), e.queued, len(want), want.counted())
	}
}
