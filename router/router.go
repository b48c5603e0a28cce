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

// ProtocolTypeRouter is an http.Handler that hands requests which speak one of
// its protocols to it, and all others to plain HTTP. It can be the Handler of a
// http.Server, or serve one path of a mux, which then speaks HTTP and WebSocket
// on one URL. Make it with [New]. All methods are safe for concurrent use.
type ProtocolTypeRouter struct {
	plain     http.Handler
	protocols []protocol.Protocol
	tasks     struct {
		sync.Mutex
		all []Task // by Background
	}
}

// New returns a router. plain may be nil: then requests that no protocol claims
// are answered with 404 and a text that names what is there. An upgrade that no
// protocol claims goes to plain as well. A nil protocol, or two of one type,
// panic.
func New(plain http.Handler, protocols ...protocol.Protocol) *ProtocolTypeRouter {
	types := make([]string, 0, len(protocols))
	for i, p := range protocols {
		if p == nil {
			panic(fmt.Sprintf("wye: router.New: protocol %d is nil", i+1))
		}
		if slices.Contains(types, p.Type()) {
			panic(fmt.Sprintf("wye: router.New: two protocols of type %q; put a URLRouter behind one", p.Type()))
		}
		types = append(types, p.Type())
	}
	if plain == nil {
		plain = nothingElse(types)
	}
	return &ProtocolTypeRouter{plain: plain, protocols: slices.Clone(protocols)}
}

// nothingElse is the plain handler of a router that was given none.
func nothingElse(types []string) http.Handler {
	served := "nothing is served here yet"
	switch {
	case len(types) == 1:
		served = "only " + types[0] + " is served here"
	case len(types) > 1:
		served = "only " + strings.Join(types, " and ") + " are served here"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := "plain HTTP"
		if up := r.Header.Get("Upgrade"); up != "" {
			asked = fmt.Sprintf("the protocol %.40q", up)
		}
		(&protocol.RejectError{
			Status: http.StatusNotFound,
			Body:   fmt.Sprintf("this request is for %s; %s", asked, served),
		}).ServeHTTP(w, r)
	})
}

// ServeHTTP hands the request on. It returns when the answer is given, also for
// connections that go on afterwards.
func (r *ProtocolTypeRouter) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	for _, p := range r.protocols {
		if p.Match(req) {
			p.ServeHTTP(w, req)
			return
		}
	}
	r.plain.ServeHTTP(w, req)
}

// Shutdown shuts every protocol down, all at the same time: new connections are
// refused and old ones closed as the options of their protocol say, with 1001 by
// default. http.Server.Shutdown, which does not
// know connections that were upgraded, is to be called beside it; [Run] does
// both. The error joins the protocols'.
func (r *ProtocolTypeRouter) Shutdown(ctx context.Context) error {
	errs := make([]error, len(r.protocols))
	var all sync.WaitGroup
	for i, p := range r.protocols {
		all.Go(func() { errs[i] = p.Shutdown(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
