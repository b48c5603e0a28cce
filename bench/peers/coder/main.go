// Command coder is the echo server that users of coder/websocket write:
//
//	go run ./peers/coder -addr 127.0.0.1:9005
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/coder/websocket"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9005", "where to listen")
	flag.Parse()
	http.HandleFunc("/echo", echo)
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // a benchmark needs no timeouts
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer func() { _ = c.CloseNow() }() //nolint:errcheck // it is over
	c.SetReadLimit(1 << 20)
	ctx := context.Background()
	for {
		kind, m, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, kind, m); err != nil {
			return
		}
	}
}
