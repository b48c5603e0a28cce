// Chat is a chat with rooms in a browser. Start it and open the address that it
// prints, twice:
//
//	go run ./examples/chat
//
// A plain text message on ws/<room>/ goes to everybody in that room, the sender
// included, so that any WebSocket client can take part.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// grace is how long open connections have to end.
const grace = 5 * time.Second

// urls are the rooms.
func urls() *router.URLRouter {
	return router.URLs(
		router.RePath(`^ws/(?P<group>\w+)/$`, chat()),
	)
}

// newRouter is the whole program: the page, and the rooms behind it.
func newRouter() *router.ProtocolTypeRouter {
	return router.New(page(), websocket.New(urls(), nil))
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "where to listen")
	flag.Parse()
	if err := run(*addr); err != nil {
		log.Fatal(err)
	}
}

// run serves until the program is asked to end.
func run(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second}
	log.Printf("chat: open http://%s/ in two windows", addr)
	return router.Run(ctx, srv, newRouter(), grace)
}
