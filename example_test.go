package wye_test

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// Line is one line of the chat.
type Line struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// Said is the event that carries a line to the members of a room.
var Said = consumer.EventType[Line]{Name: "chat.message"}

// Chat is the connection of one user to one room.
type Chat struct {
	consumer.Base

	room, name string
}

// NewChat makes a Chat for each connection.
func NewChat(s *consumer.Scope) *Chat {
	return &Chat{room: s.Param("group"), name: s.Query().Get("name")}
}

// Connect accepts users with a name, and joins the room.
func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error {
	if c.name == "" {
		return consumer.NewRejectError(http.StatusBadRequest, "the name is missing: add ?name=Ann")
	}
	return conn.Join(ctx, c.room)
}

// Receive sends the user's line to the members of the room.
func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	return conn.GroupSend(ctx, c.room, Said.New(Line{From: c.name, Text: m.Text()}))
}

// Disconnect sends a last line to the other members.
func (c *Chat) Disconnect(ctx context.Context, conn *consumer.Conn, _ consumer.CloseStatus) {
	if err := conn.GroupSendOthers(ctx, c.room, Said.New(Line{From: c.name, Text: "has left"})); err != nil {
		log.Print(err)
	}
}

// said sends a line of the room to the user.
func (c *Chat) said(ctx context.Context, conn *consumer.Conn, l Line) error {
	return conn.SendJSON(ctx, l)
}

// A complete program: a chat with rooms, and plain HTTP from a mux.
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
