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

// TestLifecycleEnd ends a connection twice in every state, from both sides in every
// order.
func TestLifecycleEnd(t *testing.T) {
	t.Parallel()
	one, two := CloseStatus{Code: 4001, Reason: "one"}, CloseStatus{Code: 4002, Reason: "two", Remote: true}
	type effects = [2]effect
	early, open, ended, settled := []state{stateOpening, stateAnswering}, []state{stateOpen}, []state{stateEnded}, []state{stateClosed, stateRejected}
	for _, test := range []struct {
		at   testkit.Line
		from []state
		ours [2]bool
		want effects
		then lifecycle // but for its state
	}{
		{testkit.Here(), early, [2]bool{true, true}, effects{endNoted, endIgnored}, lifecycle{early: true, local: true, stopped: true, status: one}},
		{testkit.Here(), early, [2]bool{true, false}, effects{endNoted, endIgnored}, lifecycle{early: true, stopped: true, status: one}},
		{testkit.Here(), early, [2]bool{false, true}, effects{endNoted, endIgnored}, lifecycle{early: true, stopped: true, status: one}},
		{testkit.Here(), early, [2]bool{false, false}, effects{endNoted, endIgnored}, lifecycle{early: true, status: one}},
		{testkit.Here(), open, [2]bool{true, true}, effects{endNow, endIgnored}, lifecycle{local: true, stopped: true, status: one}},
		{testkit.Here(), open, [2]bool{true, false}, effects{endNow, endIgnored}, lifecycle{local: true, stopped: true, status: one}},
		{testkit.Here(), open, [2]bool{false, true}, effects{endNow, endStops}, lifecycle{stopped: true, status: one}},
		{testkit.Here(), open, [2]bool{false, false}, effects{endNow, endIgnored}, lifecycle{status: one}},
		{testkit.Here(), ended, [2]bool{true, true}, effects{endStops, endIgnored}, lifecycle{stopped: true}},
		{testkit.Here(), ended, [2]bool{false, true}, effects{endIgnored, endStops}, lifecycle{stopped: true}},
		{testkit.Here(), ended, [2]bool{false, false}, effects{endIgnored, endIgnored}, lifecycle{}},
		{testkit.Here(), settled, [2]bool{true, false}, effects{endIgnored, endIgnored}, lifecycle{stopped: true}},
		{testkit.Here(), settled, [2]bool{false, true}, effects{endIgnored, endIgnored}, lifecycle{stopped: true}},
	} {
		for _, from := range test.from {
			l := lifecycle{state: from}
			got := effects{l.end(one, test.ours[0]), l.end(two, test.ours[1])}
			test.then.state = max(from, min(from+1, stateEnded))
			if from < stateOpen {
				test.then.state = from
			}
			if got != test.want || l != test.then {
				t.Errorf("%s: from %d: changed %v and became %+v, want %v and %+v", test.at, from, got, l, test.want, test.then)
			}
		}
	}
}

// TestLifecycleDelivery: what may still be handed over, for every order in which the
// peer's end and ours meet.
func TestLifecycleDelivery(t *testing.T) {
	t.Parallel()
	const ours, peers = true, false
	for _, test := range []struct {
		at           testkit.Line
		before       []bool // ends while opening
		during       []bool // ends while answering
		after        []bool // ends once open
		want, closed delivery
	}{
		{testkit.Here(), nil, nil, nil, deliverAll, deliverAll},
		{testkit.Here(), nil, nil, []bool{peers}, deliverMessages, deliverNothing},
		{testkit.Here(), nil, nil, []bool{peers, peers}, deliverMessages, deliverNothing},
		{testkit.Here(), nil, nil, []bool{ours}, deliverNothing, deliverNothing},
		{testkit.Here(), nil, nil, []bool{ours, peers}, deliverNothing, deliverNothing},
		{testkit.Here(), nil, nil, []bool{peers, ours}, deliverNothing, deliverNothing},
		{testkit.Here(), nil, []bool{peers}, nil, deliverMessages, deliverNothing},
		{testkit.Here(), nil, []bool{ours}, nil, deliverNothing, deliverNothing},
		{testkit.Here(), nil, []bool{ours, peers}, nil, deliverNothing, deliverNothing},
		{testkit.Here(), nil, []bool{peers, ours}, nil, deliverNothing, deliverNothing},
		{testkit.Here(), nil, []bool{peers}, []bool{ours}, deliverNothing, deliverNothing},
		{testkit.Here(), nil, []bool{ours}, []bool{peers}, deliverNothing, deliverNothing},
		{testkit.Here(), []bool{peers}, []bool{ours}, nil, deliverNothing, deliverNothing},
		{testkit.Here(), []bool{ours}, []bool{peers}, nil, deliverNothing, deliverNothing},
		{testkit.Here(), []bool{peers}, nil, nil, deliverMessages, deliverNothing},
	} {
		var l lifecycle
		end := func(all []bool) {
			for _, ours := range all {
				l.end(CloseStatus{Code: 4001}, ours)
			}
		}
		end(test.before)
		l.step(stateAnswering)
		end(test.during)
		if got := l.delivery(); got != deliverAll {
			t.Errorf("%s: before the answer %d, want what waits to wait for later", test.at, got)
		}
		l.open()
		end(test.after)
		if got := l.delivery(); got != test.want {
			t.Errorf("%s: %d, want %d: %+v", test.at, got, test.want, l)
		}
		l.step(stateClosed)
		if got := l.delivery(); got != test.closed {
			t.Errorf("%s: when all is over %d, want %d", test.at, got, test.closed)
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
	if l.end(CloseStatus{Code: CloseNormal}, true) != endNow || !l.step(stateClosed) || !l.settled() {
		t.Errorf("ended as %+v", l)
	}
}
