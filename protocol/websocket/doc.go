// Package websocket carries WebSocket connections (RFC 6455) to an application,
// on net/http.
//
// [Handler] is an http.Handler for any mux; [New] makes the same with options,
// for a mux or for a router.ProtocolTypeRouter.
//
// # Reading and writing
//
// Each connection has one goroutine, which reads, runs the callbacks and writes
// what they sent, one write for each read. Callbacks may block: then, after a
// few milliseconds, another goroutine takes over reading, so that pings and the
// close handshake are answered, and what was sent before goes out. Sends from
// elsewhere are written by a goroutine that lives as long as there is something
// to write.
//
// # What is there
//
// The handshake, text and binary messages, fragments, pings, pongs and the close
// handshake, with limits on all of them. Extensions, such as compression, are
// declined; keep-alive pings are not sent yet.
package websocket
