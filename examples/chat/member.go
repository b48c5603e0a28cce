package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/wye-go/wye/consumer"
)

// member is one connection of a person to a room. Its methods are called one at a
// time, so that it needs no lock.
type member struct {
	consumer.Base

	chat *chat
	room string
	you  Person // who is connected: "you" is what the client is called here
	json bool   // talks JSON, and otherwise in lines
	seen int64  // the place of the last message that is known here

	from netip.Addr
	stay *stay // from Connect on
}

// members is the application behind ws/<group>/.
func (c *chat) members() consumer.Application {
	return consumer.New(c.member,
		consumer.On(Said, (*member).said),
		consumer.On(Typing, (*member).typing),
		consumer.On(consumer.Entered, (*member).entered),
		consumer.On(consumer.Exited, (*member).exited),
		consumer.On(consumer.SendType, (*member).foreign),
		consumer.On(consumer.Gap, (*member).gap),
	)
}

func (c *chat) member(s *consumer.Scope) *member {
	m := &member{chat: c, room: s.Param("group"), json: s.Subprotocol(subprotocol) != "", from: address(s.RemoteAddr())}
	m.you, _ = consumer.UserAs[Person](s)
	if m.json {
		after, _ := strconv.ParseInt(s.Query().Get("after"), 10, 64) //nolint:errcheck // then it is 0: nothing has been seen
		m.seen = max(after, 0)
	}
	return m
}

// Connect enters the room. It joins first, and reads what has been said then: what is
// said in between comes twice, and said sees to it.
func (m *member) Connect(ctx context.Context, c *consumer.Conn) (err error) {
	if m.stay, err = m.chat.rooms.enter(m.room, m.you.ID, m.from); err != nil {
		return later(err)
	}
	c.Defer(m.stay.leave)
	if err := c.Join(ctx, m.room); err != nil {
		return err
	}
	if err := c.Enter(ctx, m.room, m.you.ID, m.you); err != nil {
		return err
	}
	return m.welcome(ctx, c)
}

// later closes a connection that may try again, and does not only refuse it: a browser
// does not tell its page why it was refused.
func later(why error) error {
	return consumer.NewCloseError(consumer.CloseTryAgainLater, why.Error()).AcceptFirst()
}

// welcome tells who is here, and what has been said since the last message that is
// known. It puts everything right, whatever has been missed.
func (m *member) welcome(ctx context.Context, c *consumer.Conn) error {
	there, err := c.Present(ctx, m.room)
	if err != nil {
		return err
	}
	page, err := m.chat.store.After(ctx, m.room, m.you.ID, m.seen)
	if err == nil && page.Last < m.seen { // it is not the database that it was
		m.seen = 0
		page, err = m.chat.store.After(ctx, m.room, m.you.ID, 0)
	}
	if err != nil {
		return later(m.chat.sorry(ctx, err))
	}
	w := welcome{
		Type: "welcome", Room: m.room, You: m.you, People: persons(there),
		Fresh: m.seen == 0 || page.More, past: m.past(page),
	}
	m.seen = page.Last
	return m.tell(ctx, c, w)
}

// past is a page as the member sees it.
func (m *member) past(p Page) past {
	h := past{Messages: make([]Message, len(p.Messages)), More: p.More}
	for i, one := range p.Messages {
		h.Messages[i] = one.as(m.you)
	}
	return h
}

// Receive does what the client wants, or says why not.
func (m *member) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	if msg.Kind != consumer.KindText {
		return consumer.NewCloseError(consumer.CloseUnsupportedData, "this chat is for text")
	}
	if !m.stay.asks() {
		return consumer.NewCloseError(consumer.ClosePolicyViolation, "too many requests")
	}
	r := request{Type: "say", Text: msg.Text()}
	if m.json {
		r = request{}
		if err := json.Unmarshal(msg.Data, &r); err != nil {
			return m.tell(ctx, c, refuse("malformed", "That is not the JSON of "+subprotocol+"."))
		}
	}
	err := m.do(ctx, c, r)
	if no := (*refused)(nil); errors.As(err, &no) {
		no.Tag = r.Tag
		return m.tell(ctx, c, no)
	}
	return err
}

func (m *member) do(ctx context.Context, c *consumer.Conn, r request) error {
	switch r.Type {
	case "say":
		return m.say(ctx, c, r)
	case "typing":
		if !m.stay.types() {
			return nil
		}
		return c.GroupSendOthers(ctx, m.room, Typing.New(m.you))
	case "older":
		if err := m.stay.pages(); err != nil {
			return err
		}
		page, err := m.chat.store.Before(ctx, m.room, m.you.ID, r.Before)
		if err != nil {
			return m.chat.sorry(ctx, err)
		}
		return m.tell(ctx, c, older{Type: "older", past: m.past(page)})
	default:
		return refuse("malformed", "There is no request of that type.")
	}
}

// say stores what is said; the store tells the room. What was stored before is
// only acknowledged.
func (m *member) say(ctx context.Context, c *consumer.Conn, r request) error {
	text, err := clean(r)
	if err != nil {
		return err
	}
	if err := m.stay.says(text); err != nil {
		return err
	}
	said := Message{From: m.you, Text: text, At: time.Now().UnixMilli(), Tag: r.Tag}
	if r.To != "" {
		if said.To, err = m.find(ctx, c, r.To); err != nil {
			return err
		}
	}
	stored, again, err := m.chat.store.Add(ctx, m.room, said)
	if err != nil {
		return m.chat.sorry(ctx, err)
	}
	if again && stored.Seq <= m.seen { // otherwise it is on its way
		return m.tell(ctx, c, message{stored, "message"})
	}
	return nil
}

// find returns the person with an ID: one who is here, or has a name.
func (m *member) find(ctx context.Context, c *consumer.Conn, id string) (*Person, error) {
	there, err := c.Present(ctx, m.room)
	if err != nil {
		return nil, err
	}
	for _, p := range there {
		if p.Key == id {
			who := present(p)
			return &who, nil
		}
	}
	who, found, err := m.chat.store.Person(ctx, id)
	switch {
	case err != nil:
		return nil, m.chat.sorry(ctx, err)
	case !found:
		return nil, refuse("nobody", "There is nobody to get that.")
	}
	return &who, nil
}

// said tells a message, unless it is known. If it is not the next one then others
// have been missed.
func (m *member) said(ctx context.Context, c *consumer.Conn, s Message) error {
	switch {
	case s.Seq <= m.seen:
		return nil
	case s.Seq > m.seen+1:
		return m.welcome(ctx, c)
	}
	m.seen = s.Seq
	if !s.visibleTo(m.you) {
		return nil
	}
	return m.tell(ctx, c, message{s.as(m.you), "message"})
}

func (m *member) typing(ctx context.Context, c *consumer.Conn, who Person) error {
	return m.news(ctx, c, "typing", who)
}

func (m *member) entered(ctx context.Context, c *consumer.Conn, v consumer.PresenceEvent) error {
	return m.news(ctx, c, "join", present(v.Presence))
}

func (m *member) exited(ctx context.Context, c *consumer.Conn, v consumer.PresenceEvent) error {
	return m.news(ctx, c, "leave", present(v.Presence))
}

// news tells something about somebody else.
func (m *member) news(ctx context.Context, c *consumer.Conn, what string, who Person) error {
	if who.ID == m.you.ID {
		return nil
	}
	return m.tell(ctx, c, news{what, who})
}

// foreign tells what another program has sent to the room.
func (m *member) foreign(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	if msg.Kind != consumer.KindText {
		return nil
	}
	return m.tell(ctx, c, foreign{"text", msg.Text()})
}

// gap is for layers over a network, which may lose events.
func (m *member) gap(ctx context.Context, c *consumer.Conn, _ consumer.GapEvent) error {
	return m.welcome(ctx, c)
}

// tell gives the client an answer, in its way. Of news that wait for a client that
// does not read, the latest about each person replaces the one before.
func (m *member) tell(ctx context.Context, c *consumer.Conn, answer any) error {
	key := ""
	if n, is := answer.(news); is {
		key = n.about() + n.Who.ID
	}
	if m.json {
		b, err := encode(answer)
		if err != nil {
			return err
		}
		return c.Send(ctx, consumer.Message{Data: b, Key: key})
	}
	for _, line := range lines(answer, m.you) {
		if err := c.Send(ctx, consumer.Message{Data: []byte(line), Key: key}); err != nil {
			return err
		}
	}
	return nil
}
