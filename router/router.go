package router

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/wye-go/wye/protocol"
)

// ProtocolTypeRouter is an http.Handler that passes each request to the protocol
// that the request asks for, such as WebSocket, and all other requests to a plain
// http.Handler. It is usually the Handler of an http.Server. It can also serve one
// pattern of a mux, which then speaks HTTP and WebSocket on the same URL.
//
// Make it with [New]. All methods are safe for concurrent use.
type ProtocolTypeRouter struct {
	plain     http.Handler
	protocols []protocol.Protocol
	tasks     struct {
		sync.Mutex
		all []Task // added by Background
	}
}

// New returns a router that asks the protocols in order and passes a request to the
// first one whose Match reports true. All other requests go to plain, including
// upgrades to a protocol that is not in the list.
//
// If plain is nil, these requests are answered with 404 and a text that names the
// protocols. New panics if a protocol is nil or if two have the same Type.
func New(plain http.Handler, protocols ...protocol.Protocol) *ProtocolTypeRouter {
	types := make([]string, 0, len(protocols))
	for i, p := range protocols {
		if p == nil {
			panic(fmt.Sprintf("wye: router.New: protocol %d is nil", i+1))
		}
		if slices.Contains(types, p.Type()) {
			panic(fmt.Sprintf("wye: router.New: two protocols have the type %q; use one, with a URLRouter behind it", p.Type()))
		}
		types = append(types, p.Type())
	}
	if plain == nil {
		plain = notFoundHandler(types)
	}
	return &ProtocolTypeRouter{plain: plain, protocols: slices.Clone(protocols)}
}

// notFoundHandler returns the plain handler of a router that was given none.
func notFoundHandler(types []string) http.Handler {
	served := "nothing is served here yet"
	switch {
	case len(types) == 1:
		served = "only " + types[0] + " is served here"
	case len(types) > 1:
		served = "only " + strings.Join(types, " and ") + " are served here"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requested := "plain HTTP"
		if upgrade := r.Header.Get("Upgrade"); upgrade != "" {
			requested = fmt.Sprintf("the protocol %.40q", upgrade)
		}
		(&protocol.RejectError{
			Status: http.StatusNotFound,
			Body:   fmt.Sprintf("this request is for %s; %s", requested, served),
		}).ServeHTTP(w, r)
	})
}

// ServeHTTP passes the request to a protocol or to the plain handler. It returns
// when the request is answered; a connection that a protocol has accepted goes on
// after that.
func (r *ProtocolTypeRouter) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	for _, p := range r.protocols {
		if p.Match(req) {
			p.ServeHTTP(w, req)
			return
		}
	}
	r.plain.ServeHTTP(w, req)
}

// Shutdown shuts down all protocols at the same time. Each refuses new connections
// and closes the open ones as its options say, with code 1001 by default. Shutdown
// returns when all protocols have finished or ctx is done; its error joins theirs.
//
// http.Server.Shutdown does not close WebSocket connections, and this method does not
// stop the http.Server: call both, or use [Run], which does.
func (r *ProtocolTypeRouter) Shutdown(ctx context.Context) error {
	errs := make([]error, len(r.protocols))
	var shutdowns sync.WaitGroup
	for i, p := range r.protocols {
		shutdowns.Go(func() { errs[i] = p.Shutdown(ctx) })
	}
	shutdowns.Wait()
	return errors.Join(errs...)
}

// Background adds tasks that [Run] and [Serve] run beside the server. Tasks start
// before the first connection is accepted and end last: a task's context is done
// when plain requests and connections have ended, or when their grace period is over.
// So a worker still handles what a connection's Disconnect sends to it. After that,
// the tasks have the grace period once more.
//
// A task that returns an error shuts the server down, and Run returns the error.
// A task that returns nil early does not. A task may return context.Canceled once its
// context is done; this is not an error.
//
// Call Background before Run. A nil task panics.
func (r *ProtocolTypeRouter) Background(tasks ...Task) {
	for i, t := range tasks {
		if t == nil {
			panic(fmt.Sprintf("wye: router.Background: task %d is nil", i+1))
		}
	}
	r.tasks.Lock()
	defer r.tasks.Unlock()
	r.tasks.all = append(r.tasks.all, tasks...)
}

// backgroundTasks returns the tasks that Background has added so far.
func (r *ProtocolTypeRouter) backgroundTasks() []Task {
	r.tasks.Lock()
	defer r.tasks.Unlock()
	return slices.Clone(r.tasks.all)
}
