// Chat is a chat with rooms, for browsers and for any WebSocket client. Start it, and
// open the address that it prints in two browsers:
//
//	go run ./examples/chat
//
// README.md describes how it is built and what to change first.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/router"
)

// grace is how long a shutdown waits for open connections.
const grace = 4 * time.Second

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "where to listen")
	db := flag.String("db", "chat.db", "the database: a `file` of SQLite, which is created if it does not exist, or postgres://...")
	layer := flag.String("layer", "", "the `URLs` of the Redis that connects several nodes: redis://...; they also need -db postgres://...")
	var trusted proxies
	flag.Var(&trusted, "proxies", "the `addresses` or networks of the proxies in front of the program, separated by commas")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("chat: unexpected argument %q; use the flags -addr, -db, -layer and -proxies", flag.Arg(0))
	}
	if err := run(*addr, *db, *layer, trusted); err != nil {
		log.Fatal("chat: ", err)
	}
}

// run serves until the program receives SIGINT or SIGTERM.
func run(addr, db, layer string, trusted proxies) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr) // before a database is created
	if err != nil {
		return err
	}
	c, err := open(ctx, db, layer, trusted)
	switch {
	case err != nil && ctx.Err() != nil:
		return l.Close() // a signal came before the database was open
	case err != nil:
		return errors.Join(err, l.Close())
	}
	srv := &http.Server{ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute} // they do not apply to WebSocket connections
	log.Printf("chat: open %s in two browsers; messages are in %s", browserURL(l.Addr().String()), c.store)
	return errors.Join(router.Serve(ctx, l, srv, c.router(), grace), c.Close())
}

// open opens the layer and the database.
func open(ctx context.Context, db, url string, trusted proxies) (*chat, error) {
	var layer *layers.Layer
	if url != "" {
		var err error
		if layer, err = layers.Open(ctx, redis.New(redis.OptionsFor(strings.Fields(url)...))); err != nil {
			return nil, err
		}
	}
	return newChat(ctx, db, layer, trusted...)
}

// browserURL returns the URL to open in a browser.
func browserURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		addr = net.JoinHostPort("localhost", port)
	}
	return "http://" + addr + "/"
}
