package protocol

import (
	"errors"
	"fmt"
	"net"
)

// The errors of opening, sending and receiving. Match them with errors.Is.
var (
	// ErrNoRoute means that no route matches the path of the connection. Returned by
	// Open or Connect, it refuses the connection with 404. If Open returns it behind a
	// mounted route of another router, that router tries its next route.
	ErrNoRoute = errors.New("wye: no route")
	// ErrInvalidName means that a text cannot be the name of a group, a channel or a
	// presence; the text of the error says why. Such names mostly come from the peer. If
	// Connect returns the error, the connection is refused with 404; if another callback
	// returns it, the connection is closed with ClosePolicyViolation. Either way a warning
	// is logged.
	ErrInvalidName = errors.New("wye: invalid name")
	// ErrTooMany means that the connection is in as many groups as Limits.Groups allows,
	// is present in as many, or has recorded events to as many; or that as many functions
	// of Conn.Go are running as Limits.Goroutines allows. If a callback returns it, the
	// connection is closed with ClosePolicyViolation, and the log has a warning.
	ErrTooMany = errors.New("wye: too many")
	// ErrClosed means that the connection has closed. It matches net.ErrClosed. Sends
	// return a *CloseError, which matches ErrClosed and says how the connection closed.
	ErrClosed error = &closedError{"wye: connection closed", net.ErrClosed}
	// ErrQueueFull means that the outgoing queue is full and that the message was not
	// queued. Transports return it to their Session. Senders see it only before the
	// handshake is answered, when more than Limits.QueueBytes wait behind the answer.
	ErrQueueFull = errors.New("wye: the outgoing queue is full")
	// ErrNotUTF8 means that the message was not sent, because it is text that is not
	// UTF-8: a peer would close the connection because of it.
	ErrNotUTF8 = errors.New("wye: the message is text that is not UTF-8; send it as binary, repair it with strings.ToValidUTF8, " +
		"or set Limits.RepairText")
	// ErrDropped means that the message was dropped and counted, because the outgoing
	// queue is full and Limits.Overflow is a policy that drops.
	ErrDropped = errors.New("wye: message dropped: the outgoing queue is full and its policy is to drop")
	// ErrSlow means that the connection was closed because its outgoing queue is full and
	// Limits.Overflow is OverflowClose. It matches ErrClosed.
	ErrSlow error = &closedError{"wye: connection closed: its peer reads too slowly", ErrClosed}
	// ErrBusy means that the connection was closed because more events were
	// waiting for its consumer than Limits.QueueEvents and
	// Limits.QueueEventBytes allow. It matches ErrClosed.
	ErrBusy error = &closedError{"wye: connection closed: too many events waited for its consumer", ErrClosed}
	// ErrEventPayload means that an event's payload does not fit the Go type that it is
	// decoded into. If Event returns it, it is counted and logged, and the connection
	// stays open.
	ErrEventPayload = errors.New("wye: the event's payload does not fit")
)

// The errors that match ErrTooMany.
var (
	errTooManyGroups     error = &closedError{"wye: too many groups", ErrTooMany}
	errTooManyGoroutines error = &closedError{"wye: too many goroutines", ErrTooMany}
)

// The causes of closes that a session has decided upon itself. They differ from the values
// that sends return: a callback may return one of those for a send on another connection.
var (
	errSlow = fmt.Errorf("%w", ErrSlow)
	errBusy = fmt.Errorf("%w", ErrBusy)
	errFast = errors.New("wye: the peer sent messages faster than Limits.Rate allows")
	errHeld = errors.New("wye: the connections together held more bytes of incoming messages than SessionOptions.ReadBytes allows")
)

// closedError is an error that matches another one without repeating its text.
type closedError struct {
	text    string
	matches error
}

func (e *closedError) Error() string { return e.text }

func (e *closedError) Unwrap() error { return e.matches }

// PanicError is the error for a panic in user code, which Wye has recovered. It is the
// [CloseStatus.Err] of the connection, and is logged. The peer does not see it.
type PanicError struct {
	Value any    // what panic was called with
	Stack []byte // of the goroutine that panicked
}

// Error returns a text with the value and without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("wye: panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	if err, ok := e.Value.(error); ok {
		return err
	}
	return nil
}
