package websocket_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// accepting accepts with headers.
func accepting(header http.Header) *fakes.Handler {
	return &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
		return c.Accept(&protocol.AcceptOptions{Header: header})
	}}
}

// behind puts a middleware of net/http in front of s.
func behind(t *testing.T, s *server, middleware func(http.ResponseWriter, *http.Request)) {
	t.Helper()
	s.listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		middleware(w, r)
		s.ServeHTTP(w, r)
	}))
}

func cookies(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
	w.Header().Set("X-Trace", "t1")
	w.Header().Set("Content-Length", "99")
	w.Header().Set("Connection", "close")
	w.Header().Set("Sec-Websocket-Extensions", "permessage-deflate")
	w.Header()["lower-case"] = []string{"kept"}
}

func TestAcceptKeepsHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(accepting(http.Header{"Set-Cookie": {"own=2", "more=3"}, "x-own": {"yes"}}), nil)
	behind(t, s, cookies)
	a := s.peer(t).Upgrade(websockettest.Request("/"))
	for name, want := range map[string][]string{
		"Set-Cookie": {"session=1", "own=2", "more=3"}, "X-Trace": {"t1"}, "X-Own": {"yes"}, "Lower-Case": {"kept"},
		"Content-Length": nil, "Connection": {"Upgrade"}, "Sec-Websocket-Extensions": nil, "Upgrade": {"websocket"},
	} {
		if got := a.Header[name]; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestRejectKeepsHeaders(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{OnOpen: func(*protocol.Scope) error {
		return &protocol.RejectError{Status: http.StatusUnauthorized, Body: "who are you?", Header: http.Header{"www-authenticate": {"Basic"}}}
	}}
	s := newServer(app, nil)
	behind(t, s, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "session=1") })
	a := s.peer(t).Handshake(websockettest.Request("/"))
	if a.Status != http.StatusUnauthorized || strings.TrimSpace(a.Body) != "who are you?" {
		t.Errorf("got %d %q", a.Status, a.Body)
	}
	for name, want := range map[string]string{
		"Set-Cookie": "session=1", "Www-Authenticate": "Basic", "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestRejectKeepsItsContentType(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{OnOpen: func(*protocol.Scope) error {
		return &protocol.RejectError{Body: "{}", Header: http.Header{"Content-Type": {"application/json"}}}
	}}
	a := serve(t, app, nil).peer(t).Handshake(websockettest.Request("/"))
	if a.Status != http.StatusForbidden || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d with %q", a.Status, a.Header)
	}
}

// TestAcceptHeaderInjection gives headers with line breaks, as an application
// does that copies what a peer said into them.
func TestAcceptHeaderInjection(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at     testkit.Line
		header http.Header
	}{
		{testkit.Here(), http.Header{"X-Name": {"a\r\nX-Evil: 1"}}},
		{testkit.Here(), http.Header{"X-Name": {"a\r\n\r\nevil"}}},
		{testkit.Here(), http.Header{"X-Name": {"a\nX-Evil: 1"}}},
		{testkit.Here(), http.Header{"X-Name": {"a\rX-Evil: 1"}}},
		{testkit.Here(), http.Header{"X-Name\r\nX-Evil": {"1"}}},
		{testkit.Here(), http.Header{"X-Name: a\r\nX-Evil": {"1"}}},
	}
	for _, row := range rows {
		s := serve(t, accepting(row.header), nil)
		p := s.peer(t)
		a := p.Upgrade(websockettest.Request("/"))
		if a.Header.Get("X-Evil") != "" || strings.Contains(a.Head, "\nX-Evil") || strings.Contains(strings.ReplaceAll(a.Head, "\r\n", ""), "\r") {
			t.Errorf("%s: injected: %q", row.at, a.Head)
		}
		p.closes() // nothing was injected behind the answer
	}
}

// TestAcceptRefusesOurHeaders names the header that an application may not set.
func TestAcceptRefusesOurHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Connection", "upgrade", "Content-Length", "Transfer-Encoding", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "sec-websocket-protocol",
		"Sec-WebSocket-Version",
	} {
		s := serve(t, accepting(http.Header{name: {"x"}}), nil)
		if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != 500 || strings.Contains(a.Body, name) {
			t.Errorf("%s: got %d %q, want 500 and no word of why", name, a.Status, a.Body)
		}
		s.wantLog(t, "AcceptOptions.Header must not have "+name)
	}
}

// wrapped is a ResponseWriter of a middleware that has forgotten to Unwrap.
type wrapped struct{ w http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.w.Header() }
func (w wrapped) Write(b []byte) (int, error) { return w.w.Write(b) }
func (w wrapped) WriteHeader(status int)      { w.w.WriteHeader(status) }

type unwrapped struct{ wrapped }

func (w unwrapped) Unwrap() http.ResponseWriter { return w.w }

func TestHandshakeBehindWrappers(t *testing.T) {
	t.Parallel()
	s := newServer(fakes.Echo(), nil)
	s.listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unwraps" {
			s.ServeHTTP(unwrapped{wrapped{w}}, r)
			return
		}
		s.ServeHTTP(wrapped{w}, r)
	}))
	if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != 500 || strings.Contains(a.Body, "Unwrap") {
		t.Errorf("got %d %q, want 500 and no word of why", a.Status, a.Body)
	}
	s.wantLog(t, "a middleware in front wraps the ResponseWriter without an Unwrap method")
	p := s.peer(t)
	p.Upgrade(websockettest.Request("/unwraps"))
	p.SendText("through")
	p.WantText("through")
	if st := s.Stats(); st.Refused != 1 || st.Accepted != 1 {
		t.Errorf("%d refused and %d accepted, want 1 and 1", st.Refused, st.Accepted)
	}
}

// TestSendBeforeAccept queues behind the answer.
func TestSendBeforeAccept(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
		b := []byte("first")
		if err := c.Send(ctx, protocol.Binary(b)); err != nil {
			return err
		}
		copy(b, "?????") // it is the caller's again
		return c.SendPrepared(ctx, protocol.Prepare(protocol.Text("second")))
	}}
	p := serve(t, app, nil).open(t)
	p.Want(websockettest.Binary("first"))
	p.WantText("second")
	p.closes()
}
