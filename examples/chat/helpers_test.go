package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// start starts a chat with a database of its own, until the end of the test. In a
// synctest bubble its time is fake.
func start(t *testing.T) *chat {
	t.Helper()
	c, err := newChat(t.Context(), filepath.Join(t.TempDir(), "chat.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.store.writes.Exec(`PRAGMA synchronous = OFF`); err != nil { // the machine does not crash in a test
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// cookieOf returns the cookie of the person with a name, and creates the person at the
// first call.
func cookieOf(t *testing.T, c *chat, name string) string {
	t.Helper()
	who := person(name)
	like := folded{shown: name, same: strings.ToLower(name), looks: []string{likeness(name), likeness(strings.ToLower(name))}}
	if err := c.store.AddPerson(t.Context(), who, like); err != nil && !errors.Is(err, errTaken) {
		t.Fatal(err)
	}
	value, err := c.people.cookie.Encode(cookieName, who)
	if err != nil {
		t.Fatal(err)
	}
	return cookieName + "=" + value
}

// person returns the person with a name.
func person(name string) Person { return Person{ID: "id-of-" + strings.ToLower(name), Name: name} }

// visitor is a client with the page's subprotocol.
type visitor struct {
	*consumertest.Client

	t       *testing.T
	welcome got
}

// enter connects a visitor to a room. It waits a moment first, so that presence has an
// order.
func enter(t *testing.T, c *chat, name, target string) *visitor {
	t.Helper()
	<-time.After(time.Millisecond)
	v := &visitor{t: t}
	v.Client = consumertest.Connect(t, c.urls(), target, &consumertest.Options{
		Header: http.Header{"Cookie": {cookieOf(t, c, name)}}, Limits: limits,
		Subprotocols: []string{subprotocol}, Spoken: []string{subprotocol},
	})
	if v.Subprotocol() != subprotocol {
		t.Fatalf("the subprotocol is %q", v.Subprotocol())
	}
	v.welcome = v.want("welcome")
	if v.welcome.You != person(name) {
		t.Fatalf("%+v was welcomed, want %s", v.welcome.You, name)
	}
	return v
}

// visit connects a client for lines of text. Without a name it is a guest.
func visit(t *testing.T, c *chat, name, target string) *consumertest.Client {
	t.Helper()
	<-time.After(time.Millisecond)
	o := &consumertest.Options{Limits: limits}
	if name != "" {
		o.Header = http.Header{"Cookie": {cookieOf(t, c, name)}}
	}
	return consumertest.Connect(t, c.urls(), target, o)
}

// got has the fields of all answers to the page.
type got struct {
	Message

	Type     string    `json:"type"`
	Room     string    `json:"room"`
	You      Person    `json:"you"`
	People   []Person  `json:"people"`
	Fresh    bool      `json:"fresh"`
	Messages []Message `json:"messages"`
	More     bool      `json:"more"`
	Who      Person    `json:"who"`
	Reason   string    `json:"reason"`
	Retry    int64     `json:"retry"`
}

// next waits for the next answer.
func (v *visitor) next() got {
	v.t.Helper()
	m := v.Message()
	var g got
	d := json.NewDecoder(bytes.NewReader(m.Data))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil || m.Kind != consumer.KindText {
		v.t.Fatalf("%s got %q: %v", v.welcome.You.Name, m.Data, err)
	}
	return g
}

// want waits for the next answer, and checks its type.
func (v *visitor) want(what string) got {
	v.t.Helper()
	g := v.next()
	if g.Type != what {
		v.t.Fatalf("%s got %+v, want a %s", v.welcome.You.Name, g, what)
	}
	return g
}

// say sends a message to everybody.
func (v *visitor) say(text string) { v.t.Helper(); v.SendJSON(request{Type: "say", Text: text}) }

// tell sends a direct message.
func (v *visitor) tell(to, text string) {
	v.t.Helper()
	v.SendJSON(request{Type: "say", Text: text, To: person(to).ID})
}

// wantSaid checks that the next answer is this message.
func (v *visitor) wantSaid(from, text string) Message {
	v.t.Helper()
	g := v.want("message")
	if g.From != person(from) || g.Text != text {
		v.t.Fatalf("%s got %q of %s, want %q of %s", v.welcome.You.Name, g.Text, g.From.Name, text, from)
	}
	return g.Message
}

// wantNews checks that the next answer is a join, leave or typing of this person.
func (v *visitor) wantNews(what, who string) {
	v.t.Helper()
	if g := v.want(what); g.Who != person(who) {
		v.t.Fatalf("%s got the %s of %+v, want %s", v.welcome.You.Name, what, g.Who, who)
	}
}

// wantRefused checks that the next answer is a refusal, and returns it.
func (v *visitor) wantRefused(reason string) got {
	v.t.Helper()
	g := v.want("refused")
	if g.Reason != reason || g.Text == "" {
		v.t.Fatalf("%s was refused because of %q (%s), want %q", v.welcome.You.Name, g.Reason, g.Text, reason)
	}
	return g
}

// leave closes the connection, and waits until the server has closed it.
func (v *visitor) leave() {
	v.t.Helper()
	v.Close(consumer.CloseGoingAway, "")
	v.WantOver()
}

// fill stores the messages 1, 2, 3 and so on of one person.
func fill(t *testing.T, c *chat, room, name string, count int) {
	t.Helper()
	for i := range count {
		add(t, c, room, Message{From: person(name), Text: fmt.Sprint(i + 1)})
	}
}

func add(t *testing.T, c *chat, room string, m Message) Message {
	t.Helper()
	stored, again, err := c.store.Add(t.Context(), room, m)
	if err != nil || again {
		t.Fatalf("storing %+v: %t, %v", m, again, err)
	}
	return stored
}

// everything returns all messages of a room that are visible to everybody.
func everything(t *testing.T, s *store, room string) (all []Message) {
	t.Helper()
	for before := int64(1) << 62; ; before = all[0].Seq {
		p, err := s.Before(t.Context(), room, "", before)
		if err != nil {
			t.Fatal(err)
		}
		all = append(p.Messages, all...)
		if !p.More {
			return all
		}
	}
}

// here returns the caller's line, for the rows of tables.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// texts returns the texts of messages.
func texts(messages []Message) []string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.Text
	}
	return all
}
