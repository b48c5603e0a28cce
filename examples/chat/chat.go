package main

import (
	"context"
	"net/http"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// member is one person in one room.
type member struct {
	consumer.Base
	room string
}

// chat makes a member for each connection to ws/<group>/.
func chat() protocol.Application {
	return consumer.New(func(s *consumer.Scope) *member {
		return &member{room: s.Param("group")}
	})
}

// Connect joins the room. A name that no group can have is refused.
func (m *member) Connect(ctx context.Context, c *consumer.Conn) error {
	if err := layers.ValidName(m.room); err != nil {
		return protocol.Reject(http.StatusNotFound, err.Error())
	}
	return c.Join(ctx, m.room)
}

// Receive passes text on to everybody in the room, the sender included.
func (m *member) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	if msg.Kind != protocol.KindText {
		return protocol.Close(protocol.CloseUnsupportedData, "this chat is for text")
	}
	return c.Broadcast(ctx, m.room, msg)
}
