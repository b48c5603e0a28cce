package protocol

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/plumbing"
)

// CloseCode says why a connection ended, in the numbers of WebSocket (RFC 6455
// section 7.4 and the IANA registry "WebSocket Close Code Number"). Other
// protocols use the same numbers.
//
// 1000 to 2999 belong to the protocol, 3000 to 3999 are registered by libraries
// and frameworks, 4000 to 4999 are for programs to use as they like.
type CloseCode uint16

// The codes of RFC 6455 and of the IANA registry.
const (
	CloseNormal           CloseCode = 1000 // the purpose is fulfilled
	CloseGoingAway        CloseCode = 1001 // a server shuts down, a browser leaves the page
	CloseProtocolError    CloseCode = 1002
	CloseUnsupportedData  CloseCode = 1003 // for example binary where only text is understood
	closeReserved         CloseCode = 1004 // no meaning yet; never seen, never sent
	CloseNoStatus         CloseCode = 1005 // seen when the peer gave no code; never sent
	CloseAbnormal         CloseCode = 1006 // seen when the connection broke without a close; never sent
	CloseInvalidPayload   CloseCode = 1007 // for example text that is not UTF-8
	ClosePolicyViolation  CloseCode = 1008
	CloseMessageTooBig    CloseCode = 1009
	closeMissingExtension CloseCode = 1010 // clients send it, servers do not
	CloseInternalError    CloseCode = 1011
	closeServiceRestart   CloseCode = 1012
	CloseTryAgainLater    CloseCode = 1013
	closeBadGateway       CloseCode = 1014
	closeTLSHandshake     CloseCode = 1015 // seen by clients whose TLS failed; never sent
	CloseUnauthorized     CloseCode = 3000
	CloseForbidden        CloseCode = 3003
	closeTimeout          CloseCode = 3008
)

//nolint:gochecknoglobals // a table
var closeNames = map[CloseCode]string{
	CloseNormal:           "normal closure",
	CloseGoingAway:        "going away",
	CloseProtocolError:    "protocol error",
	CloseUnsupportedData:  "unsupported data",
	closeReserved:         "reserved",
	CloseNoStatus:         "no status received",
	CloseAbnormal:         "abnormal closure",
	CloseInvalidPayload:   "invalid payload data",
	ClosePolicyViolation:  "policy violation",
	CloseMessageTooBig:    "message too big",
	closeMissingExtension: "mandatory extension missing",
	CloseInternalError:    "internal error",
	closeServiceRestart:   "service restart",
	CloseTryAgainLater:    "try again later",
	closeBadGateway:       "bad gateway",
	closeTLSHandshake:     "TLS handshake failed",
	CloseUnauthorized:     "unauthorized",
	CloseForbidden:        "forbidden",
	closeTimeout:          "timeout",
}

// String returns the number and, where the code has one, its registered name.
func (c CloseCode) String() string {
	if name, ok := closeNames[c]; ok {
		return strconv.Itoa(int(c)) + " " + name
	}
	return strconv.Itoa(int(c))
}

// Receivable reports whether a peer may close with c: 1000 to 1014 without 1004, 1005 and
// 1006, or 3000 to 4999. Another code is a protocol error (RFC 6455 section 7.4.2).
func (c CloseCode) Receivable() bool {
	switch c {
	case closeReserved, CloseNoStatus, CloseAbnormal, closeTLSHandshake:
		return false
	}
	return c >= 1000 && c <= 1014 || c >= 3000 && c <= 4999
}

// Sendable reports whether a server may close with c: c is Receivable and is not 1010,
// which only clients send. A connection that a program closes with another code is closed
// with CloseInternalError, and the log has an error.
func (c CloseCode) Sendable() bool { return c.Receivable() && c != closeMissingExtension }

// CloseStatus says how a connection closed.
type CloseStatus struct {
	// Code is the code that the peer sent if Remote is set, and otherwise the code that
	// the server sent. It is CloseNoStatus if the peer closed without a code, and
	// CloseAbnormal if the connection broke.
	Code CloseCode
	// Remote says that the peer closed the connection. Otherwise the server closed it, or
	// it broke.
	Remote bool // beside Code, because every connection has a status
	// Reason is a text for humans, of at most 123 bytes of UTF-8 (a control frame holds
	// 125 bytes, and the code takes two). A longer one is cut.
	Reason string
	// Err is the cause, or nil if there is none: the error that a callback returned, a
	// *PanicError, or an error of the network. The peer does not see it.
	Err error
}

// sendable returns s as it may be sent: with CloseInternalError in place of a code
// that cannot be, and Err that says so.
func (s CloseStatus) sendable() CloseStatus {
	s.Reason = trimReason(s.Reason)
	if !s.Code.Sendable() {
		s.Err = unsendable(&CloseError{CloseStatus: s})
		s.Code, s.Reason = CloseInternalError, ""
	}
	return s
}

// unsendableError is the error of a program that closes with a code which a server
// cannot send.
type unsendableError struct{ of *CloseError }

func unsendable(of *CloseError) error { return &unsendableError{of: of} }

// Error names the code and the reason, and what is allowed.
func (e *unsendableError) Error() string {
	s := fmt.Sprintf("wye: a server cannot close with %v", e.of.Code)
	if e.of.Reason != "" {
		s += fmt.Sprintf(" (%q)", logs.Cut(e.of.Reason))
	}
	s += "; use 1000 to 1014, except 1004 to 1006 and 1010, or 3000 to 4999"
	if e.of.Err != nil {
		s += ": " + errtext.Inner(e.of.Err)
	}
	return s
}

func (e *unsendableError) Unwrap() error { return e.of }

// trimReason cuts reason at the last rune that fits a close, and makes it valid
// UTF-8.
func trimReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= plumbing.MaxCloseReason {
		return reason
	}
	n := plumbing.MaxCloseReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// CloseError is a [CloseStatus] as an error. If a callback returns one made by
// [NewCloseError], the connection is closed with that status. When a connection has closed,
// [Conn.Send] and context.Cause(conn.Context()) return one that says how. It matches
// ErrClosed and net.ErrClosed.
type CloseError struct {
	CloseStatus
	// closed marks the report of a close that has happened, which a callback may pass on
	// without asking for a close of its own connection.
	closed bool
	accept bool // of AcceptFirst
}

// Error returns a text with the code, the reason, the cause, and whether the peer closed.
func (e *CloseError) Error() string {
	var b strings.Builder
	b.WriteString("wye: connection closed")
	if e.Remote {
		b.WriteString(" by the peer")
	}
	fmt.Fprintf(&b, ": %v", e.Code)
	if e.Reason != "" {
		fmt.Fprintf(&b, " %q", e.Reason)
	}
	if e.Err != nil && !e.says() {
		b.WriteString(": " + errtext.Inner(e.Err))
	}
	return b.String()
}

// says reports whether the reason says all that the cause does.
func (e *CloseError) says() bool {
	if errtext.Inner(e.Err) == e.Reason {
		return true
	}
	return e.Err == errSlow || e.Err == errBusy || e.Err == errFast //nolint:errorlint,err113 // these very values
}

// Unwrap returns the cause.
func (e *CloseError) Unwrap() error { return e.Err }

// Is reports whether target is ErrClosed or net.ErrClosed.
func (e *CloseError) Is(target error) bool { return target == ErrClosed || target == net.ErrClosed }

// NewCloseError returns the error that closes a connection with code and reason when a
// callback returns it. The call by itself does nothing. If Open or Connect returns the
// error, the connection is refused with 403, as in Django Channels. [NewRejectError]
// refuses with another answer, and [CloseError.AcceptFirst] sends the code to the peer.
func NewCloseError(code CloseCode, reason string) *CloseError {
	return &CloseError{CloseStatus: CloseStatus{Code: code, Reason: reason}}
}

// AcceptFirst returns a copy of e. If Open, Connect, or the function given to router.Auth
// returns it, the connection is accepted and then closed with the code and reason of e.
// So a web page learns why it may not connect: a browser shows its page neither the status
// nor the text of a refusal. A page that ignores the code takes the close for a lost
// connection and connects again: have it stop at this code. Disconnect runs if Connect has
// returned the error. In other callbacks the copy has the effect of e.
func (e *CloseError) AcceptFirst() *CloseError {
	c := *e
	c.accept = true
	return &c
}

// accepts reports whether err, which Open or Connect has returned, is one of
// [CloseError.AcceptFirst]; [CloseStatusOf] has its code and reason.
func accepts(err error) bool {
	ce, ok := errors.AsType[*CloseError](err)
	return ok && ce.accept && !ce.closed && !isPanic(err)
}

// CloseStatusOf returns the status with which a connection is closed if a callback returns
// err: CloseNormal for nil; the code and reason of an error made by [NewCloseError];
// ClosePolicyViolation for [ErrInvalidName] and [ErrTooMany]; otherwise CloseInternalError
// with err as the cause. The last is also right for the CloseError that a send returns,
// because it says how a connection has closed, and does not ask for a close.
func CloseStatusOf(err error) CloseStatus {
	if err == nil {
		return CloseStatus{Code: CloseNormal}
	}
	if ce, ok := errors.AsType[*CloseError](err); ok && !ce.closed && !isPanic(err) {
		if !ce.Code.Sendable() {
			return CloseStatus{Code: CloseInternalError, Err: unsendable(ce)}
		}
		return ce.CloseStatus
	}
	if isPeersMistake(err) {
		return CloseStatus{Code: ClosePolicyViolation, Reason: mistakeReason(err), Err: err}
	}
	return CloseStatus{Code: CloseInternalError, Err: err}
}

// isPeersMistake reports whether err is one that mostly comes from a request of the peer,
// and that a callback passes on.
func isPeersMistake(err error) bool {
	return mistakeReason(err) != "" && !isPanic(err)
}

// mistakeReason returns the close reason that tells the peer its mistake, or "" if err is
// not one.
func mistakeReason(err error) string {
	switch {
	case errors.Is(err, errTooManyGroups):
		return "too many groups"
	case errors.Is(err, errTooManyGoroutines):
		return "too much at once"
	case errors.Is(err, ErrTooMany):
		return "too many"
	case errors.Is(err, ErrInvalidName):
		return "invalid name"
	}
	return ""
}

// isPanic reports whether err is a panic. The CloseError of a connection that a panic has
// closed is not: that panic has been handled.
func isPanic(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) { //nolint:errorlint // it looks at each of them itself
		case *PanicError:
			return true
		case *CloseError:
			return false
		case interface{ Unwrap() []error }:
			return slices.ContainsFunc(e.Unwrap(), isPanic)
		}
	}
	return false
}
