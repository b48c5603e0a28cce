package router

import (
	"context"
	"errors"
	"net/http"

	"github.com/wye-go/wye/protocol"
)

// Errors that the function given to [Auth] returns to refuse a connection. Wrap them
// to add details: these appear in the log only.
var (
	// ErrUnauthenticated refuses with 401: the request has no valid credentials.
	ErrUnauthenticated = errors.New("wye: not logged in")
	// ErrForbidden refuses with 403: the user is known, and may not connect.
	ErrForbidden = errors.New("wye: not allowed")
)

// Auth returns middleware that authenticates each connection before its handshake is
// answered. The user that authenticate returns becomes [protocol.Scope.User], and
// [protocol.UserAs] returns it with its type. A nil user without an error is an
// anonymous user: the connection goes on, and UserAs reports false. See the Example.
//
// An error of authenticate refuses the connection:
//
//   - ErrUnauthenticated with 401, and ErrForbidden with 403.
//   - A *protocol.RejectError with the status that it has.
//   - The result of [protocol.CloseError.AcceptFirst] accepts the handshake and then closes
//     with its code. It is for pages that must know the reason: a browser shows a page
//     neither the status nor the text of a refusal.
//   - Any other error is a fault of the server, such as a database that is down. It is
//     logged, and refuses with 500, or with 503 if it is context.DeadlineExceeded.
//
// A path that no route matches is answered with 404 before authenticate is called, if
// the application behind Auth is a router. So converters see
// paths of peers that are not authenticated.
//
// authenticate may block until ctx is done; ctx has the values of the request's context.
// It is called once for each connection, by many connections at the same time. A user
// who logs out stays connected until the program closes the connection.
func Auth[U any](authenticate func(ctx context.Context, s *protocol.Scope) (U, error)) protocol.Middleware {
	if authenticate == nil {
		panic("wye: router.Auth: the function is nil")
	}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			user, err := authenticate(s.Context(), s)
			if err != nil {
				return nil, authError(err)
			}
			return next.Open(s.WithUser(user))
		})
	}
}

// authError returns the error with which Open refuses if authenticate has returned err.
func authError(err error) error {
	if _, chosen := errors.AsType[*protocol.RejectError](err); chosen {
		return err
	}
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return &protocol.RejectError{
			Status: http.StatusUnauthorized,
			Header: http.Header{"Www-Authenticate": {"Bearer"}}, // a 401 must have a challenge: RFC 9110 section 11.6.1
			Body:   "log in first",
			Err:    err,
		}
	case errors.Is(err, ErrForbidden):
		return &protocol.RejectError{Status: http.StatusForbidden, Err: err}
	}
	return err
}
