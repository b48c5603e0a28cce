// Package versus compares Wye's WebSocket with gorilla/websocket, coder/websocket
// and gws, in one process, by the same client, without anything of the client's
// that allocates:
//
//	go test ./internal/versus -run '^$' -bench . -benchmem -count 5
//
// BenchmarkHandshake is an opening handshake, BenchmarkParse a stream of messages
// out of memory, BenchmarkEcho a question and its answer over the loopback. The
// names are keys and values, so that benchstat -col /server makes a table of them.
// A server called bare does the least that the task allows: what it needs is
// net/http's, the kernel's or the benchmark's own.
//
// Each library is used as its documentation says that it is fast; package
// peers/... has what most people write. There is no code here but tests.
package versus
