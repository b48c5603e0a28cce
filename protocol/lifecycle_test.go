package protocol

import (
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestLifecycleSteps tries every step from every state against what is written
// on the constants.
func TestLifecycleSteps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at            testkit.Line
		from          state
		next          []state
		over, settled bool
	}{
		{testkit.Here(), stateOpening, []state{stateAnswering, stateRejected}, false, false},
		{testkit.Here(), stateAnswering, []state{stateOpen, stateRejected}, false, false},
		{testkit.Here(), stateOpen, []state{stateEnded}, false, false},
		{testkit.Here(), stateEnded, []state{stateClosed}, true, false},
		{testkit.Here(), stateClosed, nil, true, true},
		{testkit.Here(), stateRejected, nil, true, true},
	} {
		for _, to := range []state{stateOpening, stateAnswering, stateOpen, stateEnded, stateClosed, stateRejected} {
			l := lifecycle{state: test.from}
			if over, settled := l.over(), l.settled(); over != test.over || settled != test.settled {
				t.Errorf("%s: over: %v, settled: %v", test.at, over, settled)
			}
			legal := slices.Contains(test.next, to)
			if got := l.step(to); got != legal {
				t.Errorf("%s: step to %d: %v, want %v", test.at, to, got, legal)
			}
			want := test.from
			if legal {
				want = to
			}
			if l.state != want {
				t.Errorf("%s: step to %d leads to %d, want %d", test.at, to, l.state, want)
			}
		}
	}
}

func TestLifecycleEnd(t *testing.T) {
	t.Parallel()
	one, two := CloseStatus{Code: 4001, Reason: "one"}, CloseStatus{Code: 4002, Reason: "two", Remote: true}
	for _, test := range []struct {
		at     testkit.Line
		from   state
		first  bool // the first end is the end, now
		early  bool // it will be when the connection is open
		to     state
		status CloseStatus
	}{
		{testkit.Here(), stateOpening, false, true, stateOpening, one},
		{testkit.Here(), stateAnswering, false, true, stateAnswering, one},
		{testkit.Here(), stateOpen, true, false, stateEnded, one},
		{testkit.Here(), stateEnded, false, false, stateEnded, CloseStatus{}},
		{testkit.Here(), stateClosed, false, false, stateClosed, CloseStatus{}},
		{testkit.Here(), stateRejected, false, false, stateRejected, CloseStatus{}},
	} {
		for _, local := range []bool{true, false} {
			l := lifecycle{state: test.from}
			if got := l.end(one, local); got != test.first {
				t.Errorf("%s: the first end: %v, want %v", test.at, got, test.first)
			}
			if l.end(two, local) {
				t.Errorf("%s: a second end is called the first", test.at)
			}
			ended := test.early || test.first
			if l.state != test.to || l.early != test.early || l.status != test.status || l.local != (local && ended) {
				t.Errorf("%s: local %v: became %+v", test.at, local, l)
			}
		}
	}
}

// TestLifecycleZero: the zero value is a connection that opens.
func TestLifecycleZero(t *testing.T) {
	t.Parallel()
	var l lifecycle
	for _, next := range []state{stateAnswering, stateOpen} {
		if !l.step(next) {
			t.Fatalf("no step to %d", next)
		}
	}
	if !l.end(CloseStatus{Code: CloseNormal}, true) || !l.step(stateClosed) || !l.settled() {
		t.Errorf("ended as %+v", l)
	}
}
