// Command nbio is the server that users of lesismal/nbio write: its HTTP engine on event
// loops, as in its WebSocket example, and rooms in a map.
//
//	go run ./peers/nbio -addr 127.0.0.1:9008
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/wye-go/wye/bench/internal/peer"
	"github.com/wye-go/wye/bench/internal/probe"
)

// maxLoad is how many connections are let in; the default is as many as are measured.
const maxLoad = 100_000

var rooms peer.Rooms[*websocket.Conn] // shared by all requests

func main() {
	addr := flag.String("addr", "127.0.0.1:9008", "where to listen")
	flag.Parse()
	probe.Install()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nbio:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string) error {
	logging.SetLevel(logging.LevelError)
	up := websocket.NewUpgrader()
	up.MessageLengthLimit = peer.MaxMessage
	up.OnMessage(message)
	up.OnClose(func(c *websocket.Conn, _ error) { rooms.Leave(pathOf(c).Room, c) })
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp",
		Addrs:   []string{addr},
		MaxLoad: maxLoad,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { open(up, w, r) }),
	})
	if err := engine.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	engine.Stop()
	return nil
}

func open(up *websocket.Upgrader, w http.ResponseWriter, r *http.Request) {
	path, ok := peer.ParsePath(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	c.SetSession(path)
	rooms.Join(path.Room, c)
}

// message waits in SessionWithLock until open has set the path.
func message(c *websocket.Conn, kind websocket.MessageType, b []byte) {
	path := pathOf(c)
	path.Work(b)
	if !path.Speaks() {
		_ = c.WriteMessage(kind, b) //nolint:errcheck // a broken connection is closed
		return
	}
	rooms.Each(path.Room, func(to *websocket.Conn) {
		_ = to.WriteMessage(kind, b) //nolint:errcheck // likewise
	})
}

func pathOf(c *websocket.Conn) peer.Path {
	if p, ok := c.Session().(peer.Path); ok {
		return p
	}
	return peer.Path{}
}
