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
	state   state
	early   bool        // an end came before stateOpen; status and local say which
	local   bool        // the first end was ours, so the transport has to be told
	stopped bool        // one of the ends was ours, the first or a later one
	status  CloseStatus // of the first end, once there is one
}

// effect is what an end changes.
type effect uint8

const (
	endIgnored effect = iota // nothing: there was one like it before
	endNoted                 // the connection is not open yet, and ends when it is
	endStops                 // the peer's end came before; now ours ends the calling, too
	endNow                   // the connection was open and ends
)

// first reports whether it was this end that ended the connection.
func (e effect) first() bool { return e == endNoted || e == endNow }

// open goes to stateOpen, and from there on if an end came before. ended says
// that one did.
func (l *lifecycle) open() (ended bool) {
	l.step(stateOpen)
	return l.early && l.end(l.status, l.local) == endNow
}

// step goes to next, and reports whether that was a legal step.
func (l *lifecycle) step(next state) bool {
	if !slices.Contains(steps[l.state], next) {
		return false
	}
	l.state = next
	return true
}

// end takes note of an end; ours says that it comes from our side and not from the
// peer or the network. The first end gives the connection its status: of an open
// connection the first from then on, of one that is not open yet the first of all,
// which takes effect when it is. An end of ours stops the calling of Receive and
// Event also if it is not the first.
func (l *lifecycle) end(st CloseStatus, ours bool) effect {
	stops := ours && !l.stopped
	l.stopped = l.stopped || ours
	switch l.state {
	case stateOpening, stateAnswering:
		if l.early {
			l.local = l.local && ours // if the transport knows, it need not be told
			return endIgnored
		}
		l.early, l.local, l.status = true, ours, st
		return endNoted
	case stateOpen:
		l.local, l.status = ours, st
		l.step(stateEnded)
		return endNow
	case stateEnded:
		if stops {
			return endStops
		}
	case stateClosed, stateRejected:
	}
	return endIgnored
}

// delivery is what may be handed over to the handler.
type delivery uint8

const (
	deliverNothing  delivery = iota
	deliverMessages          // that the peer sent before its end, for a bounded time
	deliverAll
)

// delivery says what becomes of what waits. What waits before the answer is for
// later.
func (l *lifecycle) delivery() delivery {
	switch {
	case l.state < stateEnded:
		return deliverAll
	case l.state == stateEnded && !l.stopped:
		return deliverMessages
	}
	return deliverNothing
}

// over reports whether nothing can be sent any more.
func (l *lifecycle) over() bool { return l.state >= stateEnded }

// settled reports whether the state is terminal.
func (l *lifecycle) settled() bool { return l.state >= stateClosed }
