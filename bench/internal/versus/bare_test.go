package versus

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/frame"
)

// bareBuffers hold several of the largest messages.
var bareBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// serveBare reads frames, unmasks them where they lie and writes them from there.
// It believes everything, and knows no control frames and no fragments.
func serveBare(_ testing.TB, drop func([]byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, answer); err != nil {
			return
		}
		buf := bareBuffers.Get().(*[64 << 10]byte)
		defer bareBuffers.Put(buf)
		_ = bareLoop(nc, buf[:], drop) // the client has gone
	})
}

func bareLoop(nc net.Conn, buf []byte, drop func([]byte)) error {
	for have := 0; ; {
		n, err := nc.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		rest, err := bareFrames(nc, buf[:have], drop)
		if err != nil {
			return err
		}
		have = copy(buf, rest)
	}
}

// bareFrames deals with the whole frames in b and returns what is behind them. A
// server's header is shorter than a client's, so the answer fits where the frame
// was.
func bareFrames(w io.Writer, b []byte, drop func([]byte)) (rest []byte, err error) {
	for {
		h, ok, err := frame.Parse(b)
		if err != nil || !ok || len(b) < h.Size() {
			return b, err
		}
		payload := b[h.Len:h.Size()]
		ws.Cipher(payload, h.Mask, 0)
		if drop != nil {
			drop(payload)
		} else {
			out := b[h.Len-frame.HeaderLen(h.Payload) : h.Size()]
			frame.PutHeader(out, h.First, h.Payload)
			if _, err := w.Write(out); err != nil {
				return nil, err
			}
		}
		b = b[h.Size():]
	}
}
