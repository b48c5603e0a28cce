// Command server is Wye as its users run it, for the benchmarks:
//
//	go run ./server -addr 127.0.0.1:9002
//
// See package app for what it serves.
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

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9002", "where to listen")
	largest := flag.Int("max-message", 0, "size of the largest message in bytes; 0 means Wye's default")
	flag.Parse()
	if err := run(*addr, *largest); err != nil {
		log.Fatal(err)
	}
}

func run(addr string, largest int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second}
	limits := protocol.Limits{MaxMessage: largest, ReadAhead: largest, QueueBytes: largest}
	ws := websocket.New(app.New(), &websocket.Options{Limits: limits})
	return router.Run(ctx, srv, router.New(nil, ws), 5*time.Second)
}
