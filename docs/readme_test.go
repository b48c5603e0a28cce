// Package docs_test is the code of the guides and of README.md, word by word.
//
//nolint:gochecknoglobals // programs declare their routes once
package docs_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// mux is the plain part of the program in README.md.
var mux = http.NewServeMux()

type Chat struct {
	consumer.Base
	room string
}

type Line struct {
	Text string `json:"text"`
}

var Said = protocol.EventType[Line]{Name: "chat.message"}

func NewChat(s *consumer.Scope) *Chat {
	return &Chat{room: s.Param("group")}
}

func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error {
	return conn.Join(ctx, c.room) // nil accepts; leaves by itself
}

func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	return conn.GroupSend(ctx, c.room, Said.New(Line{m.Text()}))
}

func (c *Chat) said(ctx context.Context, conn *consumer.Conn, l Line) error {
	return conn.SendText(ctx, l.Text)
}

var application = router.New(mux, websocket.New(router.URLs(
	router.RePath(`^ws/(?P<group>\w{1,99})/$`,
		consumer.New(NewChat, consumer.On(Said, (*Chat).said))),
), nil))

// TestReadmeLongName: a room whose name no group can have leads nowhere. The other one lacks a key.
func TestReadmeLongName(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(application)
	defer server.Close()
	for length, want := range map[int]int{99: http.StatusBadRequest, 100: http.StatusNotFound} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/ws/"+strings.Repeat("a", length)+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Upgrade", "websocket")
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("a name of %d letters: status %d, want %d", length, answer.StatusCode, want)
		}
	}
}

// TestReadme talks in the chat of README.md.
func TestReadme(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(application)
	defer server.Close()
	ann, bob := dial(t, server.URL+"/ws/tea/"), dial(t, server.URL+"/ws/tea/")
	for _, peer := range []net.Conn{ann, bob} {
		if err := wsutil.WriteClientText(peer, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		for i, c := range []net.Conn{ann, bob} {
			if got, err := wsutil.ReadServerText(c); err != nil || string(got) != "hello" {
				t.Errorf("client %d reads %q, %v; want hello", i, got, err)
			}
		}
	}
}

// dial opens a connection to a server.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, early, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(address, "http"))
	if err != nil {
		t.Fatal(err)
	}
	if early != nil {
		t.Fatal("the server speaks first")
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}
