// Package consumertest drives an application without a network: a [Client] is
// the peer of one connection. Django programmers know it as the
// WebsocketCommunicator.
//
//	synctest.Test(t, func(t *testing.T) {
//		ann := consumertest.Connect(t, app, "/ws/123/", nil)
//		bob := consumertest.Connect(t, app, "/ws/123/", nil)
//		ann.SendText("hello")
//		bob.WantText("hello")
//	})
//
// Inside a bubble of testing/synctest time is fake, so that an hour's silence
// takes no time, and [Client.WantNothing] is exact. Outside one, tests work as
// well, except for WantNothing.
//
// What the client has not read yet waits in the outgoing queue, and a message with
// a Key replaces it.
//
// After each callback the bytes that it was lent are overwritten, so that a
// consumer that kept them fails here and not in production.
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

// Options describe the client's handshake. The zero value, and nil, are right
// for most tests.
type Options struct {
	// Header is sent with the handshake: cookies, Origin, and so on.
	Header http.Header
	// Subprotocols are offered, in this order.
	Subprotocols []string
	// Spoken are those of the server (websocket.Options.Subprotocols), of which the
	// first that is offered is chosen if the consumer chooses none.
	Spoken []string
	// Context is the request's, for what middleware of net/http would have
	// put there. Default: the test's.
	Context context.Context //nolint:containedctx // an option of one call
	// Limits bound the connection: those of the server (websocket.Options.Limits), or
	// smaller ones for tests of what happens beyond them.
	Limits protocol.Limits
	// Patience is how long the Want methods wait. Default 5 s, of fake time
	// inside a bubble.
	Patience time.Duration
}

// Connect opens a connection to target, for example "/ws/123/?uid=7", and fails
// the test at once if it is refused. As with a server, routing and Connect have
// ten seconds, of fake time inside a bubble. The connection is closed at the end of the test, with
// 1001, if it is open then. o may be nil.
func Connect(t testing.TB, app protocol.Application, target string, o *Options) *Client {
	t.Helper()
	c, refused := dial(t, app, target, o)
	if refused != nil {
		t.Fatalf("consumertest: connecting to %s: %v", target, refused)
	}
	return c
}

// Refused opens a connection to target that must be refused, and returns the
// answer. It fails the test at once if the connection is accepted.
func Refused(t testing.TB, app protocol.Application, target string, o *Options) *protocol.RejectError {
	t.Helper()
	_, refused := dial(t, app, target, o)
	if refused == nil {
		t.Fatalf("consumertest: connecting to %s: accepted, want it refused", target)
	}
	return refused
}

func dial(t testing.TB, app protocol.Application, target string, o *Options) (*Client, *protocol.RejectError) {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	c := newClient(t, o)
	s, cancel := scope(t, target, o)
	c.transport.chosen = s.Subprotocol(o.Spoken...)
	session := protocol.NewSession(context.Background(), lender{app}, s, c.transport,
		&protocol.SessionOptions{
			Limits:   o.Limits,
			Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
			Counters: &c.counters,
		})
	c.session, c.transport.session = session, session
	session.Conn().Defer(func() { close(c.over) })
	defer cancel()
	if !session.Open() {
		return nil, c.transport.refused()
	}
	go c.deliver()
	t.Cleanup(c.cleanup)
	return c, nil
}

// handshakeTimeout is what websocket.Options have for it.
const handshakeTimeout = 10 * time.Second

func scope(t testing.TB, target string, o *Options) (*protocol.Scope, context.CancelFunc) {
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

// lender overwrites what callbacks were lent, whoever lent it.
type lender struct{ app protocol.Application }

func (l lender) Open(s *protocol.Scope) (protocol.Handler, error) {
	h, err := l.app.Open(s)
	if err != nil || h == nil {
		return h, err
	}
	return lentHandler{h}, nil
}

type lentHandler struct{ protocol.Handler }

// overwritten is what a consumer finds that kept the bytes.
const overwritten = 0xDB

func (h lentHandler) Receive(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	lent := m.Clone()
	defer func() {
		for i := range lent.Data {
			lent.Data[i] = overwritten
		}
	}()
	return h.Handler.Receive(ctx, c, lent)
}
