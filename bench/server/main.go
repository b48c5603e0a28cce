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
	"github.com/wye-go/wye/layers"
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
	layer   string
	deflate deflate
}

func main() {
	var f flags
	flag.StringVar(&f.addr, "addr", "127.0.0.1:9002", "where to listen")
	flag.TextVar(&f.engine, "engine", websocket.EngineAuto, "what runs the connections: auto, loop or goroutine")
	flag.BoolVar(&f.secure, "tls", false, "serve TLS, with a certificate of its own")
	flag.IntVar(&f.largest, "max-message", 0, "size of the largest message in bytes; 0 means Wye's default")
	flag.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile of the whole run to this `file`")
	flag.StringVar(&f.layer, "layer", "", "the Redis server that connects the rooms of several servers, such as redis://127.0.0.1:6379,\n"+
		"or redis+core://127.0.0.1:6379 for the core backend; empty for rooms of this process")
	flag.Var(&f.deflate, "deflate", "compress messages, with context takeover where the peer lets us; -deflate=no-takeover without")
	flag.Parse()
	probe.Install()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := profiled(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// deflate is a flag that may have a value.
type deflate string

const noTakeover = "no-takeover"

// String returns the value.
func (d *deflate) String() string { return string(*d) }

// IsBoolFlag allows -deflate without a value, which is "true".
func (d *deflate) IsBoolFlag() bool { return true }

// Set reads a value.
func (d *deflate) Set(value string) error {
	switch value {
	case "true", noTakeover:
		*d = deflate(value)
	case "false":
		*d = ""
	default:
		return errors.New("write -deflate or -deflate=" + noTakeover)
	}
	return nil
}

// options returns the compression of the server, or nil for none.
func (d *deflate) options() *websocket.Compression {
	switch *d {
	case "":
		return nil
	case noTakeover:
		return &websocket.Compression{}
	}
	return &websocket.Compression{ServerTakeover: true, ClientTakeover: true}
}

// profiled is run, with a CPU profile if one is wanted.
func profiled(ctx context.Context, f flags) error {
	if f.profile == "" {
		return run(ctx, f)
	}
	file, err := os.Create(f.profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = run(ctx, f)
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

// grace is for the end of the connections, and then for the layer's.
const grace = 5 * time.Second

func run(ctx context.Context, f flags) (err error) {
	limits := protocol.Limits{MaxMessage: f.largest, ReadAhead: f.largest, QueueBytes: f.largest}
	layer, err := app.OpenLayer(ctx, f.layer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLayer(ctx, layer)) }()
	options := &websocket.Options{Limits: limits, Engine: f.engine, Compression: f.deflate.options()}
	r := router.New(nil, websocket.New(app.New(layer), options))
	srv := &http.Server{Addr: f.addr, ReadHeaderTimeout: 10 * time.Second}
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

func closeLayer(ctx context.Context, l *layers.Layer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return l.Close(ctx)
}
