//go:build linux

// Command floor is the least that an echo server on Linux can cost: one epoll
// loop on one thread, which knows just enough WebSocket to be driven by the
// load generator that drives real servers. It serves
//
//	/echo           every message back to its sender
//	/room/<name>    every message to all connections in the room; also /events/<name>
//	/member/<name>  in the room, but its messages come back to itself only
//
// and, with -raw, plain TCP without any protocol.
//
//	go run ./floor -addr 127.0.0.1:9001
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/wye-go/wye/bench/internal/floor"
	"github.com/wye-go/wye/bench/internal/probe"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9001", "IPv4 `address` to listen on")
	raw := flag.Bool("raw", false, "echo bytes, without HTTP or WebSocket")
	flag.Parse()
	probe.Install()
	if err := run(*addr, *raw); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(addr string, raw bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s, err := floor.Listen(addr, raw)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "floor: listening on", s.Addr())
	return errors.Join(s.Serve(ctx), s.Close())
}
