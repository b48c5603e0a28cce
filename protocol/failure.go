package protocol

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// applyError does what the error that a callback has returned asks for.
func (s *Session) applyError(err error) {
	switch {
	case err == nil:
	case isPanic(err):
		s.closeFaulty(err) // whatever it was called with
	case errors.Is(err, ErrDropped):
	case errors.Is(err, plumbing.ErrUnread):
		s.countUnread(err)
	case isUnsent(err):
		s.log(slog.LevelWarn, "wye: an event or message did not reach other nodes; the connection stays open", details(err))
	default:
		s.closeWith(err)
	}
}

// isUnsent reports whether err is the error of a send that did not reach other nodes, or joins
// only such errors. The layer has counted it, and members in this process have received it.
func isUnsent(err error) bool {
	is := func(err error) bool { return errors.Is(err, plumbing.ErrUnsent) }
	return is(err) && !isPanic(err) && all(err, is)
}

// countUnread counts a message that the handler has left unread. An error that wraps
// ErrUnread, and so says more, is logged.
func (s *Session) countUnread(err error) {
	s.options().Counters.messages.unread.Add(1)
	if err != plumbing.ErrUnread { //nolint:errorlint,err113 // by itself it has no details
		s.log(slog.LevelWarn, "wye: a message was not read by the application", details(err))
	}
}

// closeWith closes the connection with err, and logs err if it is a fault. An error that
// says only that the connection has closed is not a fault.
func (s *Session) closeWith(err error) lifecycle.Effect {
	echo, partly := s.isEcho(err)
	if echo {
		return lifecycle.Ignored
	}
	st := CloseStatusOf(err)
	return s.closeSession(st, true, func(effect lifecycle.Effect) {
		switch {
		case st.Code == CloseInternalError && !partly:
			s.reportFault(faultOf(err, st), effect)
		case effect.IsFirst() && isPeersMistake(st.Err):
			s.log(slog.LevelWarn, "wye: connection closed because a callback returned an error that the peer probably caused", details(err))
		}
	})
}

// closeFaulty closes the connection over a fault that no error of user code reports.
func (s *Session) closeFaulty(err error) {
	s.closeSession(CloseStatus{Code: CloseInternalError, Err: err}, true, func(effect lifecycle.Effect) { s.reportFault(err, effect) })
}

// faultOf returns what is logged about err, which closes with st.
func faultOf(err error, st CloseStatus) error {
	if wrong, ok := errors.AsType[*unsendableError](st.Err); ok {
		return wrong // err alone does not say what is wrong with the code
	}
	return err
}

// isEcho reports whether err only passes on that the connection has closed: the error
// of a send, or of a ctx that ended with it. Such an error does not ask for a close.
// partly reports whether one of the errors that err joins does.
func (s *Session) isEcho(err error) (echo, partly bool) {
	s.mu.Lock()
	closed, expired := s.cause() != nil || s.mu.life.IsOver(), s.rare.Load().finals().expired()
	s.mu.Unlock()
	if !closed || isPanic(err) {
		return false, false
	}
	targets := []error{ErrClosed, context.Canceled}
	if expired {
		targets = append(targets, context.DeadlineExceeded)
	}
	is := func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
	return all(err, is), is(err)
}

// all reports whether is returns true for each of the errors that err joins. For an error
// of NewCloseError, all returns false.
func all(err error, is func(error) bool) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e := e.(type) { //nolint:errorlint // it looks at each of them itself
		case *CloseError:
			return e.closed
		case interface{ Unwrap() []error }:
			return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !all(err, is) })
		}
	}
	return is(err)
}

// reportFault counts and logs a fault of user code or of the transport. effect is that of
// the close which the fault has caused.
func (s *Session) reportFault(err error, effect lifecycle.Effect) {
	s.options().Counters.failures.Add(1)
	if isPanic(err) {
		s.options().Counters.panics.Add(1)
	}
	attrs := details(err)
	msg := "wye: a consumer failed; its connection is closed with 1011"
	switch effect {
	case lifecycle.Closes:
	case lifecycle.Noted:
		msg = "wye: a consumer failed before its handshake was answered"
	case lifecycle.Stops, lifecycle.Ignored:
		s.mu.Lock()
		rejected, cause := s.mu.life.State() == lifecycle.Rejected, s.cause()
		s.mu.Unlock()
		if rejected {
			msg = "wye: a consumer failed; its connection had been refused before"
			break
		}
		msg, attrs = "wye: a consumer failed; its connection had ended before", append(attrs, "code", int(cause.Code))
	}
	s.log(slog.LevelError, msg, attrs)
}

// evict closes a connection because of SessionOptions.ReadBytes. It implements holder.
func (s *Session) evict() {
	st := CloseStatus{Code: CloseTryAgainLater, Reason: "message not completed in time", Err: errHeld}
	if s.closeSession(st, true, nil).IsFirst() {
		s.log(slog.LevelWarn, "wye: the read budget was used up; the connection that had held messages the longest was closed with 1013",
			[]any{"bytes", s.options().ReadBytes})
	}
}
