// Hello is the smallest Wye program: it sends every message back to its sender.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
)

func echo(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) }

func main() {
	http.Handle("/echo", websocket.Handler(consumer.ReceiveFunc(echo)))
	log.Fatal(http.ListenAndServe("127.0.0.1:8000", nil))
}
