package engine

import (
	"net"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

// Handshake answers the request that opens a connection. The connection calls each method
// once at most, from within [Conn.Open] or protocol.Conn.Accept, and drops the Handshake
// with the answer.
type Handshake interface {
	// Accept takes the socket over and returns it with the answer, which the connection
	// writes. After an error, Reject is called.
	Accept(o protocol.AcceptOptions) (Accepted, error)
	// Reject writes the answer that refuses.
	Reject(e *protocol.RejectError)
}

// Accepted is what a handshake leaves to its connection. All of it belongs to the
// connection.
type Accepted struct {
	Socket net.Conn          // may have deadlines
	Answer *bytespool.Buffer // the connection writes it first
	Early  []byte            // what the peer has sent behind its request
}
