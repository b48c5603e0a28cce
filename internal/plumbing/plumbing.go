// Package plumbing is what the packages of this module share and programs do not see:
// functions that package protocol provides when it is initialised, and their types.
// Package scopes has them with their types.
package plumbing

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/wye-go/wye/internal/lazyctx"
)

// MaxBranches is how many routes routers may try before one takes the connection.
const MaxBranches = 1000

// ScopeFuncs are functions of a *protocol.Scope, which each of them is given.
type ScopeFuncs struct {
	Inner     func(scope any) (inner any, place *Place)
	Mounted   func(scope any) bool
	Taken     func(scope any, yes bool)
	TryBranch func(scope any) error
	Found     func(scope, router any, path string) *Found
	SetFound  func(scope any, f *Found)
	Values    func(scope any) Values
	Kept      func(scope any) KeptScope
	Channel   func(ctx context.Context, name string) any
	Handshake func(h Handshake) (scope any, limit *lazyctx.Context)
}

// KeptScope is what is kept of a scope after the handshake is answered.
type KeptScope interface {
	// Scope returns a new *protocol.Scope.
	Scope() any
}

// Handshake is what a protocol server knows of a request that opens a connection.
type Handshake struct {
	Type         string
	Request      *http.Request
	RemoteAddr   string
	Subprotocols []string
	Timeout      time.Duration // of the scope's Context
}

// Scopes and ErrBranches are those that package protocol provides.
//
//nolint:gochecknoglobals // see the package documentation
var (
	Scopes ScopeFuncs
	// ErrBranches means that the routers have tried MaxBranches routes for one
	// connection without an answer, and gave up. It matches protocol.ErrNoRoute.
	ErrBranches error
)

// ProvideScopes is called by package protocol when it is initialised.
func ProvideScopes(errBranches error, f ScopeFuncs) { Scopes, ErrBranches = f, errBranches }

// ProvideAccepts is called by package protocol when it is initialised.
func ProvideAccepts(f func(err error) bool) { Accepts = f }

// Constants that several packages share.
const (
	// KeyOverhead is what a queue counts for a message with a key, beside the key and
	// the message.
	KeyOverhead = 128
	// MaxCloseReason is how many bytes of a reason a close carries (RFC 6455 section
	// 5.5: a control frame's 125 less the code). Longer ones are cut.
	MaxCloseReason = 123
	// FinalTime is how long callbacks are still started for messages that the peer sent
	// before its close. It counts from the close, or from the return of the callback
	// that was running then. The ctx of these callbacks ends with it.
	FinalTime = time.Second
	// FinalMessages is how many of these messages are handed over.
	FinalMessages = 1000
	// EncodedSlash stands in Scope.RoutePath for a slash that the peer wrote as %2F.
	EncodedSlash = '\x1f'
)

// Errors that only this module matches.
var (
	// ErrUnread means that the application has not read the message, which is counted
	// as Stats.MessagesUnread. An error that wraps ErrUnread is logged, too: it is
	// wrapped once, for what the developer should know, and not for each message.
	ErrUnread = errors.New("wye: message not read by the application")
	// ErrUnsent means that an event or message did not reach other nodes, because the back
	// end of the layer is down, and that the layer has counted it. A callback that returns
	// only such errors does not fail.
	ErrUnsent = errors.New("wye: not sent to other nodes")
	// ErrAccepted means that the handshake is already answered: Accept was called a
	// second time, or after Connect had returned.
	ErrAccepted = errors.New("wye: the handshake is already answered; call Accept once, in Connect")
	// ErrEventUnknown means that the application has no handler for events of this
	// type. They are counted, and the first of each type is logged.
	ErrEventUnknown = errors.New("wye: no handler for events of this type")
)

// Accepts reports whether an error of Open or Connect accepts the connection before it
// closes it (CloseError.AcceptFirst). Package protocol provides it.
var Accepts func(err error) bool //nolint:gochecknoglobals // see the package documentation

// Leaver is a consumer's connection.
type Leaver interface {
	// LeaveAll has the connection leave its groups.
	LeaveAll()
}

// DeferLeaver is Conn.Defer of a *protocol.Conn with v.LeaveAll, but takes less memory. It is
// called once for each connection. Package protocol provides it.
var DeferLeaver func(conn any, v Leaver) //nolint:gochecknoglobals // see the package documentation

// ProvideDeferLeaver is called by package protocol when it is initialised.
func ProvideDeferLeaver(f func(conn any, v Leaver)) { DeferLeaver = f }

// Ender is told that the context of a connection has ended.
type Ender interface {
	// Ended is called when the context has ended, with locks held: it must not block, and
	// must not call methods of the connection.
	Ended()
}

// NotifyEnded has e told when the context of a *protocol.Conn ends. It takes less memory
// than the context's Done. It is called at most once for each connection. If the context has
// ended, it calls Ended at once. Package protocol provides it.
var NotifyEnded func(conn any, e Ender) //nolint:gochecknoglobals // see the package documentation

// ProvideNotifyEnded is called by package protocol when it is initialised.
func ProvideNotifyEnded(f func(conn any, e Ender)) { NotifyEnded = f }

// EventFuncs are functions of a *protocol.Event; epoch and offset are a position.
type EventFuncs struct {
	New     func(typ string, body []byte) (event any, err error)
	Payload func(event any) ([]byte, error)
	Seal    func(event any) error
	At      func(event any, epoch string, offset uint64) any
}

// Events are the functions that package protocol provides.
var Events EventFuncs //nolint:gochecknoglobals // see the package documentation

// ProvideEvents is called by package protocol when it is initialised.
func ProvideEvents(f EventFuncs) { Events = f }
