// Package app is the Wye program that is measured, the same one under every
// engine.
package app

import (
	"context"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// New returns the application, on a layer of its own:
//
//	/echo           every message back to its sender
//	/room/<name>    every message to all members of the room, the sender included
//	/member/<name>  a member of that room, whose messages come back to itself only
func New() protocol.Application {
	return router.Use(router.NewURLRouter(
		router.RePath(`^echo$`, consumer.ReceiveFunc(echo)),
		router.RePath(`^room/(?P<name>\w+)$`, consumer.New(newSpeaker)),
		router.RePath(`^member/(?P<name>\w+)$`, consumer.New(newMember)),
	), layers.Middleware(new(layers.Layer)))
}

func echo(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) }

// member is in a room and answers its own messages.
type member struct {
	consumer.Base
	room string
}

func newMember(s *consumer.Scope) *member { return &member{room: s.Param("name")} }

// Connect joins the room.
func (m *member) Connect(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, m.room) }

// Receive answers the sender.
func (m *member) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	return c.Send(ctx, msg)
}

// speaker is a member whose messages go to the room.
type speaker struct{ member }

func newSpeaker(s *consumer.Scope) *speaker { return &speaker{*newMember(s)} }

// Receive passes the message on.
func (m *speaker) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	return c.Broadcast(ctx, m.room, msg)
}
