// Package matrix has only tests: Wye behind the routers, middleware and reverse
// proxies that other people write, over TLS, and over Unix sockets. It is a
// module of its own, so that a user's module graph has nothing of it.
//
// The proxies' configurations are read out of docs/deployment.md: what is
// documented is what is tested. So is the Go of all documents, each block of which
// names its source. That of docs/existing-program.md (existing*_test.go) and of
// docs/from-go-libraries.md (libs*_test.go) is here.
package matrix
