package protocol

import (
	"errors"
	"fmt"
	"net"
)

// The errors of opening, sending and receiving. Match them with errors.Is.
var (
	// ErrNoRoute refuses a connection with 404. A router in front tries its
	// next route, if it had mounted this one.
	ErrNoRoute = errors.New("wye: no route")
	// ErrInvalidName means that a text cannot be the name of a group, a channel
	// or a presence. Such texts mostly come from the peer, so a Connect that
	// returns it refuses with 404, another callback closes with
	// ClosePolicyViolation, and the log has a warning. The error itself says
	// what is wrong.
	ErrInvalidName = errors.New("wye: invalid name")
	// ErrTooMany means that the connection is in as many groups as Limits.Groups
	// allows, is present in as many, or has recorded to as many; or that as many
	// functions of Conn.Go are running as Limits.Goroutines allows. A callback that
	// returns it closes with ClosePolicyViolation, and the log has a warning.
	ErrTooMany = errors.New("wye: too many")
	// ErrClosed means that the connection has ended. It matches
	// net.ErrClosed. The error that a send returns is a *CloseError that says
	// how it ended.
	ErrClosed error = &closedError{"wye: connection closed", net.ErrClosed}
	// ErrQueueFull is a Transport's: its outgoing queue is full and nothing was
	// queued. Senders see it only before the handshake is answered, when
	// more than Limits.QueueBytes wait behind the answer.
	ErrQueueFull = errors.New("wye: the outgoing queue is full")
	// ErrNotUTF8 means that the message was not sent, because it is text that is
	// not UTF-8, over which its peers would close the connection.
	ErrNotUTF8 = errors.New("wye: the message is text that is not UTF-8; send it as binary, repair it with strings.ToValidUTF8, " +
		"or set Limits.RepairText")
	// ErrDropped means that the message was dropped and counted, because the
	// outgoing queue is full and Limits.Overflow says so.
	ErrDropped = errors.New("wye: message dropped: the outgoing queue is full and its policy is to drop")
	// ErrSlow means that the connection was closed because its outgoing queue
	// is full, and Limits.Overflow says so. It matches ErrClosed.
	ErrSlow error = &closedError{"wye: connection closed: its peer reads too slowly", ErrClosed}
	// ErrBusy means that the connection was closed because more events were
	// waiting for its consumer than Limits.QueueEvents and
	// Limits.QueueEventBytes allow. It matches ErrClosed.
	ErrBusy error = &closedError{"wye: connection closed: too many events waited for its consumer", ErrClosed}
	// ErrEventPayload means that an event's payload does not fit the type it
	// is read as. It is counted and logged, and costs nobody the connection.
	ErrEventPayload = errors.New("wye: the event's payload does not fit")
)

// What ErrTooMany is about.
var (
	errTooManyGroups     error = &closedError{"wye: too many groups", ErrTooMany}
	errTooManyGoroutines error = &closedError{"wye: too many goroutines", ErrTooMany}
)

// The causes of closes that a session has decided upon itself. They are other
// values than those that sends return, which may be about another connection.
var (
	errSlow = fmt.Errorf("%w", ErrSlow)
	errBusy = fmt.Errorf("%w", ErrBusy)
	errFast = errors.New("wye: the peer sent messages faster than Limits.Rate allows")
	errHeld = errors.New("all connections together held more of incoming messages than SessionOptions.ReadBytes allows")
)

// closedError is ErrClosed, or one that matches it. Its text says all, so that it does not
// repeat that of the error it matches.
type closedError struct {
	text    string
	matches error
}

func (e *closedError) Error() string { return e.text }

func (e *closedError) Unwrap() error { return e.matches }

// PanicError is what a panic in user code becomes. It appears in
// [CloseStatus.Err] and in the log, and nowhere else: the peer never sees it.
type PanicError struct {
	Value any    // what panic was called with
	Stack []byte // of the goroutine that panicked
}

// Error returns the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("wye: panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	if err, ok := e.Value.(error); ok {
		return err
	}
	return nil
}
