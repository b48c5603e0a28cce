package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wye-go/wye/consumer"
)

// lobby is the group of all members.
const lobby = "lobby"

// member is the consumer of one connection, by either protocol.
type member struct {
	consumer.Base
	uid string
}

// chat returns the application.
func chat() consumer.Application {
	return consumer.New(func(s *consumer.Scope) *member {
		uid, _ := cleanName(s.Query().Get("uid"))
		return &member{uid: uid}
	}, consumer.Groups[*member](lobby))
}

// Connect refuses a peer without a valid name.
func (m *member) Connect(context.Context, *consumer.Conn) error {
	if m.uid == "" {
		return consumer.NewRejectError(http.StatusBadRequest,
			fmt.Sprintf("say who you are, in %d bytes of printable text at the most, as in ?uid=ann", maxName))
	}
	return nil
}

// Receive sends a text to all members, the sender included.
func (m *member) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	if msg.Kind != consumer.KindText {
		return consumer.NewCloseError(consumer.CloseUnsupportedData, "this chat is for text")
	}
	return c.Broadcast(ctx, lobby, consumer.Text(m.uid+": "+msg.Text()))
}
