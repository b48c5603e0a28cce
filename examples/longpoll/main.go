// Longpoll is a chat over WebSocket and over long polling, a protocol that this example
// adds to Wye in longpoll.go. README.md has commands to try:
//
//	go run ./examples/longpoll
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// grace is how long a shutdown waits for open connections.
const grace = 5 * time.Second

const usage = `This is a chat.

  /send/msg/?uid=ann&text=hello   says something
  /get/msg/?uid=ann               waits up to ten seconds for what is said
  /ws/chat/?uid=ann               is the same by WebSocket
`

// page serves plain HTTP.
func page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		fmt.Fprint(w, usage)
	})
	return mux
}

// newRouter returns the program's handler: a page, and an application behind two
// protocols.
func newRouter(app consumer.Application) *router.ProtocolTypeRouter {
	urls := router.NewURLRouter(router.RePath(`^ws/chat/$`, app))
	return router.New(page(), websocket.New(urls, nil), newLongPoll(app, nil))
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "where to listen")
	flag.Parse()
	if err := run(*addr); err != nil {
		log.Fatal(err)
	}
}

// run serves until the program receives SIGINT or SIGTERM.
func run(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second}
	log.Printf("longpoll: try curl http://%s/", addr)
	return router.Run(ctx, srv, newRouter(chat()), grace)
}
