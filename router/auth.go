package router

import (
	"context"
	"errors"
	"net/http"

	"github.com/wye-go/wye/protocol"
)

// What the function given to [Auth] returns if somebody may not connect. Wrap
// them to say more in the log; the peer sees the status only.
var (
	// ErrUnauthenticated refuses with 401: it is not known who this is.
	ErrUnauthenticated = errors.New("wye: not logged in")
	// ErrForbidden refuses with 403: it is known, and not allowed.
	ErrForbidden = errors.New("wye: not allowed")
)

// Auth is middleware that finds out who connects, before the handshake is
// answered. What who returns becomes Scope.User, which [protocol.UserAs] gives
// back as a U; a nil U and no error is somebody anonymous, whom UserAs does not
// take for a user.
//
//	router.Use(urls, router.Auth(func(ctx context.Context, s *protocol.Scope) (*User, error) {
//		c, err := s.Request().Cookie("session")
//		if err != nil {
//			return nil, router.ErrUnauthenticated
//		}
//		return users.BySession(ctx, c.Value)
//	}))
//
// ErrUnauthenticated refuses with 401 and ErrForbidden with 403. A protocol.RejectError
// refuses as it says. Browsers let a page see neither status nor text: for one that
// has to know there is protocol.CloseError.AcceptFirst, with a code of its own. Any other
// error is a fault and not the peer's, such as a database that is down: 500, or 503
// if a deadline has passed, and a line in the log.
//
// An unknown path is 404 for everybody, before anybody is asked who he is: routers
// that can be asked (see protocol.Finder), with their converters, come first.
//
// who may block as long as ctx lasts, which is the handshake's and has the
// request's values. It runs concurrently for different connections. It is asked
// once: whoever logs out later stays connected until his sockets are closed.
func Auth[U any](who func(ctx context.Context, s *protocol.Scope) (U, error)) protocol.Middleware {
	if who == nil {
		panic("wye: router.Auth: the function is nil")
	}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			user, err := who(s.Context(), s)
			if err != nil {
				return nil, notIn(err)
			}
			return next.Open(s.WithUser(user))
		})
	}
}

// notIn is the refusal because of err.
func notIn(err error) error {
	if _, chosen := errors.AsType[*protocol.RejectError](err); chosen {
		return err
	}
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return &protocol.RejectError{
			Status: http.StatusUnauthorized,
			Header: http.Header{"Www-Authenticate": {"Bearer"}}, // RFC 9110 section 11.6.1 wants a challenge
			Body:   "log in first",
			Err:    err,
		}
	case errors.Is(err, ErrForbidden):
		return &protocol.RejectError{Status: http.StatusForbidden, Err: err}
	}
	return err
}
