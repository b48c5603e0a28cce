package router

import (
	"fmt"
	"slices"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// Use returns app wrapped in middleware. The first middleware is the outermost: it sees
// a connection first.
//
//	Use(app, a, b) // a(b(app))
//
// Use is better than calling the middleware directly, because it keeps app known: a
// [URLRouter] finds the names of routes behind Use for [URLRouter.URLFor].
//
// A nil app and a nil middleware panic.
func Use(app protocol.Application, middleware ...protocol.Middleware) protocol.Application {
	if app == nil {
		panic(fmt.Sprintf("wye: router.Use (%s): the application is nil", caller()))
	}
	outer := app
	for i, wrap := range slices.Backward(middleware) {
		if wrap == nil {
			panic(fmt.Sprintf("wye: router.Use (%s): middleware %d is nil", caller(), i+1))
		}
		outer = wrap(outer)
	}
	return &wrapped{Application: outer, inner: app}
}

// wrapped is an application with its middleware.
type wrapped struct {
	protocol.Application // the outermost middleware

	inner protocol.Application // the application without middleware
}

// Find asks the outermost middleware if it is a Finder.
func (w *wrapped) Find(s *protocol.Scope) error {
	if f, ok := w.Application.(scopes.Finder); ok {
		return f.Find(s)
	}
	return nil
}
