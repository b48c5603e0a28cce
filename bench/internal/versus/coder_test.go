package versus

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// serveCoder reads with Reader into a buffer that it keeps, because Read allocates
// each message. The context cannot be cancelled, which spares the connection a
// timer for each read and write.
func serveCoder(_ testing.TB, drop func([]byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(maxMessage)
		ctx := context.Background()
		for message := new(bytes.Buffer); ; message.Reset() {
			kind, m, err := c.Reader(ctx)
			if err != nil {
				return
			}
			if _, err := message.ReadFrom(m); err != nil {
				return
			}
			if drop != nil {
				drop(message.Bytes())
			} else if err := c.Write(ctx, kind, message.Bytes()); err != nil {
				return
			}
		}
	})
}
