package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

const (
	wait     = 10 * time.Second // for messages, and for the application to accept; proxies must allow more
	silence  = 40 * time.Second // the time without a poll after which a connection closes
	maxUsers = 1000
	maxText  = 4 << 10  // bytes
	maxQueue = 64 << 10 // bytes of JSON that wait for a poll; more close the connection
)

var errSilent = errors.New("longpoll: the client has not polled for too long")

// longPoll carries connections of app over plain requests, one connection for each uid.
// It implements protocol.Protocol as websocket.Server does, and uses public names only.
//
// The first request of a uid opens its connection. The connection ends when the
// application closes it, or after the time silence without a poll.
//
// A uid does not authenticate the client: anyone who knows it can read and send. The
// authenticators of the application see only the request that opens a connection. If
// that matters, authenticate each request in net/http middleware, and take the uid from
// there.
type longPoll struct {
	app      protocol.Application
	gate     *admission.Gate // holds the connections until their Disconnect has returned
	sessions protocol.SessionOptions
	counters protocol.Counters

	mu struct {
		sync.Mutex
		users map[string]*user // a closed connection stays until a poll has reported it
	}
}

var _ protocol.Protocol = (*longPoll)(nil)

// newLongPoll returns a protocol for app. o decides which requests it serves; nil means
// the defaults.
func newLongPoll(app protocol.Application, o *admission.Options) *longPoll {
	s := &longPoll{app: app, gate: admission.New(o)}
	s.mu.users = make(map[string]*user)
	s.sessions.Counters = &s.counters
	return s
}

// Type returns "longpoll".
func (s *longPoll) Type() string { return "longpoll" }

// Match reports whether r is for one of the two paths.
func (s *longPoll) Match(r *http.Request) bool { return len(methods[r.URL.Path]) > 0 }

// ServeHTTP sends a message to the application, or answers a poll.
func (s *longPoll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := s.serve(w, r); err != nil {
		protocol.AsRejectError(err).ServeHTTP(w, r)
	}
}

// serve opens the uid's connection if there is none, and handles the request when the
// application has accepted. The connection opens even if the client gives up this
// request, because its next request may wait for it already.
func (s *longPoll) serve(w http.ResponseWriter, r *http.Request) error {
	if err := checkMethod(r); err != nil {
		return err
	}
	client := s.gate.Client(r)
	if refused := s.gate.CheckRequest(r, client); refused != nil {
		return refused
	}
	uid, text, err := parse(w, r)
	if err != nil {
		return err
	}
	opening, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), wait)
	defer cancel()
	u, first, err := s.find(uid, text == "", r.WithContext(opening), client)
	if err != nil {
		return err
	}
	if first {
		s.openSession(u, client)
	}
	select {
	case <-u.answered:
	case <-r.Context().Done():
		return r.Context().Err()
	}
	switch {
	case u.refused != nil:
		return u.refused
	case text == "":
		defer u.silent.Reset(silence)
		return u.poll(w, r)
	}
	return u.deliver(w, r, text)
}

// find returns the uid's connection. first reports whether it is new, so that the
// caller must open it.
func (s *longPoll) find(uid string, polls bool, r *http.Request, client admission.Client) (u *user, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = s.mu.users[uid]
	gone := u != nil && polls && !u.silent.Reset(silence) // its timer has fired at this moment
	switch {
	case u != nil && !gone:
		return u, false, nil
	case len(s.mu.users) >= maxUsers:
		return nil, false, protocol.NewRejectError(http.StatusServiceUnavailable, "there are too many users")
	}
	u = &user{server: s, uid: uid, answered: make(chan struct{}), replaced: make(chan struct{})}
	u.polling, u.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	asked := r.Clone(r.Context())
	asked.URL.RawQuery = r.Form.Encode() // the uid may be in a form
	scope := protocol.NewScope(s.Type(), asked).WithRemoteAddr(client.RemoteAddr)
	u.session = protocol.NewSession(context.Background(), s.app, scope, u, &s.sessions)
	u.silent = time.AfterFunc(silence, func() {
		s.forget(u)
		u.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: errSilent})
	})
	s.mu.users[uid] = u
	return u, true, nil
}

// openSession opens the session, if the gate lets the connection in.
func (s *longPoll) openSession(u *user, client admission.Client) {
	conn := u.session.Conn()
	if refused := s.gate.Enter(conn, client); refused != nil {
		u.Reject(refused)
		return
	}
	defer s.gate.Answered(conn)
	conn.Defer(func() { s.gate.Leave(conn) })
	u.session.Open()
}

// forget removes u, so that the next request of the uid opens another connection.
func (s *longPoll) forget(u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.users[u.uid] == u {
		delete(s.mu.users, u.uid)
	}
}

// Shutdown refuses new requests, closes all connections, which answers the waiting
// polls, and returns when every Disconnect has returned or ctx is done.
func (s *longPoll) Shutdown(ctx context.Context) error {
	return s.gate.Shutdown(ctx, admission.ShutdownOptions{})
}
