package redis_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// chat is the consumer of testdata/project.py in Go.
type chat struct {
	consumer.Base
	room string
}

func newChat(s *consumer.Scope) *chat { return &chat{room: s.Query().Get("room")} }

func (c *chat) Connect(ctx context.Context, conn *consumer.Conn) error {
	if err := conn.Join(ctx, c.room); err != nil {
		return err
	}
	return conn.SendText(ctx, "I am "+conn.Channel())
}

func (c *chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	e := said.New(text{m.Text()})
	if to, ok := strings.CutPrefix(m.Text(), "/to "); ok {
		return conn.Layer().Send(ctx, to, e)
	}
	return conn.GroupSend(ctx, c.room, e)
}

func (*chat) said(ctx context.Context, conn *consumer.Conn, p text) error {
	return conn.SendText(ctx, "Wye has "+p.Text)
}

// TestInteropConsumers has a consumer of Django, served by uvicorn, and one of Wye talk in one
// group.
func TestInteropConsumers(t *testing.T) {
	t.Parallel()
	l := openLayer(t, redis.Options{URLs: []string{shared.URL()}})
	room := "room." + l.Node()
	project := startProgram(t, "project.py", shared.URL())
	site := "127.0.0.1:" + project.readLine(t)
	node := serve(t, websocket.New(layers.Middleware(l)(consumer.New(newChat, consumer.On(said, (*chat).said))), nil))

	ann := websockettest.Dial(t, "ws://"+site+"/chat/"+room+"/", nil)
	bob := websockettest.Dial(t, "ws://"+node+"/?room="+room, nil)
	annChannel := strings.TrimPrefix(ann.Text(), "I am ")
	bobChannel := strings.TrimPrefix(bob.Text(), "I am ")
	shared.AwaitSubscribers(t, annChannel, 1)
	shared.AwaitSubscribers(t, "asgi__group__"+room, 2)
	want := func(at testkit.Line, text string) {
		t.Helper()
		if got := ann.Text(); got != "Django has "+text {
			t.Errorf("%s: Django's peer receives %q", at, got)
		}
		if got := bob.Text(); got != "Wye has "+text {
			t.Errorf("%s: Wye's peer receives %q", at, got)
		}
	}
	ann.SendText("from Django")
	want(testkit.Here(), "from Django")
	bob.SendText("from Wye")
	want(testkit.Here(), "from Wye")

	// Views without async send to the group, and to the peers of consumers that run in Wye.
	get(t, "http://"+site+"/say/"+room+"/?text="+url.QueryEscape("from a view"))
	want(testkit.Here(), "from a view")
	eve := websockettest.Dial(t, "ws://"+node+"/?room=only."+room, nil)
	if got := eve.Text(); !strings.HasPrefix(got, "I am ") {
		t.Errorf("Wye's peer receives %q", got)
	}
	get(t, "http://"+site+"/tell/only."+room+"/?text="+url.QueryEscape("to peers"))
	if got := eve.Text(); got != "to peers" {
		t.Errorf("Wye's peer receives %q", got)
	}

	// Both are reached by their channels as well.
	bob.SendText("/to " + annChannel)
	if got := ann.Text(); got != "Django has /to "+annChannel {
		t.Errorf("Django's peer receives %q", got)
	}
	bob.SendText("/to " + bobChannel)
	if got := bob.Text(); got != "Wye has /to "+bobChannel {
		t.Errorf("Wye's peer receives %q", got)
	}

	// The others stay when one leaves.
	ann.Conn.Close()
	bob.SendText("still there")
	if got := bob.Text(); got != "Wye has still there" {
		t.Errorf("Wye's peer receives %q", got)
	}
}

// get gets a page, which must be there.
func get(t *testing.T, address string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s is answered with %s", address, response.Status)
	}
}
