package matrix_test

import (
	"context"
	"net/http"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
)

type member struct {
	consumer.Base
	room string
}

func newMember(s *consumer.Scope) *member { return &member{room: s.Param("room")} }

func (m *member) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.Join(ctx, m.room)
}

func (m *member) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	return c.Broadcast(ctx, m.room, msg)
}

func wyeChat() http.Handler {
	return websocket.Handler(consumer.New(newMember))
}

func wyeEcho() http.Handler {
	return websocket.Handler(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		for m, err := range s.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := s.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}))
}

type player struct {
	consumer.Base
	level string
}

type move struct {
	Level string `json:"level"`
	To    string `json:"to"`
}

var moved = consumer.EventType[move]{Name: "player.moved"}

func newPlayer(s *consumer.Scope) *player { return &player{level: s.Query().Get("level")} }

func (p *player) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.GroupSendOthers(ctx, "game", moved.New(move{Level: p.level, To: m.Text()}))
}

func (p *player) moved(ctx context.Context, c *consumer.Conn, m move) error {
	if m.Level != p.level {
		return nil
	}
	return c.SendJSON(ctx, m)
}

func wyeGame() consumer.Application {
	return consumer.New(newPlayer,
		consumer.Groups[*player]("game"),
		consumer.On(moved, (*player).moved),
	)
}
