// Package scopes is what routers, workers and consumers of this module do with a
// protocol.Scope and programs do not.
package scopes

import (
	"context"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// Finder is an application that routes, and that can tell whether it has a route without
// opening the application behind it.
type Finder interface {
	// Find returns nil if there is a route for s, or the error that Open would return;
	// Open may still refuse. It must not block.
	Find(s *protocol.Scope) error
}

// WithRoute returns a copy of s for the application behind a route that has found m in
// the path. The slices of m must not be changed afterwards.
func WithRoute(s *protocol.Scope, m *plumbing.Match) *protocol.Scope {
	inner, place := plumbing.Scopes.Inner(s)
	place.GoOn(m)
	return inner.(*protocol.Scope) //nolint:errcheck,forcetypeassert // package protocol returns nothing else
}

// IsMounted reports whether a router in front tries another route if the answer is
// ErrNoRoute, so that this answer is not the last one.
func IsMounted(s *protocol.Scope) bool { return plumbing.Scopes.Mounted(s) }

// Taken notes whether the application that s is for has taken the connection, or
// refused it for good, so that Scope.Route returns its route; false if another route is
// tried. Routers call it when that application's Open has returned.
func Taken(s *protocol.Scope, yes bool) { plumbing.Scopes.Taken(s, yes) }

// TryBranch counts a route that matches and that a router is about to try. It returns
// an error that matches ErrNoRoute when plumbing.MaxBranches have been tried: the router
// then refuses with it and tries no other.
func TryBranch(s *protocol.Scope) error { return plumbing.Scopes.TryBranch(s) }

// SetFound notes the route that the Find method of a router has found for s, so that its
// Open need not search again.
func SetFound(s *protocol.Scope, f *plumbing.Found) { plumbing.Scopes.SetFound(s, f) }

// Found returns what SetFound was given for a router and what it has to route, or nil.
func Found(s *protocol.Scope, router any, path string) *plumbing.Found {
	return plumbing.Scopes.Found(s, router, path)
}

// Values returns what WithValue has added to s, without keeping s.
func Values(s *protocol.Scope) plumbing.Values { return plumbing.Scopes.Values(s) }

// Kept returns what is kept of s for the time after the handshake is answered: all but
// header, query and subprotocols, and of the request's memory one copy of the path.
func Kept(s *protocol.Scope) plumbing.KeptScope { return plumbing.Scopes.Kept(s) }

// OfKept returns a new Scope of what is kept.
func OfKept(k plumbing.KeptScope) *protocol.Scope {
	return k.Scope().(*protocol.Scope) //nolint:errcheck,forcetypeassert // as in WithRoute
}

// ForHandshake returns the scope of the connection that h opens, and its Context, which
// the caller cancels when the handshake is answered.
func ForHandshake(h plumbing.Handshake) (*protocol.Scope, *lazyctx.Context) {
	s, limit := plumbing.Scopes.Handshake(h)
	return s.(*protocol.Scope), limit //nolint:errcheck,forcetypeassert // as in WithRoute
}

// ForChannel returns the scope of what arrives on a worker's channel. ctx is what its
// Context returns.
func ForChannel(ctx context.Context, name string) *protocol.Scope {
	return plumbing.Scopes.Channel(ctx, name).(*protocol.Scope) //nolint:errcheck,forcetypeassert // as in WithRoute
}
