package engine

import (
	"net"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
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

// Opening is what a connection has only until its handshake is answered. Handshake must be
// set.
type Opening struct {
	Handshake
	runner // nil: there is no socket, so that of its methods only those below are called
}

func (o *Opening) schedule(c *Conn)  { go c.session.Run(0) }
func (o *Opening) aboutToWait(*Conn) {}
func (o *Opening) aboutToWork(*Conn) {}
func (o *Opening) forget(*Conn)      {}

// opening returns what there is until the handshake is answered, and nil afterwards.
func (c *Conn) opening() *Opening {
	o, ok := c.runner.(*Opening)
	if !ok {
		return nil
	}
	return o
}

// Accepted is what a handshake leaves to its connection. All of it belongs to the
// connection.
type Accepted struct {
	Socket net.Conn          // may have deadlines
	Answer *bytespool.Buffer // the connection writes it first
	Early  []byte            // what the peer has sent behind its request

	Deflate deflate.Params // as it was agreed on in Answer; the zero value without compression
}
