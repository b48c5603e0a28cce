//go:build linux

// Command spike is Wye's session, consumer and layer under an inline event
// loop; see package internal/spike for what it is and is not:
//
//	go run ./spike -addr 127.0.0.1:9003
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/bench/internal/spike"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9003", "IPv4 `address` to listen on")
	flag.Parse()
	if err := run(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "spike:", err)
		os.Exit(1)
	}
}

func run(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ln, bound, err := epoll.Listen(addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "spike: listening on", bound)
	return spike.New(app.New()).Serve(ctx, ln)
}
