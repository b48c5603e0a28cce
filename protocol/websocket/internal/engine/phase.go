package engine

import "sync/atomic"

// phase is how far the life of a connection has come. It only advances, and it may skip
// phases: each constant says which may follow.
type phase uint32

const (
	// phaseOpening: Open and Connect run, and the handshake is not answered. conn.opening
	// has what is needed for that. There is no socket; nobody reads or writes.
	//
	// Next: phaseAnswering (Accept), phaseClosed (Reject).
	phaseOpening phase = iota
	// phaseAnswering: Accept has taken the socket over, and a goroutine writes the answer
	// and what was sent behind it. Nobody reads.
	//
	// Next: phaseAnswered if that is done before Connect has returned; otherwise
	// phaseReading, and the same goroutine reads when it has written. phaseClosing.
	phaseAnswering
	// phaseAnswered: the answer is written, and Connect goes on. Nobody reads yet: a
	// message would have to wait, and the close behind it would overtake it.
	//
	// Next: phaseReading when Connect has returned or connectGrace is over; phaseClosing.
	// Who leaves this phase starts the reader.
	phaseAnswered
	// phaseReading: one goroutine, which holds the lease, reads.
	//
	// Next: phaseClosing.
	phaseReading
	// phaseClosing: a close frame was sent or has come, or the peer has hung up. The
	// deadlines of the socket are those of the close, and messages are dropped.
	//
	// Next: phaseClosed.
	phaseClosing
	// phaseClosed: the socket is closed, or there was none. Any phase but phaseOpening
	// may end here if the socket fails. Terminal.
	phaseClosed
)

// life is the phase of a connection. The zero value is in phaseOpening. Its methods are
// safe for concurrent use.
type life struct{ word atomic.Uint32 }

func (l *life) phase() phase { return phase(l.word.Load()) }

// closing reports whether the connection is closing, or closed.
func (l *life) closing() bool { return l.phase() >= phaseClosing }

// advance goes on to a phase, unless the connection is there or beyond. from is the
// phase it was in: if from < to, it was this call that took the step.
func (l *life) advance(to phase) (from phase) {
	for {
		from = l.phase()
		if from >= to || l.word.CompareAndSwap(uint32(from), uint32(to)) {
			return from
		}
	}
}
