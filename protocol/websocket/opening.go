package websocket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
)

// opening is a handshake that has not been answered.
type opening struct {
	w           http.ResponseWriter
	r           *http.Request
	subprotocol string // chosen by Options, for an application that chooses none
}

// answer returns the response that accepts, for the caller to release. It must be
// called before hijack, behind which the headers of middleware cannot be read.
func (h *opening) answer(o *protocol.AcceptOptions) *bytespool.Buffer {
	b := bytespool.Get()
	a := handshake.Answer{Request: h.r.Header, Subprotocol: o.Subprotocol, Middleware: h.w.Header(), Application: o.Header}
	if a.Subprotocol == "" {
		a.Subprotocol = h.subprotocol
	}
	b.B = a.Append(b.B)
	return b
}

// hijack takes the connection over from net/http. early is what the peer has sent
// behind its request.
func (h *opening) hijack() (nc net.Conn, early []byte, err error) {
	nc, rw, err := hijackSafely(h.w)
	if err != nil {
		return nil, nil, fmt.Errorf("wye: the connection cannot be taken over from net/http; "+
			"a middleware in front wraps the ResponseWriter without an Unwrap method, or this is not HTTP/1.1: %w", err)
	}
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = io.ReadFull(rw.Reader, early) //nolint:errcheck // it is in memory
	}
	_ = nc.SetDeadline(time.Time{}) //nolint:errcheck // a broken socket shows when it is read
	return nc, early, nil
}

// hijackSafely returns a panic as an error: some middleware panics if the writer behind
// its own cannot be taken over.
func hijackSafely(w http.ResponseWriter) (nc net.Conn, rw *bufio.ReadWriter, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return http.NewResponseController(w).Hijack() //nolint:wrapcheck // its caller does
}

// refuse answers the handshake with e, and has net/http close the connection: what a
// peer has sent behind a request that is not a valid handshake may be meant as frames.
func (h *opening) refuse(e *protocol.RejectError) {
	h.w.Header().Set("Connection", "close")
	e.ServeHTTP(h.w, h.r)
}
