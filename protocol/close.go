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

// Receivable reports whether a peer's close may carry c. Every other code, also
// one that is not assigned, is a protocol error (RFC 6455 section 7.4.2).
func (c CloseCode) Receivable() bool {
	switch c {
	case closeReserved, CloseNoStatus, CloseAbnormal, closeTLSHandshake:
		return false
	}
	return c >= 1000 && c <= 1014 || c >= 3000 && c <= 4999
}

// Sendable reports whether a server's close may carry c: what is receivable,
// less CloseMissingExtension, which only clients have a use for. An attempt to
// close with any other code closes with CloseInternalError and is logged.
func (c CloseCode) Sendable() bool { return c.Receivable() && c != closeMissingExtension }

// CloseStatus is how a connection ended.
type CloseStatus struct {
	// Code is the peer's if Remote, ours otherwise; CloseNoStatus if the peer
	// closed without one, CloseAbnormal if the connection broke.
	Code CloseCode
	// Remote says that the peer closed. Otherwise we did, or the network.
	Remote bool // beside Code, because every connection has a status
	// Reason is a text for humans, at most 123 bytes of UTF-8 (RFC
	// 6455 section 5.5: a control frame's 125 less the code). Longer ones are cut.
	Reason string
	// Err is the cause, where there is one: what the callback returned, a
	// *PanicError, a network error. It is never shown to the peer.
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

// CloseError is a [CloseStatus] as an error. A callback that returns one closes
// the connection with it; [Conn.Send] and context.Cause(conn.Context()) return
// one once the connection has ended. It matches ErrClosed and net.ErrClosed.
type CloseError struct {
	CloseStatus
	// closed marks the report of a close that has happened, which a callback may pass on
	// without asking for a close of its own connection.
	closed bool
	accept bool // the peer is to be told, also if it is not accepted yet
}

// Error names the code, the reason and the side.
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
// callback returns it. The call by itself does nothing. Returned by Open or Connect, the
// error refuses the connection with 403, as Channels does; [NewRejectError] chooses
// another answer, and [CloseError.AcceptFirst] tells the peer.
func NewCloseError(code CloseCode, reason string) *CloseError {
	return &CloseError{CloseStatus: CloseStatus{Code: code, Reason: reason}}
}

// AcceptFirst returns a copy of e for a peer that has to know why it may not connect:
// if Open or Connect, or what they call, such as the function given to router.Auth,
// returns it, the connection is accepted and then closed with the code and reason.
// Browsers do not show a page why a connection was refused, neither the status nor the
// text. It costs a handshake, and a page that does not look at the code takes it for a
// connection that was lost: choose a code for which your page does not connect again.
// Disconnect runs if Connect has returned it. Another callback that returns it closes as
// with e.
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

// CloseStatusOf returns the status that err closes a connection with: CloseNormal
// for nil, what [NewCloseError] was given, ClosePolicyViolation for [ErrInvalidName],
// and [ErrTooMany], otherwise CloseInternalError with err
// as the cause. The CloseError of a send, which tells how some connection ended, is a
// cause like any other.
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

// isPeersMistake reports whether err is one that a callback mostly passes on because of
// what the peer has asked for.
func isPeersMistake(err error) bool {
	return mistakeReason(err) != "" && !isPanic(err)
}

// mistakeReason is what the peer is told about its mistake, or "" if err is none.
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

// isPanic reports whether err is a panic, and not the report of an end that was one:
// that has been dealt with.
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
