package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/rate"
)

// RejectError is the answer that refuses a connection. Open or Connect returns it;
// [NewRejectError] makes it.
//
// Other errors of Open and Connect refuse the connection too: [ErrNoRoute] with 404;
// [ErrInvalidName] with 404 and a warning in the log; a [CloseError] with 403 and its
// reason; context.DeadlineExceeded with 503 and an error in the log; another error with
// 500 and an error in the log. Apart from that reason, the peer does not see the text of
// these errors.
//
// A RejectError is an [http.Handler], which writes the answer. Protocols, and middleware of
// net/http, use it.
type RejectError struct {
	// Status of the answer, 300 to 599. Default 403.
	Status int
	// Header is added to the answer.
	Header http.Header
	// Body is plain text unless Header says otherwise. Default: the status in
	// words.
	Body string
	// Err is the cause, for the log only.
	Err error
}

// Error returns a text with the status, the body and the cause.
func (e *RejectError) Error() string {
	s := fmt.Sprintf("wye: connection refused with %d", e.Status)
	if e.Body != "" {
		s += ": " + e.Body
	}
	if e.Err != nil {
		s += ": " + errtext.Inner(e.Err)
	}
	return s
}

// Unwrap returns the cause.
func (e *RejectError) Unwrap() error { return e.Err }

// ServeHTTP writes e as the answer to an HTTP request; zero fields have their defaults. A
// header of e replaces the same header of w; other headers that middleware has set are
// kept. The answer is flushed.
//
// If the request asks for an upgrade or declares a body, the answer has "Connection:
// close". Then net/http closes the connection, and does not serve the bytes that follow the
// request as another request: they may be frames of the refused protocol. The answer does
// not wait for the body; net/http reads and drops it for up to a second. To close the
// connection after other requests too, set that header in e or in w.
func (e *RejectError) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, _ = e.normal()
	h := w.Header()
	connection := h["Connection"]
	for name, values := range e.Header {
		name = http.CanonicalHeaderKey(name)
		h[name] = slices.Clone(values)
		if name == "Connection" {
			connection = slices.Concat(connection, values)
		}
	}
	closeBehind(w, r, connection)
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	body := e.Body + "\n"
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, body)            //nolint:errcheck // the peer may have gone
	_ = http.NewResponseController(w).Flush() //nolint:errcheck // not every ResponseWriter can
}

// bodyTimeout is how long the rest of a refused request's body is read. Without
// it the peer of a connection that is closed at once would get a reset, which may
// overtake the answer.
const bodyTimeout = time.Second

// closeBehind sets the answer's Connection header. connection is what it has.
func closeBehind(w http.ResponseWriter, r *http.Request, connection []string) {
	h := w.Header()
	if r.ProtoMajor > 1 { // it has no such header, and net/http would close the streams of others
		h.Del("Connection")
		return
	}
	declaresBody := r.ContentLength != 0 || len(r.TransferEncoding) > 0
	if !declaresBody && len(r.Header["Upgrade"]) == 0 && !slices.ContainsFunc(connection, isClose) {
		return
	}
	// net/http looks for it in the first line only.
	h["Connection"] = append([]string{"close"}, slices.DeleteFunc(slices.Clone(connection), isClose)...)
	if declaresBody {
		// net/http writes the answer at once, and then waits for the body.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) //nolint:errcheck // not every ResponseWriter can
	}
}

func isClose(option string) bool { return strings.EqualFold(option, "close") }

// NewRejectError returns the error that refuses a connection with status and body when
// Open or Connect returns it. The call by itself does nothing.
func NewRejectError(status int, body string) *RejectError {
	return &RejectError{Status: status, Body: body}
}

// RetryAfter returns a copy of e whose answer has a Retry-After header with a number of
// seconds between d and twice d, chosen at random, so that peers that are refused
// together do not come back together. It is for statuses such as 503 and 429. Browsers
// neither obey the header nor show it to the page.
func (e *RejectError) RetryAfter(d time.Duration) *RejectError {
	c := *e
	if c.Header = e.Header.Clone(); c.Header == nil {
		c.Header = http.Header{}
	}
	c.Header.Set("Retry-After", strconv.Itoa(rate.Spread(d)))
	return &c
}

// AsRejectError returns the answer to a handshake that is refused because of err, with its
// defaults filled in. A [Session] gives the same answer. The peer sees the Body of a
// RejectError and the reason of a CloseError, and not the text of another error. Protocols
// call AsRejectError for requests that they refuse themselves:
//
//	protocol.AsRejectError(err).ServeHTTP(w, r)
func AsRejectError(err error) *RejectError {
	answer, _ := rejection(err)
	return answer
}

// blame says which side has caused an error, and so how the error is logged.
type blame uint8

const (
	notLogged   blame = iota // the error is an answer that the program has chosen, or no route
	peerMistake              // a warning
	serverFault              // an error
)

// rejection returns the answer to err, and which side has caused err. It does not log.
func rejection(err error) (answer *RejectError, cause blame) {
	if isPanic(err) { // whatever it was called with
		return (&RejectError{Status: http.StatusInternalServerError, Err: err}).filled(), serverFault
	}
	if chosen, ok := errors.AsType[*RejectError](err); ok {
		return chosen.normal()
	}
	if ce, ok := errors.AsType[*CloseError](err); ok && !ce.closed {
		return closedEarly(ce), notLogged
	}
	switch {
	case errors.Is(err, ErrInvalidName):
		return (&RejectError{Status: http.StatusNotFound, Err: err}).filled(), peerMistake
	case errors.Is(err, ErrNoRoute):
		return (&RejectError{Status: http.StatusNotFound, Err: err}).filled(), notLogged
	case errors.Is(err, context.DeadlineExceeded):
		return (&RejectError{Status: http.StatusServiceUnavailable, Err: err}).filled(), serverFault
	}
	return (&RejectError{Status: http.StatusInternalServerError, Err: err}).filled(), serverFault
}

// refuser is a cause of a close that chooses the answer to a handshake, for a connection
// that was closed before the handshake was answered.
type refuser interface {
	error
	Refusal() *RejectError
}

// closedEarly returns the answer to the handshake of a connection that was closed before:
// 503 if the close code says that the server goes away or that the peer should try again,
// 500 for a fault, which has been logged, and otherwise 403.
func closedEarly(ce *CloseError) *RejectError {
	if own, ok := errors.AsType[refuser](ce.Err); ok {
		e := own.Refusal()
		e.Err = ce
		return e
	}
	e := &RejectError{Status: http.StatusForbidden, Body: ce.Reason, Err: ce}
	switch ce.Code {
	case CloseInternalError:
		if ce.Err != nil {
			e.Status = http.StatusInternalServerError
		}
	case CloseGoingAway, closeServiceRestart, CloseTryAgainLater:
		e.Status = http.StatusServiceUnavailable
	}
	return e.filled()
}

// normal returns a copy of e with its defaults filled in. If the status cannot refuse a
// connection, it returns an answer with 500.
func (e *RejectError) normal() (answer *RejectError, cause blame) {
	c := *e
	if c.Status == 0 {
		c.Status = http.StatusForbidden
	}
	if c.Status < 300 || c.Status > 599 {
		err := fmt.Errorf("wye: a connection cannot be refused with status %d; choose 300 to 599", c.Status)
		return (&RejectError{Status: http.StatusInternalServerError, Err: err}).filled(), serverFault
	}
	return c.filled(), notLogged
}

func (e *RejectError) filled() *RejectError {
	if e.Body == "" {
		e.Body = http.StatusText(e.Status)
	}
	return e
}
