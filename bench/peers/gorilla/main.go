// Command gorilla is the echo server that users of gorilla/websocket write:
//
//	go run ./peers/gorilla -addr 127.0.0.1:9004
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/gorilla/websocket"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9004", "where to listen")
	flag.Parse()
	http.HandleFunc("/echo", echo)
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // a benchmark needs no timeouts
}

func echo(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer c.Close()
	c.SetReadLimit(1 << 20)
	for {
		kind, m, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, m); err != nil {
			return
		}
	}
}
