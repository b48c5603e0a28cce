package protocol

import "slices"

// state is where a connection is in its life. Each constant names the states
// that may follow; no other step is ever taken.
type state uint8

const (
	// stateOpening: Open and Connect run, and nothing has been answered.
	// Sends wait; an end is remembered and refuses the connection.
	//
	// Next: stateAnswering, stateRejected.
	stateOpening state = iota
	// stateAnswering: the transport has been told to accept, and what was
	// sent before follows the answer. Sends wait behind that; an end is
	// remembered.
	//
	// Next: stateOpen, stateRejected (the answer could not be given).
	stateAnswering
	// stateOpen: messages and events flow.
	//
	// Next: stateEnded.
	stateOpen
	// stateEnded: it is known how the connection ended. What arrived before
	// it, and Disconnect, are due.
	//
	// Next: stateClosed.
	stateEnded
	// stateClosed: Disconnect has been called. Terminal.
	stateClosed
	// stateRejected: the answer was no. Disconnect never runs. Terminal.
	stateRejected
)

// steps are the transitions written on the constants.
//
//nolint:gochecknoglobals // a table
var steps = [...][]state{
	stateOpening:   {stateAnswering, stateRejected},
	stateAnswering: {stateOpen, stateRejected},
	stateOpen:      {stateEnded},
	stateEnded:     {stateClosed},
	stateClosed:    nil,
	stateRejected:  nil,
}

// lifecycle is the state machine of a connection: values in, decisions out. Its
// zero value is a connection that opens. It knows no lock, clock or transport.
type lifecycle struct {
	state  state
	early  bool        // an end came before stateOpen; status and local say which
	local  bool        // it is we who end, so the transport has to be told
	status CloseStatus // of the end, once there is one
}

// open goes to stateOpen, and from there on if an end came before. ended says
// that one did.
func (l *lifecycle) open() (ended bool) {
	l.step(stateOpen)
	return l.early && l.end(l.status, l.local)
}

// step goes to next, and reports whether that was a legal step.
func (l *lifecycle) step(next state) bool {
	if !slices.Contains(steps[l.state], next) {
		return false
	}
	l.state = next
	return true
}

// end takes note of an end. first says that the connection was open and ends
// now: the first end of an open connection wins, and so does the first of one
// that is not open yet, which will end when it is.
func (l *lifecycle) end(st CloseStatus, local bool) (first bool) {
	switch l.state {
	case stateOpening, stateAnswering:
		if !l.early {
			l.early, l.local, l.status = true, local, st
		}
		l.local = l.local && local // if the transport knows, it need not be told
		return false
	case stateOpen:
		l.local, l.status = local, st
		return l.step(stateEnded)
	case stateEnded, stateClosed, stateRejected:
	}
	return false
}

// over reports whether nothing can be sent any more.
func (l *lifecycle) over() bool { return l.state >= stateEnded }

// settled reports whether the state is terminal.
func (l *lifecycle) settled() bool { return l.state >= stateClosed }
