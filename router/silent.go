package router

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// silent are the connections on which no byte of a request has come yet, such
// as those that browsers open in case they need one. http.Server.Shutdown would
// wait five seconds for each.
type silent struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// silence is how long, from the beginning of a shutdown, such a connection has
// for the request that may be on its way.
const silence = 500 * time.Millisecond

// watchSilent has srv's hook tell of new connections, beside what it does.
func watchSilent(srv *http.Server) *silent {
	s := &silent{conns: make(map[net.Conn]struct{})}
	hook := srv.ConnState
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		s.note(c, state == http.StateNew)
		if hook != nil {
			hook(c, state)
		}
	}
	return s
}

func (s *silent) note(c net.Conn, isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isNew {
		s.conns[c] = struct{}{}
	} else {
		delete(s.conns, c)
	}
}

// cutSoon closes them in a while, unless stop is called before.
func (s *silent) cutSoon() (stop func()) {
	t := time.AfterFunc(silence, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			_ = c.Close() //nolint:errcheck // nobody has said anything on it
		}
	})
	return func() { t.Stop() }
}
