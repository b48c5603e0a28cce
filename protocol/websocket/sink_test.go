package websocket

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// hijacker is a ResponseWriter whose connection can be taken over.
type hijacker struct {
	nc     net.Conn
	header http.Header
}

func (h *hijacker) Header() http.Header {
	if h.header == nil {
		h.header = http.Header{}
	}
	return h.header
}
func (h *hijacker) WriteHeader(int)             {}
func (h *hijacker) Write(b []byte) (int, error) { return len(b), nil }
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReaderSize(h.nc, 16), bufio.NewWriterSize(h.nc, 16)), nil
}

// join opens a connection of s over nc. When it returns nothing of it is left to do: its
// reader waits for nc.
func join(tb testing.TB, s *Server, nc *enginetest.Sink) {
	tb.Helper()
	s.ServeHTTP(&hijacker{nc: nc}, handshaketest.Request())
	nc.AwaitReader()
	tb.Cleanup(func() { nc.Close() })
}

// finish waits until s has no connections any more. Their peers have gone.
func finish(tb testing.TB, s *Server) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		tb.Error(err)
	}
}
