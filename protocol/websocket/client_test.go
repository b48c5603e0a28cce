package websocket_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// patience is how long a test waits for what must come. It is a failure's time.
const patience = 30 * time.Second

// sampleAnswer is the answer to websockettest.SampleKey.
const sampleAnswer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// The first bytes of frames: FIN and opcode.
const (
	finCont   = websockettest.FIN | websockettest.OpContinuation
	finText   = websockettest.FIN | websockettest.OpText
	finBinary = websockettest.FIN | websockettest.OpBinary
	finClose  = websockettest.FIN | websockettest.OpClose
	finPing   = websockettest.FIN | websockettest.OpPing
	finPong   = websockettest.FIN | websockettest.OpPong
	cont      = websockettest.OpContinuation
	text      = websockettest.OpText
	binaryOp  = websockettest.OpBinary
)

// frame returns the bytes of a client's frame.
func frame(first byte, payload string) []byte {
	return websockettest.Frame{First: first, Payload: payload}.Masked()
}

// closing returns the bytes of a client's close frame.
func closing(code protocol.CloseCode, reason string) []byte {
	return websockettest.Close(code, reason).Masked()
}

// peer is a websockettest.Client with what only these tests do.
type peer struct {
	*websockettest.Client

	tb testing.TB
}

func newPeer(tb testing.TB, nc net.Conn) *peer {
	tb.Helper()
	return &peer{websockettest.New(tb, nc), tb}
}

// closes ends the connection with a close handshake.
func (p *peer) closes() { p.tb.Helper(); p.Close(protocol.CloseNormal, "") }

// closeWrite closes the peer's half of the connection.
func closeWrite(nc net.Conn) error { return nc.(interface{ CloseWrite() error }).CloseWrite() }

// socketOf returns the socket under TLS.
func socketOf(nc net.Conn) net.Conn {
	if secure, ok := nc.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return nc
}

// setReadBuffer sets the size of the kernel's buffer.
func setReadBuffer(nc net.Conn, n int) error {
	return socketOf(nc).(interface{ SetReadBuffer(n int) error }).SetReadBuffer(n)
}

// echoes is fakes.Echo that tells when it has answered a message.
func echoes() (app *fakes.Handler, echoed <-chan struct{}) {
	app, done := fakes.Echo(), make(chan struct{}, 1000)
	echo := app.OnReceive
	app.OnReceive = func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		defer func() { done <- struct{}{} }()
		return echo(ctx, c, m)
	}
	return app, done
}
