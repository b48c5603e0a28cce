package lifecycle

import (
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestSteps tries every step from every state against what is written on the constants.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at            testkit.Line
		from          State
		next          []State
		over, settled bool
	}{
		{testkit.Here(), Opening, []State{Answering, Rejected}, false, false},
		{testkit.Here(), Answering, []State{Open, Rejected}, false, false},
		{testkit.Here(), Open, []State{Closing}, false, false},
		{testkit.Here(), Closing, []State{Closed}, true, false},
		{testkit.Here(), Closed, nil, true, true},
		{testkit.Here(), Rejected, nil, true, true},
	} {
		for _, to := range []State{Opening, Answering, Open, Closing, Closed, Rejected} {
			m := Machine{state: test.from}
			if over, settled := m.IsOver(), m.IsSettled(); over != test.over || settled != test.settled {
				t.Errorf("%s: over: %v, settled: %v", test.at, over, settled)
			}
			legal := slices.Contains(test.next, to)
			if got := m.step(to); got != legal {
				t.Errorf("%s: step to %d: %v, want %v", test.at, to, got, legal)
			}
			want := test.from
			if legal {
				want = to
			}
			if m.state != want {
				t.Errorf("%s: step to %d leads to %d, want %d", test.at, to, m.state, want)
			}
		}
	}
}

// TestClose closes a connection twice in every state, from both sides in every order.
func TestClose(t *testing.T) {
	t.Parallel()
	type effects = [2]Effect
	early, open, closing, settled := []State{Opening, Answering}, []State{Open}, []State{Closing}, []State{Closed, Rejected}
	for _, test := range []struct {
		at   testkit.Line
		from []State
		ours [2]bool
		want effects
		then Machine // but for its state
	}{
		{testkit.Here(), early, [2]bool{true, true}, effects{Noted, Ignored}, Machine{early: true, local: true, stopped: true}},
		{testkit.Here(), early, [2]bool{true, false}, effects{Noted, Ignored}, Machine{early: true, stopped: true}},
		{testkit.Here(), early, [2]bool{false, true}, effects{Noted, Ignored}, Machine{early: true, stopped: true}},
		{testkit.Here(), early, [2]bool{false, false}, effects{Noted, Ignored}, Machine{early: true}},
		{testkit.Here(), open, [2]bool{true, true}, effects{Closes, Ignored}, Machine{local: true, stopped: true}},
		{testkit.Here(), open, [2]bool{true, false}, effects{Closes, Ignored}, Machine{local: true, stopped: true}},
		{testkit.Here(), open, [2]bool{false, true}, effects{Closes, Stops}, Machine{stopped: true}},
		{testkit.Here(), open, [2]bool{false, false}, effects{Closes, Ignored}, Machine{}},
		{testkit.Here(), closing, [2]bool{true, true}, effects{Stops, Ignored}, Machine{stopped: true}},
		{testkit.Here(), closing, [2]bool{false, true}, effects{Ignored, Stops}, Machine{stopped: true}},
		{testkit.Here(), closing, [2]bool{false, false}, effects{Ignored, Ignored}, Machine{}},
		{testkit.Here(), settled, [2]bool{true, false}, effects{Ignored, Ignored}, Machine{stopped: true}},
		{testkit.Here(), settled, [2]bool{false, true}, effects{Ignored, Ignored}, Machine{stopped: true}},
	} {
		for _, from := range test.from {
			m := Machine{state: from}
			got := effects{m.Close(test.ours[0]), m.Close(test.ours[1])}
			test.then.state = max(from, min(from+1, Closing))
			if from < Open {
				test.then.state = from
			}
			if got != test.want || m != test.then {
				t.Errorf("%s: from %d: changed %v and became %+v, want %v and %+v", test.at, from, got, m, test.want, test.then)
			}
		}
	}
}

// TestDelivery: what may still be handed over, for every order in which the peer's close
// and ours meet.
func TestDelivery(t *testing.T) {
	t.Parallel()
	const ours, peers = true, false
	for _, test := range []struct {
		at           testkit.Line
		before       []bool // closes while opening
		during       []bool // closes while answering
		after        []bool // closes once open
		want, closed Delivery
	}{
		{testkit.Here(), nil, nil, nil, DeliverAll, DeliverAll},
		{testkit.Here(), nil, nil, []bool{peers}, DeliverMessages, DeliverNothing},
		{testkit.Here(), nil, nil, []bool{peers, peers}, DeliverMessages, DeliverNothing},
		{testkit.Here(), nil, nil, []bool{ours}, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, nil, []bool{ours, peers}, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, nil, []bool{peers, ours}, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, []bool{peers}, nil, DeliverMessages, DeliverNothing},
		{testkit.Here(), nil, []bool{ours}, nil, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, []bool{ours, peers}, nil, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, []bool{peers, ours}, nil, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, []bool{peers}, []bool{ours}, DeliverNothing, DeliverNothing},
		{testkit.Here(), nil, []bool{ours}, []bool{peers}, DeliverNothing, DeliverNothing},
		{testkit.Here(), []bool{peers}, []bool{ours}, nil, DeliverNothing, DeliverNothing},
		{testkit.Here(), []bool{ours}, []bool{peers}, nil, DeliverNothing, DeliverNothing},
		{testkit.Here(), []bool{peers}, nil, nil, DeliverMessages, DeliverNothing},
	} {
		var m Machine
		closeAll := func(all []bool) {
			for _, ours := range all {
				m.Close(ours)
			}
		}
		closeAll(test.before)
		m.step(Answering)
		closeAll(test.during)
		if got := m.Delivery(); got != DeliverAll {
			t.Errorf("%s: before the answer %d, want what waits to wait for later", test.at, got)
		}
		m.Open()
		closeAll(test.after)
		if got := m.Delivery(); got != test.want {
			t.Errorf("%s: %d, want %d: %+v", test.at, got, test.want, m)
		}
		m.Disconnected()
		if got := m.Delivery(); got != test.closed {
			t.Errorf("%s: when all is over %d, want %d", test.at, got, test.closed)
		}
	}
}

// TestAnswer answers a connection that was closed before or during the answer.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at             testkit.Line
		before, during bool // a close
		answered       bool
		opened         Effect
		then           State
		early          bool
	}{
		{testkit.Here(), false, false, true, Ignored, Open, false},
		{testkit.Here(), true, false, false, Ignored, Rejected, true},
		{testkit.Here(), false, true, true, Closes, Closing, false},
	} {
		var m Machine
		if test.before {
			m.Close(true)
		}
		answered, opened := m.Answer(), Ignored
		if test.during {
			m.Close(true)
		}
		if answered {
			opened = m.Open()
		}
		m.Reject() // changes nothing if the connection was accepted
		if answered != test.answered || opened != test.opened || m.State() != test.then || m.IsEarly() != test.early {
			t.Errorf("%s: answered: %v, then %v: %+v", test.at, answered, opened, m)
		}
	}
}

// TestNext: what the executor does next, in every state and whatever waits.
func TestNext(t *testing.T) {
	t.Parallel()
	active, over := []State{Opening, Answering, Open}, []State{Closing, Closed, Rejected}
	for _, test := range []struct {
		at   testkit.Line
		in   []State
		p    Pending
		want Work
	}{
		{testkit.Here(), active, Pending{}, Idle},
		{testkit.Here(), active, Pending{Goroutines: true, Deferred: true}, Idle},
		{testkit.Here(), active, Pending{Mail: true, Goroutines: true, Deferred: true}, HandOver},
		{testkit.Here(), over, Pending{Mail: true, Goroutines: true, Deferred: true}, HandOver},
		{testkit.Here(), over, Pending{Goroutines: true, Deferred: true}, AwaitGoroutines},
		{testkit.Here(), over, Pending{Goroutines: true}, AwaitGoroutines},
		{testkit.Here(), []State{Closing}, Pending{Deferred: true}, Disconnect},
		{testkit.Here(), []State{Closing}, Pending{}, Disconnect},
		{testkit.Here(), []State{Closed, Rejected}, Pending{Deferred: true}, RunDeferred},
		{testkit.Here(), []State{Closed, Rejected}, Pending{}, Idle},
	} {
		for _, in := range test.in {
			m := Machine{state: in}
			if got := m.Next(test.p); got != test.want {
				t.Errorf("%s: in state %d: %d, want %d", test.at, in, got, test.want)
			}
		}
	}
}

// TestZero: the zero value is a connection that opens.
func TestZero(t *testing.T) {
	t.Parallel()
	var m Machine
	if !m.Answer() || m.Open() != Ignored || m.State() != Open {
		t.Fatalf("opened as %+v", m)
	}
	if m.Close(true) != Closes || !m.IsOver() || m.IsSettled() {
		t.Errorf("closed as %+v", m)
	}
	m.Disconnected()
	if !m.IsSettled() {
		t.Errorf("ended as %+v", m)
	}
}
