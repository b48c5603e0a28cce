//nolint:gochecknoglobals // programs declare their middleware once
package docs_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// README.md quotes parts of the functions in this file.

// sendPrice sends a price that replaces an earlier one which still waits.
func sendPrice(ctx context.Context, c *consumer.Conn, item, price string) error {
	m := consumer.Text(item + " " + price)
	m.Key = item // replaces an earlier price of item that this peer has not been sent yet
	return c.Send(ctx, m)
}

// TestReadmeConflation: the peer reads after four prices and receives the last of each item.
func TestReadmeConflation(t *testing.T) {
	t.Parallel()
	sent := make(chan struct{})
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		defer close(sent)
		for _, p := range [][2]string{{"tea", "3.10"}, {"rum", "9.00"}, {"tea", "3.20"}, {"tea", "3.30"}} {
			if err := sendPrice(ctx, c, p[0], p[1]); err != nil {
				return err
			}
		}
		return nil
	})
	slow := consumertest.Connect(t, app, "/ws/prices/", nil)
	slow.SendText("start")
	<-sent
	slow.WantText("tea 3.30")
	slow.WantText("rum 9.00")
	closeNormally(slow)
}

// closeNormally closes the connections of clients as a browser does.
func closeNormally(clients ...*consumertest.Client) {
	for _, c := range clients {
		c.Close(consumer.CloseNormal, "")
		c.WantOver()
	}
}

// follower catches up with the history of a match.
type follower struct {
	consumer.Base
	since consumer.Position
}

func newFollower(s *consumer.Scope) *follower {
	f := &follower{}
	if err := f.since.UnmarshalText([]byte(s.Query().Get("since"))); err != nil {
		return &follower{} // follows from the oldest event that is kept
	}
	return f
}

func (f *follower) Connect(ctx context.Context, c *consumer.Conn) error {
	missed, err := c.JoinFrom(ctx, "match", layers.Range{After: f.since})
	if err != nil {
		return err
	}
	return c.Replay(ctx, missed.Events) // calls the handlers of the events
}

func (f *follower) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	_, err := c.Record(ctx, "match", Said.New(Line{m.Text()}), layers.Retention{})
	return err
}

func (f *follower) said(ctx context.Context, c *consumer.Conn, l Line) error {
	return c.SendText(ctx, consumer.PositionOf(ctx).String()+" "+l.Text)
}

// TestReadmeHistory: a peer that reconnects with its last position receives what it missed.
func TestReadmeHistory(t *testing.T) {
	t.Parallel()
	app := router.Use(consumer.New(newFollower, consumer.On(Said, (*follower).said)), layers.Middleware(new(layers.Layer)))
	read := func(c *consumertest.Client, want string) (position string) {
		position, text, _ := strings.Cut(c.Message().Text(), " ")
		if text != want {
			t.Errorf("read %q, want %q", text, want)
		}
		return position
	}
	ann := consumertest.Connect(t, app, "/ws/match/", nil)
	bob := consumertest.Connect(t, app, "/ws/match/", nil)
	ann.SendText("one")
	read(ann, "one")
	last := read(bob, "one")
	closeNormally(bob)
	ann.SendText("two")
	read(ann, "two")
	bob = consumertest.Connect(t, app, "/ws/match/?since="+last, nil)
	read(bob, "two")
	ann.SendText("three")
	read(bob, "three")
	read(ann, "three")
	closeNormally(ann, bob)
}

// enter makes a connection present in a room.
func enter(ctx context.Context, c *consumer.Conn, room, name string) error {
	return c.Enter(ctx, room, name, nil) // name is present in room until the connection closes
}

// TestReadmePresence: each peer receives the names in the room.
func TestReadmePresence(t *testing.T) {
	t.Parallel()
	app := router.Use(consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		if err := enter(ctx, c, "museum", m.Text()); err != nil {
			return err
		}
		present, err := c.Present(ctx, "museum")
		if err != nil {
			return err
		}
		names := []string{}
		for _, p := range present {
			names = append(names, p.Key)
		}
		return c.SendText(ctx, fmt.Sprint(names))
	}), layers.Middleware(new(layers.Layer)))
	ann := consumertest.Connect(t, app, "/ws/", nil)
	bob := consumertest.Connect(t, app, "/ws/", nil)
	ann.SendText("Ann")
	ann.WantText("[Ann]")
	bob.SendText("Bob")
	bob.WantText("[Ann Bob]")
	closeNormally(ann, bob)
}

// startWorker adds a worker to a router. Upload in channels_test.go sends the work.
func startWorker(r *router.ProtocolTypeRouter, thumbnails consumer.Application) {
	apps := map[string]consumer.Application{"thumbnails": thumbnails}
	r.Background(&layers.Worker{Puller: layers.Default(), App: router.NewChannelNameRouter(apps)})
}

// TestReadmeWorker checks that the router accepts the worker; TestWorker runs one.
func TestReadmeWorker(t *testing.T) {
	t.Parallel()
	startWorker(router.New(mux), consumer.New(NewThumbnails, consumer.On(Resize, (*Thumbnails).resize)))
}

// userOf is a stand-in for the reader's own check of a token.
func userOf(_ context.Context, token string) (*User, error) {
	if token != "s3cret" {
		return nil, router.ErrUnauthenticated
	}
	return &User{Name: "Ann"}, nil
}

var withToken = router.Auth(func(ctx context.Context, s *consumer.Scope) (*User, error) {
	for _, offered := range s.Subprotocols() {
		if token, ok := strings.CutPrefix(offered, "token."); ok {
			return userOf(ctx, token) // your code: a user, or router.ErrUnauthenticated for 401
		}
	}
	return nil, router.ErrUnauthenticated
})

func newTokenServer(app consumer.Application) *websocket.Server {
	return websocket.New(router.Use(app, withToken), &websocket.Options{Subprotocols: []string{"chat"}})
}

// TestReadmeToken: a valid token is accepted, and the answer does not repeat it.
func TestReadmeToken(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newTokenServer(consumer.ReceiveFunc(sendBack)))
	defer server.Close()
	offer := func(names string) http.Header { return http.Header{"Sec-Websocket-Protocol": {names}} }
	for _, header := range []http.Header{nil, offer("chat"), offer("chat, token.wrong")} {
		if a := websockettest.Refused(t, server.URL, header); a.Status != http.StatusUnauthorized {
			t.Errorf("offered %q: status %d, want 401", header, a.Status)
		}
	}
	ann := websockettest.Dial(t, server.URL, offer("chat, token.s3cret"))
	if got := ann.Answer.Header.Get("Sec-Websocket-Protocol"); got != "chat" {
		t.Errorf("the server chose %q, want chat", got)
	}
	ann.SendText("hello")
	ann.WantText("hello")
	ann.Close(consumer.CloseNormal, "")
}

func sendBack(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) }
