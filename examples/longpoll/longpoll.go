package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/protocol"
)

const (
	wait     = 10 * time.Second // for messages, and for the application; proxies wait longer
	silence  = 30 * time.Second // without a poll is the end of a connection
	maxUsers = 1000
	maxText  = 4 << 10  // bytes
	maxQueue = 64 << 10 // bytes that wait for a poll; then the oldest messages are dropped
)

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
	origins  http.CrossOriginProtection // its AddTrustedOrigin lets pages of other origins in
	app      protocol.Application
	sessions protocol.SessionOptions
	counters protocol.Counters
	open     sync.WaitGroup // sessions, until their Disconnect has returned

	mu struct {
		sync.Mutex
		users   map[string]*user
		closing bool
	}
}

var _ protocol.Protocol = (*longPoll)(nil)

func newLongPoll(app protocol.Application) *longPoll {
	s := &longPoll{app: app}
	s.mu.users = make(map[string]*user)
	limits := protocol.Limits{MaxMessage: maxText, QueueBytes: maxQueue, Overflow: protocol.OverflowDropOldest}
	s.sessions = protocol.SessionOptions{Limits: limits.WithDefaults(), Logger: slog.Default(), Counters: &s.counters}
	return s
}

// Type returns "longpoll".
func (s *longPoll) Type() string { return "longpoll" }

// Match claims the two paths.
func (s *longPoll) Match(r *http.Request) bool {
	return r.URL.Path == sendPath || r.URL.Path == getPath
}

// Stats returns the counters; MessagesDropped are those that nobody polled in time.
func (s *longPoll) Stats() protocol.Stats { return s.counters.Stats() }

// ServeHTTP sends one message, or waits for some.
func (s *longPoll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	uid, text, err := parse(w, r, &s.origins)
	if err == nil {
		err = s.serve(w, r, uid, text)
	}
	if err != nil {
		refuse(w, err)
	}
}

// serve opens the uid's connection if there is none, and does what is asked when
// the application has accepted. A client that gives this request up may have made
// the next one already, so that the connection opens all the same.
func (s *longPoll) serve(w http.ResponseWriter, r *http.Request, uid, text string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), wait)
	defer cancel()
	polls := text == ""
	u, first, err := s.enter(uid, polls, w, r.WithContext(ctx))
	if err != nil {
		return err
	}
	if polls {
		defer s.polled(u)
	}
	if first {
		u.session.Open()
	}
	select {
	case <-u.answered:
	case <-r.Context().Done():
		return r.Context().Err()
	}
	switch {
	case u.refused != nil:
		return u.refused
	case polls:
		return u.poll(w, r)
	}
	return u.receive(w, r, text)
}

// enter returns the uid's connection, and whether it is for the caller to open.
func (s *longPoll) enter(uid string, polls bool, w http.ResponseWriter, r *http.Request) (u *user, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = s.mu.users[uid]
	switch {
	case s.mu.closing:
		return nil, false, unavailable("the server is shutting down")
	case u == nil && len(s.mu.users) >= maxUsers:
		return nil, false, unavailable("there are too many users")
	case u == nil:
		u, first = s.newUser(uid, w, r), true
		s.mu.users[uid] = u
	}
	if polls {
		u.polls++
	}
	return u, first, nil
}

// polled takes note of the end of a poll.
func (s *longPoll) polled(u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.polls--
	u.silent.Reset(silence)
}

// forget lets the uid's next request open another connection.
func (s *longPoll) forget(u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(u)
}

func (s *longPoll) forgetLocked(u *user) {
	if s.mu.users[u.uid] == u {
		delete(s.mu.users, u.uid)
	}
}

// Shutdown refuses requests from now on, closes all connections, which answers
// the polls that wait, and returns when every Disconnect has run or ctx ends.
func (s *longPoll) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.mu.closing = true
	users := slices.Collect(maps.Values(s.mu.users))
	s.mu.Unlock()
	for batch := range slices.Chunk(users, 10) { // not everybody is to come back at once
		for _, u := range batch {
			u.session.Conn().Close(protocol.CloseGoingAway, "the server is shutting down")
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
	over := make(chan struct{})
	go func() {
		s.open.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
