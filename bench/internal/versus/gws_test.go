package versus

import (
	"net/http"
	"testing"

	"github.com/lxzan/gws"
)

// serveGWS gives messages back to the pool that they come from, and reads on a
// goroutine of its own, so that what net/http had for the request can be
// collected. The check of UTF-8 is on, as it is in Wye; it is off by default.
func serveGWS(_ testing.TB, drop func([]byte)) http.Handler {
	up := gws.NewUpgrader(&gwsEvents{drop: drop}, &gws.ServerOption{
		CheckUtf8Enabled:   true,
		ReadMaxPayloadSize: maxMessage,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			return // it has answered
		}
		go c.ReadLoop()
	})
}

type gwsEvents struct {
	gws.BuiltinEventHandler
	drop func([]byte)
}

// OnMessage drops the message, or answers with it.
func (e *gwsEvents) OnMessage(c *gws.Conn, m *gws.Message) {
	if e.drop != nil {
		e.drop(m.Bytes())
	} else {
		_ = c.WriteMessage(m.Opcode, m.Bytes()) // a broken connection shows when it is read
	}
	_ = m.Close()
}
