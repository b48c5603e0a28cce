package websockettest

import (
	"net"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// accepted is the answer to Request.
const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// pair returns a client, and the other end of its connection.
func pair(tb testing.TB) (c *Client, server net.Conn) {
	tb.Helper()
	ours, theirs := net.Pipe()
	tb.Cleanup(func() { theirs.Close() })
	return New(tb, ours), theirs
}
