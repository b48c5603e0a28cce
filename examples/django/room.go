package main

import (
	"context"
	"errors"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/examples/django/djangoauth"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// lobby is the group of the room. Consumers of Channels are members, too.
const lobby = "lobby"

// line is the payload of said. In Django it is the event {"type": "chat.message", "user":
// ..., "text": ..., "via": ...}.
type line struct {
	User string `json:"user"`
	Text string `json:"text"`
	Via  string `json:"via"` // who has sent it: Wye, Channels, or a view
}

// said is the event that carries a line. A consumer of Channels receives it in its method
// chat_message.
var said = consumer.EventType[line]{Name: "chat.message"}

// message is what the page receives.
type message struct {
	line

	Kind string `json:"kind"` // hello, line, down, gap or unsent
}

// room is one connection.
type room struct {
	consumer.Base

	user *djangoauth.User
}

func newRoom(s *consumer.Scope) *room {
	user, _ := protocol.UserAs[*djangoauth.User](s)
	return &room{user: user}
}

// Connect joins the room, and the group whose connections Django closes when the user logs
// out.
func (r *room) Connect(ctx context.Context, c *consumer.Conn) error {
	if r.user == nil {
		return consumer.NewCloseError(consumer.CloseUnauthorized, "log in first").AcceptFirst()
	}
	if err := c.Join(ctx, lobby, layers.GroupName("user", r.user.ID)); err != nil {
		return err
	}
	if err := c.SendJSON(ctx, message{Kind: "hello", line: line{User: r.user.Name}}); err != nil {
		return err
	}
	err := r.say(ctx, c, "has come in")
	if errors.Is(err, layers.ErrDown) {
		return c.SendJSON(ctx, message{Kind: "down"})
	}
	return err
}

// ReceiveJSON sends a line of the page to the room.
func (r *room) ReceiveJSON(ctx context.Context, c *consumer.Conn, in struct{ Text string }) error {
	if len(in.Text) > 4000 {
		return consumer.NewCloseError(consumer.CloseMessageTooBig, "the line is too long")
	}
	err := r.say(ctx, c, in.Text)
	if errors.Is(err, layers.ErrDown) {
		return c.SendJSON(ctx, message{Kind: "unsent", line: line{Text: in.Text}})
	}
	return err
}

func (r *room) say(ctx context.Context, c *consumer.Conn, text string) error {
	return c.GroupSend(ctx, lobby, said.New(line{User: r.user.Name, Text: text, Via: "Wye"}))
}

// said passes a line to the page.
func (r *room) said(ctx context.Context, c *consumer.Conn, l line) error {
	return c.SendJSON(ctx, message{Kind: "line", line: l})
}

// down tells the page that Redis cannot be reached.
func (r *room) down(ctx context.Context, c *consumer.Conn, _ layers.StateEvent) error {
	return c.SendJSON(ctx, message{Kind: "down"})
}

// gap tells the page that Redis can be reached again, and that lines may be missing. A
// program that stores its lines reads them here.
func (r *room) gap(ctx context.Context, c *consumer.Conn, g layers.GapEvent) error {
	if g.Group != lobby {
		return nil
	}
	return c.SendJSON(ctx, message{Kind: "gap"})
}
