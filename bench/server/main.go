// Command server is Wye as its users run it, for the benchmarks:
//
//	go run ./server -addr 127.0.0.1:9002 -engine loop
//
// See package app for what it serves.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/bench/internal/probe"
	"github.com/wye-go/wye/bench/internal/selfsigned"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// flags are those of the command line.
type flags struct {
	addr    string
	engine  websocket.Engine
	secure  bool
	largest int
	profile string
}

func main() {
	var f flags
	flag.StringVar(&f.addr, "addr", "127.0.0.1:9002", "where to listen")
	flag.TextVar(&f.engine, "engine", websocket.EngineAuto, "what runs the connections: auto, loop or goroutine")
	flag.BoolVar(&f.secure, "tls", false, "serve TLS, with a certificate of its own")
	flag.IntVar(&f.largest, "max-message", 0, "size of the largest message in bytes; 0 means Wye's default")
	flag.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile of the whole run to this `file`")
	flag.Parse()
	probe.Install()
	if err := profiled(f); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// profiled is run, with a CPU profile if one is wanted.
func profiled(f flags) error {
	if f.profile == "" {
		return run(f)
	}
	file, err := os.Create(f.profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = run(f)
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

func run(f flags) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	limits := protocol.Limits{MaxMessage: f.largest, ReadAhead: f.largest, QueueBytes: f.largest}
	options := &websocket.Options{Limits: limits, Engine: f.engine}
	r := router.New(nil, websocket.New(app.New(), options))
	srv := &http.Server{Addr: f.addr, ReadHeaderTimeout: 10 * time.Second}
	const grace = 5 * time.Second
	if !f.secure {
		return router.Run(ctx, srv, r, grace)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return err
	}
	config, err := selfsigned.Config()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return router.Serve(ctx, tls.NewListener(l, config), srv, r, grace)
}
