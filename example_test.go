package wye_test

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// Line is what is said in a room.
type Line struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// Said goes to everybody in a room.
var Said = protocol.EventType[Line]{Name: "chat.message"}

// Chat is one person in one room.
type Chat struct {
	consumer.Base

	room, name string
}

// NewChat makes a Chat for each connection.
func NewChat(s *consumer.Scope) *Chat {
	return &Chat{room: s.Param("group"), name: s.Query().Get("name")}
}

// Connect lets in who has a name.
func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error {
	if c.name == "" {
		return protocol.NewRejectError(http.StatusBadRequest, "say who you are: ?name=Ann")
	}
	return conn.Join(ctx, c.room)
}

// Receive passes on what the person says.
func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	return conn.GroupSend(ctx, c.room, Said.New(Line{From: c.name, Text: m.Text()}))
}

// Disconnect tells the others.
func (c *Chat) Disconnect(ctx context.Context, conn *consumer.Conn, _ consumer.CloseStatus) {
	if err := conn.GroupSendOthers(ctx, c.room, Said.New(Line{From: c.name, Text: "has left"})); err != nil {
		log.Print(err)
	}
}

func (c *Chat) said(ctx context.Context, conn *consumer.Conn, l Line) error {
	return conn.SendJSON(ctx, l)
}

// A whole program: a chat with rooms, beside the plain HTTP of a mux.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("static")))
	app := router.New(mux, websocket.New(router.NewURLRouter(
		router.RePath(`^ws/(?P<group>\w{1,99})/$`, consumer.New(NewChat, consumer.On(Said, (*Chat).said))),
	), nil))
	if err := router.Run(ctx, &http.Server{Addr: "127.0.0.1:8000"}, app, 10*time.Second); err != nil {
		log.Print(err)
	}
}
