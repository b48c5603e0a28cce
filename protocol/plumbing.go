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
		Inner:     func(s any) (any, *plumbing.Place) { return scope(s).inner() },
		Mounted:   func(s any) bool { return scope(s).place.Mounted },
		Taken:     func(s any, yes bool) { scope(s).taken(yes) },
		TryBranch: func(s any) error { return scope(s).tryBranch() },
		Found:     func(s, router any, path string) *plumbing.Found { return scope(s).found(router, path) },
		SetFound:  func(s any, f *plumbing.Found) { scope(s).setFound(f) },
		Values:    func(s any) plumbing.Values { return scope(s).values },
		Kept:      func(s any) plumbing.KeptScope { return scope(s).kept() },
		Channel:   func(ctx context.Context, name string) any { return newChannelScope(ctx, name) },
		Handshake: func(h plumbing.Handshake) (any, *lazyctx.Context) { return newHandshakeScope(h) },
	})
	plumbing.ProvideAccepts(accepts)
	plumbing.ProvideDeferLeaver(func(c any, v plumbing.Leaver) { conn(c).s.deferLeaver(v) })
	plumbing.ProvideNotifyEnded(func(c any, e plumbing.Ender) { conn(c).s.notifyEnded(e) })
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

// inner returns a copy for the application behind a route, and its place, which the
// router changes.
func (s *Scope) inner() (*Scope, *plumbing.Place) {
	c := *s
	return &c, &c.place
}

// taken records whether the application that s is for has decided about the connection,
// taking it or refusing it, so that Route returns its route. yes is false if the router
// tries another route. Routers call it when that application's Open has returned. The
// innermost router calls it first, and its yes is kept: its route is the longest.
func (s *Scope) taken(yes bool) {
	taken := s.origin.taken.Load()
	within := taken != nil && strings.HasPrefix(taken.place.Route, s.place.Route)
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

// found returns what a router has found in path, or nil.
func (s *Scope) found(router any, path string) *plumbing.Found {
	f := s.origin.found.Load()
	for f != nil && (f.Router != router || f.Path != path) {
		f = f.Next
	}
	return f
}

// setFound notes what a router has found.
func (s *Scope) setFound(f *plumbing.Found) {
	for {
		f.Next = s.origin.found.Load()
		if s.origin.found.CompareAndSwap(f.Next, f) {
			return
		}
	}
}

// keptScope is what is kept of a scope after the handshake is answered: less than half of
// a Scope and its origin.
type keptScope struct {
	typ        string
	channel    string
	place      plumbing.Place
	host       string
	remoteAddr string
	user       any

	values   plumbing.Values
	wildcard map[string]string
	base     context.Context //nolint:containedctx // as in origin
}

// Scope implements plumbing.KeptScope.
func (k *keptScope) Scope() any {
	return &Scope{
		typ: k.typ, channel: k.channel, place: k.place, host: k.host, remoteAddr: k.remoteAddr, user: k.user, values: k.values,
		origin: &origin{base: k.base, wildcard: k.wildcard},
	}
}

// kept returns what may be used of s after the handshake is answered. It has no header,
// query and subprotocols, and does not keep the memory of the request: it has one copy of
// the path, and the parameters are parts of it.
func (s *Scope) kept() *keptScope {
	c := &keptScope{
		typ: s.typ, channel: s.channel, place: s.place, host: strings.Clone(s.host), remoteAddr: strings.Clone(s.remoteAddr), user: s.user,
		values: s.values, wildcard: s.origin.wildcard, base: s.origin.base,
	}
	path := strings.Clone(s.place.RootPath + s.place.Path)
	c.place.RootPath, c.place.Path = path[:len(s.place.RootPath)], path[len(s.place.RootPath):]
	part := func(text string) string {
		if at := strings.Index(path, text); at >= 0 {
			return path[at : at+len(text)]
		}
		return strings.Clone(text)
	}
	c.place.Params, c.place.Args = slices.Clone(s.place.Params), slices.Clone(s.place.Args)
	for i, p := range c.place.Params {
		c.place.Params[i].Value = part(p.Value)
	}
	for i, arg := range c.place.Args {
		c.place.Args[i] = part(arg)
	}
	c.place.Route = s.Route()
	return c
}
