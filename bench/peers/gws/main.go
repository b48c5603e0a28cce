// Command gws is the echo server that users of lxzan/gws write:
//
//	go run ./peers/gws -addr 127.0.0.1:9006
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/lxzan/gws"
)

type echo struct{ gws.BuiltinEventHandler }

// OnMessage answers with the message.
func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) //nolint:errcheck // a broken connection shows when it is read
}

func main() {
	addr := flag.String("addr", "127.0.0.1:9006", "where to listen")
	flag.Parse()
	up := gws.NewUpgrader(echo{}, &gws.ServerOption{CheckUtf8Enabled: true, ReadMaxPayloadSize: 1 << 20})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			return // it has answered
		}
		go c.ReadLoop() // so that net/http's buffers can be collected
	})
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // a benchmark needs no timeouts
}
