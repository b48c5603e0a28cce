package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
)

// user is the connection of one uid: the protocol.Transport of its session.
type user struct {
	queue

	server    *longPoll
	uid       string
	session   *protocol.Session
	header    http.Header   // of the answer to the first request, until Accept
	answered  chan struct{} // closed when the application has accepted or refused
	refused   *protocol.RejectError
	receiving chan struct{}                           // has room for the request that is in Session.Receive
	polling   chan struct{}                           // has room for the poll that takes messages
	newer     atomic.Pointer[context.CancelCauseFunc] // ends the last poll that came

	polls  int         // guarded by the server's lock
	silent *time.Timer // since the last one
}

// newUser makes a session for the connection that r opens.
func (s *longPoll) newUser(uid string, w http.ResponseWriter, r *http.Request) *user {
	u := &user{
		server: s, uid: uid, header: w.Header(), answered: make(chan struct{}),
		receiving: make(chan struct{}, 1), polling: make(chan struct{}, 1), queue: queue{wake: make(chan struct{}, 1)},
	}
	scope := protocol.NewScope(s.Type(), r)
	scope.RawQuery = r.Form.Encode() // a uid in a form as well
	u.session = protocol.NewSession(context.Background(), s.app, scope, u, &s.sessions)
	s.open.Add(1)
	u.session.Conn().Defer(s.open.Done)
	u.silent = time.AfterFunc(silence, u.vanish)
	return u
}

// vanish is the end of a connection that nobody has polled for too long.
func (u *user) vanish() {
	u.server.mu.Lock()
	gone := u.polls == 0
	if gone {
		u.server.forgetLocked(u)
	}
	u.server.mu.Unlock()
	if gone {
		u.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: errSilent})
	}
}

// receive hands a message over, one at a time; whoever comes meanwhile waits.
func (u *user) receive(w http.ResponseWriter, r *http.Request, text string) error {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	select {
	case u.receiving <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	more := false
	defer func() {
		if more {
			<-u.receiving
		} else { // too much waits for the consumer
			u.session.Resume(func() { <-u.receiving })
		}
	}()
	if err := u.over(); err != nil {
		return err
	}
	more = u.session.Receive(protocol.Text(text))
	if err := u.over(); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// poll answers with the messages that wait, or with the first to come. It sends a
// poll that has come before home: that one's client may have gone.
func (u *user) poll(w http.ResponseWriter, r *http.Request) error {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	if older := u.newer.Swap(&end); older != nil {
		(*older)(errNewer)
	}
	defer u.newer.CompareAndSwap(&end, nil)
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errNothing)
	defer cancel()
	select {
	case u.polling <- struct{}{}:
		defer func() { <-u.polling }()
	case <-ctx.Done():
	}
	batch, err := u.next(ctx)
	if err != nil && !errors.Is(err, errNothing) {
		return err
	}
	written := false
	defer func() {
		u.settle(batch, written)
		u.session.Drained()
	}()
	written = answer(w, batch) == nil
	return nil
}

// next waits for messages until ctx or the connection ends.
func (u *user) next(ctx context.Context) ([]protocol.Message, error) {
	for conn := u.session.Conn().Context(); ; {
		over := u.over()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if batch := u.take(); len(batch) > 0 {
			return batch, nil
		}
		if over != nil {
			u.server.forget(u)
			return nil, over
		}
		select {
		case <-u.wake:
		case <-conn.Done():
		case <-ctx.Done():
		}
	}
}

// over is the answer when the connection has ended: how it did.
func (u *user) over() error {
	if ended, ok := errors.AsType[*protocol.CloseError](context.Cause(u.session.Conn().Context())); ok {
		return gone(ended.CloseStatus)
	}
	return nil
}

// LogValue names the connection in log lines.
func (u *user) LogValue() slog.Value { return slog.GroupValue(slog.String("uid", u.uid)) }

// Accept lets the requests of the uid go on.
func (u *user) Accept(o protocol.AcceptOptions) error {
	if err := checkOwn(o.Header); err != nil {
		return err
	}
	maps.Copy(u.header, o.Header)
	close(u.answered)
	return nil
}

// Reject answers them.
func (u *user) Reject(e *protocol.RejectError) {
	u.refused = e
	u.server.forget(u)
	close(u.answered)
}

// Close has nothing to do: polls see that the connection's context has ended.
func (u *user) Close(protocol.CloseStatus) {}
