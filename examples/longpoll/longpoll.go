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
	wait     = 10 * time.Second // for messages, and for the application; proxies wait longer
	silence  = 40 * time.Second // without a poll is the end of a connection; a poll takes less
	maxUsers = 1000
	maxText  = 4 << 10  // bytes
	maxQueue = 64 << 10 // bytes in JSON that wait for a poll; then the connection is closed
)

var errSilent = errors.New("longpoll: nobody has polled for too long")

// longPoll carries connections of app over plain requests, one for each uid. It
// is a protocol.Protocol as websocket.Server is, made of public names only.
//
// The first request of a uid opens its connection. It ends when the application
// closes it, or when nobody has polled for as long as silence.
//
// A uid is no proof of who asks: whoever knows it reads and sends. And the
// application, with its authenticators, sees the request that opens a connection
// and no later one. Where that matters, have middleware of net/http in front find
// out who asks, every time, and take that for the uid.
type longPoll struct {
	app      protocol.Application
	gate     *admission.Gate // has the connections until their Disconnect has returned
	sessions protocol.SessionOptions
	counters protocol.Counters

	mu struct {
		sync.Mutex
		users map[string]*user // also those whose connection has ended, until a poll is told
	}
}

var _ protocol.Protocol = (*longPoll)(nil)

// newLongPoll carries connections of app, those that o lets in. o may be nil.
func newLongPoll(app protocol.Application, o *admission.Options) *longPoll {
	s := &longPoll{app: app, gate: admission.New(o)}
	s.mu.users = make(map[string]*user)
	s.sessions.Counters = &s.counters
	return s
}

// Type returns "longpoll".
func (s *longPoll) Type() string { return "longpoll" }

// Match claims the two paths.
func (s *longPoll) Match(r *http.Request) bool { return len(methods[r.URL.Path]) > 0 }

// ServeHTTP sends one message, or waits for some.
func (s *longPoll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := s.serve(w, r); err != nil {
		protocol.AsRejectError(err).ServeHTTP(w, r)
	}
}

// serve opens the uid's connection if there is none, and does what is asked when
// the application has accepted. A client that gives this request up may have made
// the next one already, so that the connection opens all the same.
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
	return u.say(w, r, text)
}

// find returns the uid's connection, and whether it is for the caller to open.
func (s *longPoll) find(uid string, polls bool, r *http.Request, client admission.Client) (u *user, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = s.mu.users[uid]
	gone := u != nil && polls && !u.silent.Reset(silence) // its time is up, this very moment
	switch {
	case u != nil && !gone:
		return u, false, nil
	case len(s.mu.users) >= maxUsers:
		return nil, false, protocol.NewRejectError(http.StatusServiceUnavailable, "there are too many users")
	}
	u = &user{server: s, uid: uid, answered: make(chan struct{}), home: make(chan struct{})}
	u.polling, u.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	asked := r.Clone(r.Context())
	asked.URL.RawQuery = r.Form.Encode() // a uid in a form as well
	scope := protocol.NewScope(s.Type(), asked).WithRemoteAddr(client.RemoteAddr)
	u.session = protocol.NewSession(context.Background(), s.app, scope, u, &s.sessions)
	u.silent = time.AfterFunc(silence, func() {
		s.forget(u)
		u.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: errSilent})
	})
	s.mu.users[uid] = u
	return u, true, nil
}

// openSession opens a connection, if there is room for it.
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

// forget lets the uid's next request open another connection.
func (s *longPoll) forget(u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.users[u.uid] == u {
		delete(s.mu.users, u.uid)
	}
}

// Shutdown refuses requests from now on, closes all connections, which answers
// the polls that wait, and returns when every Disconnect has run or ctx ends.
func (s *longPoll) Shutdown(ctx context.Context) error {
	return s.gate.Shutdown(ctx, admission.ShutdownOptions{})
}
