// Package app is the Wye program that is measured, the same one under every
// engine.
package app

import (
	"context"

	"github.com/wye-go/wye/bench/internal/chore"
	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// New returns the application, on the layer l. The group of a room has the room's name:
//
//	/echo           every message back to its sender
//	/room/<name>    every message to all members of the room, the sender included
//	/events/<name>  the same with a typed event, which each member's handler sends
//	/member/<name>  a member of that room, whose messages come back to itself only
//	/func/echo      the echo as a function with a loop over its messages
//	/func/<name>    the member as such a function
//	/sleep          an echo that sleeps before it answers messages with a mark: see package chore
//	/work           an echo that needs some CPU time before it answers
func New(l *layers.Layer) protocol.Application {
	return router.Use(router.NewURLRouter(
		router.RePath(`^echo$`, consumer.ReceiveFunc(echo)),
		router.RePath(`^sleep$`, consumer.ReceiveFunc(sleep)),
		router.RePath(`^work$`, consumer.ReceiveFunc(work)),
		router.RePath(`^room/(?P<name>\w+)$`, consumer.New(newSpeaker, consumer.On(said, (*speaker).heard))),
		router.RePath(`^events/(?P<name>\w+)$`, consumer.New(newSender, consumer.On(said, (*sender).heard))),
		router.RePath(`^member/(?P<name>\w+)$`, consumer.New(newMember, consumer.On(said, (*member).heard))),
		router.RePath(`^func/echo$`, consumer.Func(loop)),
		router.RePath(`^func/(?P<name>\w+)$`, consumer.Func(memberLoop, consumer.On(said, streamHeard))),
	), layers.Middleware(l))
}

// line is what a sender says to its room.
type line struct {
	Text string `json:"text"`
}

var said = consumer.EventType[line]{Name: "bench.said"}

func echo(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) }

func sleep(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	chore.Sleep(m.Data)
	return c.Send(ctx, m)
}

func work(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	chore.Burn()
	return c.Send(ctx, m)
}

// loop is the echo as a function.
func loop(ctx context.Context, s *consumer.Stream) error {
	for m, err := range s.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := s.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// memberLoop is the member as a function.
func memberLoop(ctx context.Context, s *consumer.Stream) error {
	if err := s.Join(ctx, s.Scope().Param("name")); err != nil {
		return err
	}
	return loop(ctx, s)
}

//nolint:revive // the order of a method expression, which On takes
func streamHeard(s *consumer.Stream, ctx context.Context, _ *consumer.Conn, l line) error {
	return s.SendText(ctx, l.Text)
}

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

// heard sends what was said to the peer.
func (m *member) heard(ctx context.Context, c *consumer.Conn, l line) error {
	return c.SendText(ctx, l.Text)
}

// speaker is a member whose messages go to the room.
type speaker struct{ member }

func newSpeaker(s *consumer.Scope) *speaker { return &speaker{*newMember(s)} }

// Receive passes the message on.
func (m *speaker) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	return c.Broadcast(ctx, m.room, msg)
}

// sender is a member whose messages go to the room as events.
type sender struct{ member }

func newSender(s *consumer.Scope) *sender { return &sender{*newMember(s)} }

// Receive sends the event.
func (m *sender) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	return c.GroupSend(ctx, m.room, said.New(line{msg.Text()}))
}
