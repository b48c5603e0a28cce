package router

import (
	"net"
	"net/http"
	"sync"
)

// silent are the connections on which no byte of a request has come yet, such
// as those that browsers open in case they need one. http.Server.Shutdown would
// wait five seconds for each.
type silent struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

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

// cut closes them. A request that is on its way is lost, as it would be anyway:
// net/http serves none that it reads after its Shutdown has begun.
func (s *silent) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close() //nolint:errcheck // nobody has said anything on it
	}
}
