package versus

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
)

// serveGorilla reads with NextReader into a buffer that it keeps, because
// ReadMessage allocates each message. Buffer sizes are left at zero, by which the
// connection keeps those of net/http instead of having its own: messages larger
// than them go past the one and behind the other in a vectored write.
func serveGorilla(_ testing.TB, drop func([]byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var up websocket.Upgrader
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer c.Close()
		c.SetReadLimit(maxMessage)
		for message := new(bytes.Buffer); ; message.Reset() {
			kind, m, err := c.NextReader()
			if err != nil {
				return
			}
			if _, err := message.ReadFrom(m); err != nil {
				return
			}
			if drop != nil {
				drop(message.Bytes())
			} else if err := c.WriteMessage(kind, message.Bytes()); err != nil {
				return
			}
		}
	})
}
