package router

import (
	"fmt"
	"slices"

	"github.com/wye-go/wye/protocol"
)

// Use wraps app in middleware, the first outermost:
//
//	Use(app, a, b) // a(b(app))
//
// What is wrapped so keeps its names: [URLRouter.URLFor] knows the routes of a
// router behind middleware. A nil application or middleware panics.
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
	return &used{Application: outer, inner: app}
}

// used is an application in its middleware.
type used struct {
	protocol.Application // with the middleware

	inner protocol.Application // without
}

// Find asks the outermost middleware, if it can be asked.
func (u *used) Find(s *protocol.Scope) error {
	if f, ok := u.Application.(protocol.Finder); ok {
		return f.Find(s)
	}
	return nil
}

// routerOf is the router that app is, or that is behind app's middleware.
func routerOf(app protocol.Application) (*URLRouter, bool) {
	for {
		u, ok := app.(*used)
		if !ok {
			break
		}
		app = u.inner
	}
	r, ok := app.(*URLRouter)
	return r, ok
}
