// Package router decides which code serves a request or a connection.
//
// A program has one [ProtocolTypeRouter]. It is the program's http.Handler: it
// passes WebSocket handshakes to the WebSocket server, and all other requests to
// an ordinary http.Handler such as an http.ServeMux. The WebSocket server asks a
// [URLRouter] which application serves the path. The types are named after those
// of Django Channels.
//
//	urls := router.NewURLRouter(router.Path("ws/<slug:room>/", consumer.New(NewRoom)))
//	r := router.New(mux, websocket.New(urls, nil))
//	err := router.Run(ctx, &http.Server{Addr: ":8000"}, r, 10*time.Second)
//
// Routers are Applications (see [protocol.Application]), and so are the results of
// consumer.New and consumer.Func. A router can therefore stand wherever a consumer
// can: behind a protocol, behind middleware, or behind a route of another router.
//
// # Routes
//
// A URLRouter tries its routes in order; the first one that matches the path serves
// the connection. [Path] makes a route from a path with typed parameters, [RePath]
// one from a regular expression, and [Mount] one that passes every path with a
// certain beginning to another router. [protocol.Scope.Param] returns the parameters.
// [URLRouter.URLFor] builds the path of a route that has a name.
//
// A mistake in a route panics when the route is made, and a route that can never be
// reached panics when its router is made. The text of the panic has the file and line of
// each route that it names.
//
// # Middleware
//
// [Use] wraps an application, such as a consumer or a whole router, in middleware. This
// package has [Auth], which authenticates users, [Log], which writes an access log,
// [Limit], which sets the limits of each connection, [MaxConns], which limits their
// number, and [Blocking] and [Inline], which declare whether callbacks block.
//
// # Running
//
// [Run] serves until its context is done, and then shuts down in the right order:
// listener, connections and requests, background tasks. A ProtocolTypeRouter
// also works under a server that the program runs itself; call
// [ProtocolTypeRouter.Shutdown] when that server stops.
//
// # Examples
//
// The Examples of this package show how it is used. go doc does not print them: read
// them on pkg.go.dev, or in the files example_*_test.go. Start with those of [New]
// (HTTP and WebSocket on one server), [Run] (a server that shuts down cleanly), [Path]
// and [RePath] (parameters), [Mount] (routers in routers), [Auth], and
// [ProtocolTypeRouter.Background] (a worker beside the server).
//
// # Paths
//
// A URLRouter splits the escaped path at its slashes and decodes each segment by
// itself, as http.ServeMux does since Go 1.22. A slash that the peer has written as
// %2F is therefore part of a segment, and [protocol.Scope.Param] returns it as "/":
//
//   - <name> and <path:name> match it, and so do [^/], the period, and other classes
//     that list the characters they exclude.
//   - A / in a pattern does not match it. Neither do classes that list the characters
//     they match, such as \w and [a-z/].
//
// Only a canonical path matches a route. Any other path is answered with 404, whatever
// the routes are, because a proxy or mux in front of the router may have read it as a
// different path. A path is not canonical if it
//
//   - has an empty segment, or a segment "." or ".." ("//", "/./", "/..%2F");
//   - escapes a character that never needs to be escaped ("/%61dmin/", "/%2e%2e/");
//   - has control characters, or is not UTF-8.
//
// [protocol.Scope.RoutePath] has the complete rule. It also applies to the path as the
// peer has sent it, so that neither http.StripPrefix nor middleware that cleans paths
// makes a path canonical.
//
// Two differences in spelling remain, because well-behaved clients use both: %C3%A9 and
// %c3%a9 are the same letter, and %2B and %40 are the same as + and @. Muxes that
// compare paths without decoding them (chi, echo) tell these apart. A path that such a
// mux must deny should therefore consist of ASCII letters, digits and - . _ ~ only.
//
// These rules do not apply to plain HTTP. The plain handler of a ProtocolTypeRouter gets
// every path unchanged; an http.ServeMux there redirects to the canonical path as usual.
package router
