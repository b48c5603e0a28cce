// Chat is a chat with rooms, in a browser and for any WebSocket client. Start it
// and open the address that it prints, in two browsers:
//
//	go run ./examples/chat
//
// README.md says how it is built and what to change first.
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
	"syscall"
	"time"

	"github.com/wye-go/wye/router"
)

// grace is how long open connections have to end.
const grace = 4 * time.Second

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "where to listen")
	file := flag.String("db", "chat.db", "the `file` with the database, which is made if it is not there")
	var trusted proxies
	flag.Var(&trusted, "proxies", "the `addresses` or networks of the proxies in front, with commas between them")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("chat: %q is no flag; there are -addr, -db and -proxies", flag.Arg(0))
	}
	if err := run(*addr, *file, trusted); err != nil {
		log.Fatal("chat: ", err)
	}
}

// run serves until the program is asked to end.
func run(addr, file string, trusted proxies) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who asks twice does not want to wait

	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr) // before there is a database
	if err != nil {
		return err
	}
	c, err := newChat(ctx, file, trusted...)
	switch {
	case err != nil && ctx.Err() != nil:
		return l.Close() // asked to end before it began
	case err != nil:
		return errors.Join(err, l.Close())
	}
	srv := &http.Server{ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute} // sockets have their own
	log.Printf("chat: open %s in two browsers; messages are in %s", link(l.Addr().String()), file)
	return errors.Join(router.Serve(ctx, l, srv, c.router(), grace), c.Close())
}

// link is what to open.
func link(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		addr = net.JoinHostPort("localhost", port)
	}
	return "http://" + addr + "/"
}
