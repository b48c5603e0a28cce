package router

import (
	"net"
	"net/http"
	"sync"
)

// unusedConns are the connections on which no byte of a request has arrived yet.
// Browsers open such connections in advance. http.Server.Shutdown would wait five
// seconds for each.
type unusedConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// trackUnused keeps the set of unused connections of srv up to date from now on. It wraps
// srv.ConnState.
func trackUnused(srv *http.Server) *unusedConns {
	u := &unusedConns{conns: make(map[net.Conn]struct{})}
	hook := srv.ConnState
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew, http.StateActive, http.StateClosed:
			u.setUnused(c, state == http.StateNew)
		case http.StateIdle, http.StateHijacked: // it was active before
		}
		if hook != nil {
			hook(c, state)
		}
	}
	return u
}

func (u *unusedConns) setUnused(c net.Conn, unused bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if unused {
		u.conns[c] = struct{}{}
	} else {
		delete(u.conns, c)
	}
}

// closeAll closes the connections. A request that is still on its way is lost, but
// net/http would not serve it either: it reads no request after its Shutdown has begun.
func (u *unusedConns) closeAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close() //nolint:errcheck // the peer has sent nothing that could be lost
	}
}
