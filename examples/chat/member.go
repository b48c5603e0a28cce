package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// member is one connection of a person to a room. Its methods are called one at a time,
// so that it needs no lock.
type member struct {
	consumer.Base

	chat *chat
	room string
	you  Person // the person at this connection; the JSON calls it "you"
	json bool   // the client uses the JSON subprotocol, and otherwise lines of text
	seen int64  // the position of the last message that the client has

	welcomed bool

	from  netip.Addr
	usage *usage // set by Connect
}

// members returns the application behind ws/<group>/.
func (c *chat) members() consumer.Application {
	return consumer.New(c.member,
		consumer.On(Said, (*member).said),
		consumer.On(Typing, (*member).typing),
		consumer.On(consumer.Entered, (*member).entered),
		consumer.On(consumer.Exited, (*member).exited),
		consumer.On(consumer.SendType, (*member).external),
		consumer.On(consumer.Gap, (*member).gap),
		consumer.On(Refresh, (*member).refresh),
	)
}

func (c *chat) member(s *consumer.Scope) *member {
	m := &member{chat: c, room: s.Param("group"), json: s.Subprotocol(subprotocol) != "", from: address(s.RemoteAddr())}
	m.you, _ = consumer.UserAs[Person](s)
	if m.json {
		after, _ := strconv.ParseInt(s.Query().Get("after"), 10, 64) //nolint:errcheck // 0 on an error: the client has no messages
		m.seen = max(after, 0)
	}
	return m
}

// Connect enters the room. It joins the group first and reads the stored messages then.
// A message that is sent in between comes twice, and said drops the second one.
func (m *member) Connect(ctx context.Context, c *consumer.Conn) (err error) {
	if m.usage, err = m.chat.rooms.enter(m.room, m.you.ID, m.from); err != nil {
		return tryAgainLater(err)
	}
	c.Defer(m.usage.leave)
	if err = m.enter(ctx, c); errors.Is(err, layers.ErrDown) {
		err = errApart
	}
	if no := (*refused)(nil); errors.As(err, &no) {
		return tryAgainLater(no)
	}
	return err
}

func (m *member) enter(ctx context.Context, c *consumer.Conn) error {
	if m.chat.nodes != nil {
		if err := m.usage.countAll(ctx, c); err != nil {
			return err
		}
	}
	if err := c.Join(ctx, m.room); err != nil {
		return err
	}
	if err := c.Enter(ctx, m.room, m.you.ID, m.you); err != nil {
		return err
	}
	return m.welcome(ctx, c)
}

// tryAgainLater returns an error that accepts the connection and closes it with 1013,
// so that the page can show the reason. Browsers do not tell a page why a handshake was
// refused.
func tryAgainLater(why error) error {
	return consumer.NewCloseError(consumer.CloseTryAgainLater, why.Error()).AcceptFirst()
}

// welcome sends who is present and the messages after the last one that the client has.
// It also repairs the client's view after any loss of events.
func (m *member) welcome(ctx context.Context, c *consumer.Conn) error {
	var people []Person
	there, err := c.Present(ctx, m.room)
	switch {
	case err == nil:
		people = persons(there)
	case !m.welcomed || !errors.Is(err, layers.ErrDown): // otherwise the client keeps its list until gap
		return err
	}
	page, err := m.chat.store.After(ctx, m.room, m.you.ID, m.seen)
	if err == nil && page.Last < m.seen { // the database was replaced
		m.seen = 0
		page, err = m.chat.store.After(ctx, m.room, m.you.ID, 0)
	}
	if err != nil {
		return tryAgainLater(m.chat.databaseError(ctx, err))
	}
	w := welcome{
		Type: "welcome", Room: m.room, You: m.you, People: people,
		Fresh: m.seen == 0 || page.More, past: m.pageFor(page),
	}
	m.seen, m.welcomed = page.Last, true
	return m.send(ctx, c, w)
}

// pageFor returns a page as the member may see it.
func (m *member) pageFor(p Page) past {
	h := past{Messages: make([]Message, len(p.Messages)), More: p.More}
	for i, one := range p.Messages {
		h.Messages[i] = one.as(m.you)
	}
	return h
}

// Receive handles a request of the client, or sends why it is refused.
func (m *member) Receive(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	if msg.Kind != consumer.KindText {
		return consumer.NewCloseError(consumer.CloseUnsupportedData, "this chat is for text")
	}
	if !m.usage.allowRequest() {
		return consumer.NewCloseError(consumer.ClosePolicyViolation, "too many requests")
	}
	r := request{Type: "say", Text: msg.Text()}
	if m.json {
		r = request{}
		if err := json.Unmarshal(msg.Data, &r); err != nil {
			return m.send(ctx, c, refuse("malformed", "That is not the JSON of "+subprotocol+"."))
		}
	}
	err := m.handle(ctx, c, r)
	if no := (*refused)(nil); errors.As(err, &no) {
		no.Tag = r.Tag
		return m.send(ctx, c, no)
	}
	return err
}

func (m *member) handle(ctx context.Context, c *consumer.Conn, r request) error {
	switch r.Type {
	case "say":
		return m.say(ctx, c, r)
	case "typing":
		if !m.usage.allowTyping() {
			return nil
		}
		return c.GroupSendOthers(ctx, m.room, Typing.New(m.you))
	case "older":
		if err := m.usage.allowPage(); err != nil {
			return err
		}
		page, err := m.chat.store.Before(ctx, m.room, m.you.ID, r.Before)
		if err != nil {
			return m.chat.databaseError(ctx, err)
		}
		return m.send(ctx, c, older{Type: "older", past: m.pageFor(page)})
	default:
		return refuse("malformed", "There is no request of that type.")
	}
}

// say stores a message, and the store sends it to the room. If the same message was
// stored before, say only acknowledges it.
func (m *member) say(ctx context.Context, c *consumer.Conn, r request) error {
	text, err := clean(r)
	if err != nil {
		return err
	}
	if err := m.usage.allowMessage(text); err != nil {
		return err
	}
	said := Message{From: m.you, Text: text, At: time.Now().UnixMilli(), Tag: r.Tag}
	if r.To != "" {
		if said.To, err = m.findPerson(ctx, c, r.To); err != nil {
			return err
		}
	}
	stored, again, err := m.chat.store.Add(ctx, m.room, said)
	if err != nil {
		return m.chat.databaseError(ctx, err)
	}
	if again && stored.Seq <= m.seen { // otherwise said acknowledges it soon
		return m.send(ctx, c, message{stored, "message"})
	}
	return nil
}

// findPerson returns the person with an ID who is present or has a name.
func (m *member) findPerson(ctx context.Context, c *consumer.Conn, id string) (*Person, error) {
	there, err := c.Layer().PresentKey(ctx, m.room, id)
	switch {
	case errors.Is(err, layers.ErrDown): // then only people with names can be found
	case err != nil:
		return nil, err
	case len(there) > 0:
		who := personOf(there[0])
		return &who, nil
	}
	who, found, err := m.chat.store.Person(ctx, id)
	switch {
	case err != nil:
		return nil, m.chat.databaseError(ctx, err)
	case !found:
		return nil, refuse("nobody", "That person does not exist.")
	}
	return &who, nil
}

// said sends a message to the client, unless the client has it. If messages before it
// are missing, said reads them from the store.
func (m *member) said(ctx context.Context, c *consumer.Conn, s Message) error {
	m.chat.note(m.room, s.Seq)
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
	return m.send(ctx, c, message{s.as(m.you), "message"})
}

func (m *member) typing(ctx context.Context, c *consumer.Conn, who Person) error {
	return m.sendNews(ctx, c, "typing", who)
}

func (m *member) entered(ctx context.Context, c *consumer.Conn, v consumer.PresenceEvent) error {
	return m.sendNews(ctx, c, "join", personOf(v.Presence))
}

func (m *member) exited(ctx context.Context, c *consumer.Conn, v consumer.PresenceEvent) error {
	return m.sendNews(ctx, c, "leave", personOf(v.Presence))
}

// sendNews sends the client that another person joins, leaves or is typing.
func (m *member) sendNews(ctx context.Context, c *consumer.Conn, what string, who Person) error {
	if who.ID == m.you.ID {
		return nil
	}
	return m.send(ctx, c, news{what, who})
}

// external sends a text that another part of the program has sent to the room.
func (m *member) external(ctx context.Context, c *consumer.Conn, msg consumer.Message) error {
	if msg.Kind != consumer.KindText {
		return nil
	}
	return m.send(ctx, c, external{"text", msg.Text()})
}

// gap runs when a layer over a network may have lost events.
func (m *member) gap(ctx context.Context, c *consumer.Conn, _ consumer.GapEvent) error {
	return m.welcome(ctx, c)
}

// refresh runs some time after that, when all nodes have entered their people again.
func (m *member) refresh(ctx context.Context, c *consumer.Conn, v refresh) error {
	if v.Node != c.Layer().Node() {
		return nil
	}
	return m.welcome(ctx, c)
}

// send sends an answer in the client's format. News that wait for a slow client are
// replaced by the next news about the same person.
func (m *member) send(ctx context.Context, c *consumer.Conn, answer any) error {
	key := ""
	if n, is := answer.(news); is {
		key = n.topic() + n.Who.ID
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
