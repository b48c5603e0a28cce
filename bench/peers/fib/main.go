// Command fib is the server that users of lesismal/fib write: WebSocket on its event
// loops, as in its README, with prepared messages for rooms, which are in a map.
//
//	cd peers/fib && GOWORK=off GOTOOLCHAIN=go1.27.3 go run . -addr 127.0.0.1:9009
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/lesismal/fib"
	"github.com/lesismal/fib/tls"
	"github.com/lesismal/fib/websocket"

	"github.com/wye-go/wye/bench/internal/peer"
	"github.com/wye-go/wye/bench/internal/probe"
	"github.com/wye-go/wye/bench/internal/selfsigned"
)

// handler is a server's callbacks. A Connection has no place for a value of its user, so
// the paths are in a map, those of connections that only echo excepted.
type handler struct {
	rooms peer.Rooms[*websocket.Connection]
	paths sync.Map // of *websocket.Connection to peer.Path
}

// OnOpen joins the room. A handler may not refuse a path: an unknown one is closed.
func (h *handler) OnOpen(c *websocket.Connection, r *http.Request) {
	path, ok := peer.ParsePath(r.URL.Path)
	if !ok {
		_ = c.Close(websocket.ClosePolicyViolation, "no such path")
		return
	}
	if path.Echoes() {
		return
	}
	h.paths.Store(c, path)
	h.rooms.Join(path.Room, c)
}

func (h *handler) path(c *websocket.Connection) peer.Path {
	v, _ := h.paths.Load(c)
	p, _ := v.(peer.Path)
	return p
}

// OnClose leaves the room.
func (h *handler) OnClose(c *websocket.Connection, _ uint16, _ string, _ error) {
	h.rooms.Leave(h.path(c).Room, c)
	h.paths.Delete(c)
}

// OnMessage answers with the message, or sends it to the room.
func (h *handler) OnMessage(c *websocket.Connection, op websocket.Opcode, b []byte) {
	path := h.path(c)
	path.Work(b)
	if !path.Speaks() {
		_ = c.WriteMessage(op, b) // a broken connection is closed
		return
	}
	m, err := websocket.NewPreparedMessage(op, b)
	if err != nil {
		return
	}
	h.rooms.Each(path.Room, func(to *websocket.Connection) { _ = to.WritePreparedMessage(m) })
}

func main() {
	addr := flag.String("addr", "127.0.0.1:9009", "where to listen")
	secure := flag.Bool("tls", false, "serve TLS, with a certificate of its own")
	flag.Parse()
	probe.Install()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *secure)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fib:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string, secure bool) error {
	cfg := websocket.DefaultConfig()
	cfg.MaxMessageBytes = peer.MaxMessage
	options := fib.DefaultConfig()
	options.LogSettings = false
	var serve fib.Handler = websocket.NewHandlerWithConfig(cfg, &handler{})
	if secure {
		config, err := selfsigned.Config()
		if err != nil {
			return err
		}
		serve = tls.NewServer(config, serve)
	}
	engine, err := fib.New(options, fib.Binding{Addr: addr, Handler: serve})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		soon, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = engine.Shutdown(soon)
		_ = engine.Close()
	})()
	if err := engine.Run(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
