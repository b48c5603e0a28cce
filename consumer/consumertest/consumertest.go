// Package consumertest tests applications without a network. A [Client] is the peer of
// one connection: it sends messages to the application, and the test says what it wants
// back. The Django Channels counterpart is WebsocketCommunicator.
//
// See the Example of [Connect] for a test. The Example (Synctest) of the package is one
// in a bubble of testing/synctest, in which time is fake: an hour's silence takes no
// time, and [Client.WantNothing] knows that nothing more will come. Outside a bubble
// everything works except WantNothing.
//
// Messages that the test has not read wait in the outgoing queue of the connection, within
// [Options].Limits. As with a server, a message with a Key replaces one that waits there.
//
// After each callback the bytes of its message are overwritten, so that a consumer that
// keeps them by mistake fails in its tests.
package consumertest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Options describe the handshake of a client. Most tests need none: the zero value and
// nil mean the defaults.
type Options struct {
	// Header is the header of the handshake's request: cookies, Origin, and so on.
	Header http.Header
	// Subprotocols are the subprotocols that the client offers, in order of preference.
	Subprotocols []string
	// Spoken are the subprotocols of the server, as in websocket.Options.Subprotocols.
	// If the consumer chooses no subprotocol, the first of Spoken that the client offers
	// is chosen.
	Spoken []string
	// Context is the context of the request. Its values stand for those that middleware
	// of net/http would add. The default is the context of the test.
	Context context.Context //nolint:containedctx // an option of one call
	// Limits bound the connection, as in websocket.Options.Limits. Use small ones to test
	// what happens when they are reached.
	Limits protocol.Limits
	// Patience is how long the methods of Client wait for a message or a close. The
	// default is 5 s. In a bubble it is fake time.
	Patience time.Duration
}

// Connect opens a connection to target, for example "/ws/123/?uid=7", and returns its
// client. If app refuses the connection, Connect fails the test at once. As with a
// server, app has ten seconds to answer. If the connection is open at the end of the
// test, it is closed with 1001. o may be nil.
func Connect(t testing.TB, app protocol.Application, target string, o *Options) *Client {
	t.Helper()
	c, refused := open(t, app, target, o)
	if refused != nil {
		t.Fatalf("consumertest: connecting to %s: %v", target, refused)
	}
	return c
}

// Refused opens a connection to target that app must refuse, and returns the refusal. If
// app accepts the connection, Refused fails the test at once. o may be nil.
func Refused(t testing.TB, app protocol.Application, target string, o *Options) *protocol.RejectError {
	t.Helper()
	_, refused := open(t, app, target, o)
	if refused == nil {
		t.Fatalf("consumertest: connecting to %s: accepted, want it refused", target)
	}
	return refused
}

// open opens a connection, and returns its client or the refusal.
func open(t testing.TB, app protocol.Application, target string, o *Options) (*Client, *protocol.RejectError) {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	c := newClient(t, o.Patience)
	s, cancel := newScope(t, target, o)
	c.transport.subprotocol = s.Subprotocol(o.Spoken...)
	session := protocol.NewSession(context.Background(), overwriter{app}, s, c.transport,
		&protocol.SessionOptions{
			Limits:   o.Limits,
			Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
			Counters: &c.counters,
		})
	c.session, c.transport.session = session, session
	session.Conn().Defer(func() { close(c.finished) })
	defer cancel()
	if !session.Open() {
		return nil, c.transport.rejection()
	}
	go c.runActions()
	t.Cleanup(c.cleanup)
	return c, nil
}

// handshakeTimeout is the default of websocket.Options.HandshakeTimeout.
const handshakeTimeout = 10 * time.Second

// newScope returns the scope of a handshake, and what releases its context.
func newScope(t testing.TB, target string, o *Options) (*protocol.Scope, context.CancelFunc) {
	t.Helper()
	ctx := o.Context
	if ctx == nil {
		ctx = t.Context()
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	for name, values := range o.Header {
		r.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if len(o.Subprotocols) > 0 {
		r.Header.Set("Sec-Websocket-Protocol", strings.Join(o.Subprotocols, ", "))
	}
	return protocol.NewScope("websocket", r).WithSubprotocols(o.Subprotocols), cancel
}

// overwriter is an application whose handlers overwrite the bytes of each message when
// Receive has returned.
type overwriter struct{ app protocol.Application }

func (o overwriter) Open(s *protocol.Scope) (protocol.Handler, error) {
	h, err := o.app.Open(s)
	if err != nil || h == nil {
		return h, err
	}
	return overwritingHandler{h}, nil
}

type overwritingHandler struct{ protocol.Handler }

// overwritten is the byte that messages are overwritten with.
const overwritten = 0xDB

func (h overwritingHandler) Receive(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	lent := m.Clone()
	defer func() {
		for i := range lent.Data {
			lent.Data[i] = overwritten
		}
	}()
	return h.Handler.Receive(ctx, c, lent)
}
