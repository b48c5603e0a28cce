package engine

import "sync/atomic"

// phase is how far the life of a connection has come. It only advances, and it may skip
// phases: each constant says which may follow.
type phase uint32

const (
	// phaseOpening: Open and Connect run, and the handshake is not answered. Conn.opening
	// has what the answer needs. There is no socket, and no reader or writer.
	//
	// Next: phaseAnswering (Accept), phaseClosed (Reject).
	phaseOpening phase = iota
	// phaseAnswering: Accept has taken the socket over, and a goroutine writes the answer
	// and what was sent behind it. There is no reader.
	//
	// Next: phaseAnswered if the goroutine is done before Connect has returned; otherwise
	// phaseReading, and the same goroutine becomes the reader when it is done. Or
	// phaseClosing.
	phaseAnswering
	// phaseAnswered: the answer is written, and Connect goes on. There is no reader yet: a
	// message would have to wait, and the close behind it would overtake it.
	//
	// Next: phaseReading when Connect has returned or connectGrace is over, or
	// phaseClosing. The goroutine that takes this step starts the reader.
	phaseAnswered
	// phaseReading: the goroutine that holds the lease reads.
	//
	// Next: phaseClosing.
	phaseReading
	// phaseClosing: a close frame was sent or has come, or the peer has hung up. The
	// deadlines of the socket are those of the close, and messages are dropped.
	//
	// Next: phaseClosed.
	phaseClosing
	// phaseClosed: the socket is closed, or the handshake was refused. Every phase may be
	// followed by this one, because the socket may fail. Terminal.
	phaseClosed
)

// life is the phase of a connection. The zero value is in phaseOpening. Its methods are
// safe for concurrent use.
type life struct{ word atomic.Uint32 }

func (l *life) phase() phase { return phase(l.word.Load()) }

// closing reports whether the connection is closing, or closed.
func (l *life) closing() bool { return l.phase() >= phaseClosing }

// advance goes on to a phase, unless the connection is in that phase or a later one. It
// returns the phase before: if from < to, this call has taken the step.
func (l *life) advance(to phase) (from phase) {
	for {
		from = l.phase()
		if from >= to || l.word.CompareAndSwap(uint32(from), uint32(to)) {
			return from
		}
	}
}
