package protocol

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/plumbing"
)

// disconnectTime is how long the ctx of Disconnect lasts.
const disconnectTime = 10 * time.Second

var errGoexit = errors.New("wye: a callback ended its goroutine (runtime.Goexit, or FailNow of a test)")

// handleMessage calls Receive.
func (s *Session) handleMessage(ctx context.Context, m *Message) {
	done := false
	defer s.recoverCallback(&done)
	err := s.h.Receive(ctx, &s.conn, *m)
	done = true
	if err != nil {
		s.applyError(err)
	}
}

// handleEvent calls Event.
func (s *Session) handleEvent(e *Event) {
	done := false
	defer s.recoverCallback(&done)
	err := s.h.Event(s.context(), &s.conn, e)
	done = true
	switch {
	case err == nil:
	case errors.Is(err, plumbing.ErrEventUnknown) && e.typ == SendType.Name:
		s.options().Counters.eventsUndecodable.Add(1) // otherwise its message would have been sent
		s.log(slog.LevelWarn, "wye: an event websocket.send was dropped, because it has neither a \"text\" that is a string nor \"bytes\"", nil)
	case errors.Is(err, plumbing.ErrEventUnknown):
		s.options().Counters.unknownEvent(s.options().Logger, e.typ)
	case errors.Is(err, ErrEventPayload):
		s.options().Counters.eventsUndecodable.Add(1)
		s.log(slog.LevelWarn, "wye: an event was dropped, because its payload does not fit the type that the handler declares", details(err))
	default:
		s.applyError(err)
	}
}

// disconnect calls Disconnect.
func (s *Session) disconnect(st CloseStatus) {
	done := false
	defer s.options().Counters.open.Add(-1)
	defer s.recoverCallback(&done)
	ctx := lazyctx.WithTimeout(context.WithoutCancel(s.context()), disconnectTime)
	defer ctx.Cancel(nil)
	s.h.Disconnect(ctx, &s.conn, st)
	done = true
}

// callDeferred calls a function of Conn.Defer, or one of Conn.Answered.
func (s *Session) callDeferred(f func()) {
	done := false
	defer s.recoverCallback(&done)
	f()
	done = true
}

// callLate is callDeferred for a function that was given so late that it is called at
// once: by a caller that need not have the executor, or by a callback, which is
// contained by itself.
func (s *Session) callLate(f func()) {
	done := false
	defer s.recoverFault(&done, errGoexit)
	f()
	done = true
}

// recoverCallback is deferred around user code that sets done when it returns, by the
// goroutine that has the executor. It closes the connection after a panic. If the code
// ends its goroutine, it does too, and another one goes on with the executor.
func (s *Session) recoverCallback(done *bool) {
	if *done {
		return
	}
	if v := recover(); v != nil {
		s.closeFaulty(&PanicError{Value: v, Stack: debug.Stack()})
		return
	}
	s.closeFaulty(errGoexit)
	s.schedule()
}

// recoverFault is deferred around user code that sets done when it returns, by a goroutine
// that need not have the executor. It closes the connection after a panic, and with exit
// if the code ends its goroutine.
func (s *Session) recoverFault(done *bool, exit error) {
	switch v := recover(); {
	case *done:
	case v != nil:
		s.closeFaulty(&PanicError{Value: v, Stack: debug.Stack()})
	default:
		s.closeFaulty(exit)
	}
}

// containPanic is deferred by a function that returns err: a panic becomes its error. It
// leaves Goexit to the caller.
func containPanic(err *error) { //nolint:gocritic // it is the result of the function that defers it
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}
