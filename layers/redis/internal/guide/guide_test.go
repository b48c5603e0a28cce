package guide_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The functions of this file are in docs/redis.md.

func openLayer(ctx context.Context) (*layers.Layer, error) {
	return layers.Open(ctx, redis.New(redis.Options{
		URLs: strings.Fields(os.Getenv("REDIS_URLS")), // none means the server of this machine
	}))
}

func newRouter(layer *layers.Layer, urls protocol.Application, plain http.Handler) *router.ProtocolTypeRouter {
	return router.New(plain, websocket.New(router.Use(urls, layers.Middleware(layer)), nil))
}

// room sends what its peer writes to the group of the room, and tells the peer about outages.
type room struct {
	consumer.Base
	group string
}

type text struct {
	Text string `json:"text"`
}

var line = consumer.EventType[text]{Name: "chat.line"}

func newRoom() protocol.Application {
	return consumer.New(func(s *consumer.Scope) *room { return &room{group: s.Param("name")} },
		consumer.On(line, (*room).line),
		consumer.On(layers.Down, (*room).down),
		consumer.On(layers.Up, (*room).up),
		consumer.On(layers.Gap, (*room).gap))
}

func (r *room) Connect(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, r.group) }

func (r *room) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.GroupSend(ctx, r.group, line.New(text{m.Text()}))
}

func (r *room) line(ctx context.Context, c *consumer.Conn, l text) error {
	return c.SendText(ctx, l.Text)
}

func (r *room) down(ctx context.Context, c *consumer.Conn, _ layers.StateEvent) error {
	return c.SendText(ctx, "(people on other servers cannot be reached)")
}

func (r *room) up(ctx context.Context, c *consumer.Conn, _ layers.StateEvent) error {
	return c.SendText(ctx, "(people on other servers can be reached again)")
}

func (r *room) gap(ctx context.Context, c *consumer.Conn, _ layers.GapEvent) error {
	return c.SendText(ctx, "(lines of others may be missing)")
}

// TestGuide has two people in one room, at two nodes, and Redis that is killed and started
// again: what the guide shows works.
func TestGuide(t *testing.T) {
	s := redistest.New(t, redistest.Options{})
	t.Setenv("REDIS_URLS", s.URL())
	app := router.NewURLRouter(router.Path("room/<name>", newRoom()))
	clients := make([]*consumertest.Client, 2)
	for i := range clients {
		l, err := openLayer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := l.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if r := newRouter(l, app, http.NotFoundHandler()); r == nil {
			t.Error("there is no router")
		}
		clients[i] = consumertest.Connect(t, router.Use(app, layers.Middleware(l)), "/room/one", &consumertest.Options{Patience: 30 * time.Second})
	}
	clients[0].SendText("hello")
	for _, c := range clients {
		c.WantText("hello")
	}
	s.Kill()
	for _, c := range clients {
		c.WantText("(people on other servers cannot be reached)")
	}
	clients[0].SendText("is anybody there?") // returns ErrDown, which ends nobody
	clients[0].WantText("is anybody there?")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.WantText("(people on other servers can be reached again)")
		c.WantText("(lines of others may be missing)")
	}
	clients[1].SendText("hello again")
	for _, c := range clients {
		c.WantText("hello again")
	}
	for _, c := range clients {
		if n := c.Stats().Failures; n > 0 {
			t.Errorf("%d consumers have failed", n)
		}
	}
}
