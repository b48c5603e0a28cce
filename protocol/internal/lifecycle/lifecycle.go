// Package lifecycle is the state machine of a connection: events in, decisions out. It
// has no lock, no clock and no transport, and knows nothing of the status with which a
// connection closes: the caller keeps that.
package lifecycle

import "slices"

// State is where a connection is in its life. Each constant names the states that may
// follow; no other step is ever taken.
type State uint8

const (
	// Opening means that Open and Connect run, and nothing has been answered. Sends wait; a
	// close is remembered and refuses the connection.
	//
	// Next: Answering, Rejected.
	Opening State = iota
	// Answering means that the transport has been told to accept, and what was sent before
	// follows the answer. Sends wait behind that; a close is remembered.
	//
	// Next: Open, Rejected (the answer could not be given).
	Answering
	// Open means that messages and events flow.
	//
	// Next: Closing.
	Open
	// Closing means that it is known how the connection has closed. What arrived before that,
	// and Disconnect, are due.
	//
	// Next: Closed.
	Closing
	// Closed means that Disconnect has been called. Terminal.
	Closed
	// Rejected means that the handshake was refused. Disconnect never runs. Terminal.
	Rejected
)

// steps are the transitions written on the constants.
//
//nolint:gochecknoglobals // a table
var steps = [...][]State{
	Opening:   {Answering, Rejected},
	Answering: {Open, Rejected},
	Open:      {Closing},
	Closing:   {Closed},
	Closed:    nil,
	Rejected:  nil,
}

// Machine is the state of one connection. The zero value is a connection that opens.
type Machine struct {
	state   State
	early   bool // a close came before Open
	local   bool // the first close was ours, so the transport has to be told
	stopped bool // one of the closes was ours, the first or a later one
}

// Effect is what a close changes.
type Effect uint8

// The effects.
const (
	Ignored Effect = iota // nothing: there was one like it before
	Noted                 // the connection is not open yet, and closes when it is
	Stops                 // the peer had closed before; now no callback but Disconnect starts
	Closes                // the connection was open and closes
)

// IsFirst reports whether it was this close that closed the connection.
func (e Effect) IsFirst() bool { return e == Noted || e == Closes }

// State returns the current state.
func (m *Machine) State() State { return m.state }

// step goes to next, and reports whether that was a legal step.
func (m *Machine) step(next State) bool {
	if !slices.Contains(steps[m.state], next) {
		return false
	}
	m.state = next
	return true
}

// Answer goes to Answering. It returns false, and changes nothing, if the connection was
// closed before or the state is not Opening.
func (m *Machine) Answer() bool { return !m.early && m.step(Answering) }

// Reject goes to Rejected, unless the connection was accepted.
func (m *Machine) Reject() { m.step(Rejected) }

// Open goes from Answering to Open. If a close has come before, it takes effect: the
// connection goes on to Closing, and Open returns Closes. Otherwise it returns Ignored.
func (m *Machine) Open() Effect {
	m.step(Open)
	if !m.early {
		return Ignored
	}
	return m.Close(m.local)
}

// Disconnected goes from Closing to Closed.
func (m *Machine) Disconnected() { m.step(Closed) }

// Close takes note of a close. local says that it comes from our side, and not from the
// peer or the network. The first close counts; that of a connection which is not open
// yet takes effect in Open. A local close that is not the first still stops the calling
// of Receive and Event.
func (m *Machine) Close(local bool) Effect {
	stops := local && !m.stopped
	m.stopped = m.stopped || local
	switch m.state {
	case Opening, Answering:
		if m.early {
			m.local = m.local && local // a transport that knows need not be told
			return Ignored
		}
		m.early, m.local = true, local
		return Noted
	case Open:
		m.local = local
		m.step(Closing)
		return Closes
	case Closing:
		if stops {
			return Stops
		}
	case Closed, Rejected:
	}
	return Ignored
}

// IsEarly reports whether a close came before the connection was accepted: then it cannot
// be accepted.
func (m *Machine) IsEarly() bool {
	return m.early && (m.state == Opening || m.state == Rejected)
}

// IsLocal reports whether the transport has to be told of the close.
func (m *Machine) IsLocal() bool { return m.local }

// IsStopped reports whether one of the closes was local: then only Disconnect may still be
// called.
func (m *Machine) IsStopped() bool { return m.stopped }

// IsOver reports whether the connection has closed or was refused: then sends fail.
func (m *Machine) IsOver() bool { return m.state >= Closing }

// IsSettled reports whether the state is terminal.
func (m *Machine) IsSettled() bool { return m.state >= Closed }

// Delivery says which mailbox entries may be handed over to the handler.
type Delivery uint8

// What may be handed over.
const (
	DeliverNothing  Delivery = iota
	DeliverMessages          // that the peer sent before it closed, for a bounded time
	DeliverAll
)

// Delivery returns which entries of the mailbox may be handed over. Entries that wait for
// the answer are handed over later.
func (m *Machine) Delivery() Delivery {
	switch {
	case m.state < Closing:
		return DeliverAll
	case m.state == Closing && !m.stopped:
		return DeliverMessages
	}
	return DeliverNothing
}

// Work is what the executor of a connection does next.
type Work uint8

// The kinds of work.
const (
	Idle            Work = iota // nothing: it gives up the right to run callbacks
	HandOver                    // the oldest mailbox entry
	AwaitGoroutines             // it keeps that right, for the last goroutine or a timer to go on
	Disconnect                  // calls Disconnect
	RunDeferred                 // calls one of the deferred functions
)

// Pending is what waits for the executor, beside Disconnect.
type Pending struct {
	Mail       bool // entries in the mailbox
	Goroutines bool // goroutines that Disconnect and the deferred functions wait for
	Deferred   bool // functions that run when all is over
}

// Next decides what the executor does next: first what waits in the mailbox, and then,
// if the connection is over, the rest in its order.
func (m *Machine) Next(p Pending) Work {
	switch {
	case p.Mail:
		return HandOver
	case !m.IsOver():
		return Idle
	case p.Goroutines:
		return AwaitGoroutines
	case m.state == Closing:
		return Disconnect
	case p.Deferred:
		return RunDeferred
	}
	return Idle
}
