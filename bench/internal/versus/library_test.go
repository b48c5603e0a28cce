package versus

import (
	"net/http"
	"testing"
)

// library is one way to serve WebSocket.
type library struct {
	name string
	utf8 bool // it refuses text that is not UTF-8
	// serve returns a server that hands each message to drop, or returns it to
	// its sender if drop is nil. Bytes given to drop are lent.
	serve func(tb testing.TB, drop func(message []byte)) http.Handler
}

func libraries() []library {
	return []library{
		{"bare", false, serveBare},
		{"wye", true, serveWye},
		{"gorilla", false, serveGorilla},
		{"coder", false, serveCoder},
		{"gws", true, serveGWS},
	}
}

// maxMessage is Wye's default limit; the others are given the same.
const maxMessage = 1 << 20
