package protocol

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/plumbing"
)

// init gives the other packages of this module functions that are not exported.
func init() { //nolint:gochecknoinits // an internal package is given functions of a package that imports it
	plumbing.ProvideScopes(errBranches, plumbing.ScopeFuncs{
		WithRoute: func(s any, m plumbing.Match) any { return scope(s).withRoute(m) },
		Mounted:   func(s any) bool { return scope(s).mounted },
		Taken:     func(s any, yes bool) { scope(s).taken(yes) },
		TryBranch: func(s any) error { return scope(s).tryBranch() },
		Values:    func(s any) plumbing.Values { return scope(s).values },
		Kept:      func(s any) any { return scope(s).kept() },
		Channel:   func(ctx context.Context, name string) any { return newChannelScope(ctx, name) },
		Handshake: func(h *plumbing.Handshake) (any, *lazyctx.Context) { return newHandshakeScope(h) },
	})
	plumbing.ProvideAccepts(accepts)
	plumbing.ProvideDeferLeaver(func(c any, v plumbing.Leaver) { conn(c).s.deferLeaver(v) })
	plumbing.ProvideEvents(plumbing.EventFuncs{
		New:     func(typ string, body []byte) (any, error) { return newEvent(typ, body) },
		Payload: func(e any) ([]byte, error) { return event(e).wirePayload() },
		Seal:    func(e any) error { return event(e).seal() },
		At: func(e any, epoch string, offset uint64) any {
			return event(e).at(Position{Epoch: epoch, Offset: offset})
		},
	})
}

func conn(c any) *Conn { return c.(*Conn) } //nolint:errcheck,forcetypeassert // package consumer passes nothing else

func event(e any) *Event { return e.(*Event) } //nolint:errcheck,forcetypeassert // package events passes nothing else

func scope(s any) *Scope { return s.(*Scope) } //nolint:errcheck,forcetypeassert // package scopes passes nothing else

// newChannelScope returns the scope of a worker that receives from channel. Its Context
// returns ctx.
func newChannelScope(ctx context.Context, channel string) *Scope {
	return &Scope{typ: "channel", channel: channel, origin: &origin{base: ctx}}
}

// withRoute returns a copy for the application behind a route. The part of Path that the
// route has matched moves to RootPath. Parameters are added to those of outer routers, and
// replace those of the same name; Args follow theirs. The slices of m must not be changed
// afterwards.
func (s *Scope) withRoute(m plumbing.Match) *Scope {
	c := *s
	c.rootPath, c.path = s.rootPath+m.Taken, m.Rest
	c.route = s.route + m.Route
	c.params = concat(s.params, m.Params)
	c.args = concat(s.args, m.Args)
	c.mounted, c.routed = s.mounted || m.Mount, true
	return &c
}

// concat returns a followed by b, and changes neither.
func concat[T any](a, b []T) []T {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	}
	return slices.Concat(a, b)
}

// taken records whether the application that s is for has decided about the connection,
// taking it or refusing it, so that Route returns its route. yes is false if the router
// tries another route. Routers call it when that application's Open has returned. The
// innermost router calls it first, and its yes is kept: its route is the longest.
func (s *Scope) taken(yes bool) {
	taken := s.origin.taken.Load()
	within := taken != nil && strings.HasPrefix(taken.route, s.route)
	switch {
	case yes && !within:
		s.origin.taken.Store(s)
	case !yes && within:
		s.origin.taken.Store(nil)
	}
}

// errBranches means that the routers have tried [plumbing.MaxBranches] routes for one
// connection without finding an application, and have given up.
var errBranches = fmt.Errorf("%w: %d branches of the routers were tried; "+
	"mount fewer routers that begin with the same path within each other", ErrNoRoute, plumbing.MaxBranches)

// tryBranch counts a matching route that a router is about to try. It returns errBranches
// when MaxBranches have been tried: twenty nested routers with two matching routes each
// have a million branches. The router then refuses the connection with that error, because
// one of the other branches could have led to an application. The outermost router's call
// of RoutePath sets the count back.
func (s *Scope) tryBranch() error {
	if s.origin.branches.Add(1) > plumbing.MaxBranches {
		return errBranches
	}
	return nil
}

// kept returns a copy of s that may be used after the handshake is answered. It has no
// header, query and subprotocols, and does not keep the memory of the request: it has one
// copy of the path, and the parameters are parts of it.
func (s *Scope) kept() *Scope {
	c := *s
	path := strings.Clone(s.rootPath + s.path)
	c.rootPath, c.path = path[:len(s.rootPath)], path[len(s.rootPath):]
	part := func(text string) string {
		if at := strings.Index(path, text); at >= 0 {
			return path[at : at+len(text)]
		}
		return strings.Clone(text)
	}
	c.params, c.args = slices.Clone(s.params), slices.Clone(s.args)
	for i, p := range c.params {
		c.params[i].Value = part(p.Value)
	}
	for i, arg := range c.args {
		c.args[i] = part(arg)
	}
	c.host, c.remoteAddr = strings.Clone(s.host), strings.Clone(s.remoteAddr)
	c.rawQuery, c.header, c.subprotocols = "", nil, nil
	c.route = s.Route()
	c.origin = &origin{base: s.origin.base, wildcard: s.origin.wildcard}
	return &c
}
