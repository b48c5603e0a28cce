// Package matrix has only tests: Wye behind the routers, middleware and reverse
// proxies that other people write, over TLS, and over Unix sockets. It is a
// module of its own, so that a user's module graph has nothing of it.
//
// The proxies' configurations, and the Go snippets, are read out of
// docs/deployment.md: what is documented is what is tested.
package matrix
