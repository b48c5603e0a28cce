// Package docs_test has the code that README.md and docs/from-channels.md quote word by word.
//
//nolint:gochecknoglobals // programs declare their routes once
package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// mux serves the plain HTTP of the program in README.md.
var mux = http.NewServeMux()

type Chat struct {
	consumer.Base
	room string
}

type Line struct {
	Text string `json:"text"`
}

var Said = consumer.EventType[Line]{Name: "chat.message"}

func NewChat(s *consumer.Scope) *Chat { return &Chat{room: s.Param("group")} }

func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error {
	return conn.Join(ctx, c.room) // nil accepts the connection
}

func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	return conn.GroupSend(ctx, c.room, Said.New(Line{m.Text()}))
}

func (c *Chat) said(ctx context.Context, conn *consumer.Conn, l Line) error {
	return conn.SendText(ctx, l.Text)
}

var application = router.New(mux, websocket.New(router.NewURLRouter(
	router.RePath(`^ws/(?P<group>\w{1,99})/$`,
		consumer.New(NewChat, consumer.On(Said, (*Chat).said))),
), nil))

// TestReadmeLongName: a room whose name is too long for a group is 404.
func TestReadmeLongName(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(application)
	defer server.Close()
	room := func(length int) string { return server.URL + "/ws/" + strings.Repeat("a", length) + "/" }
	websockettest.Dial(t, room(99), nil)
	if a := websockettest.Refused(t, room(100), nil); a.Status != http.StatusNotFound {
		t.Errorf("a name of 100 letters: status %d, want 404", a.Status)
	}
}

// TestReadme sends messages in the chat of README.md.
func TestReadme(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(application)
	defer server.Close()
	peers := dialAll(t, 2, server.URL+"/ws/tea/")
	for _, c := range peers {
		c.SendText("hello")
		for _, c := range peers {
			c.WantText("hello")
		}
	}
}
