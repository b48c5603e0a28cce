// Room is the chat of the Django Channels tutorial: rooms by URL, and messages to
// everyone in a room. Read it first; examples/chat is the program to copy.
//
//	go run ./examples/room
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

//go:embed room.html
var page string

// Line is what a browser sends, and what everyone in the room receives.
type Line struct {
	Message string `json:"message"`
}

// Said is the event that carries a line to the members of a room.
var Said = consumer.EventType[Line]{Name: "chat.message"}

// Room is one connection to a room.
type Room struct {
	consumer.Base
	name string
}

func newRoom(s *consumer.Scope) *Room { return &Room{name: s.Param("room")} }

// Connect joins the room. Returning nil accepts the connection. It leaves the room when
// it closes.
func (r *Room) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.Join(ctx, r.name)
}

// ReceiveJSON sends a browser's line to everyone in the room.
func (r *Room) ReceiveJSON(ctx context.Context, c *consumer.Conn, l Line) error {
	return c.GroupSend(ctx, r.name, Said.New(l))
}

// said sends the browser a line that was sent to the room.
func (r *Room) said(ctx context.Context, c *consumer.Conn, l Line) error {
	return c.SendJSON(ctx, l)
}

// sockets returns the application for WebSocket connections.
func sockets() consumer.Application {
	return router.NewURLRouter(
		router.Path("ws/chat/<group:room>/", consumer.JSON(newRoom, consumer.On(Said, (*Room).said))),
	)
}

func newRouter() *router.ProtocolTypeRouter {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /chat/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	pages.Handle("GET /{$}", http.RedirectHandler("/chat/lobby/", http.StatusFound))
	return router.New(pages, websocket.New(sockets(), nil))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	server := &http.Server{Addr: "127.0.0.1:8000", ReadHeaderTimeout: 10 * time.Second}
	log.Print("room: open http://127.0.0.1:8000/ in two browsers")
	err := router.Run(ctx, server, newRouter(), 10*time.Second)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}
