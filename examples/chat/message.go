package main

import (
	"encoding/json"

	"github.com/wye-go/wye/consumer"
)

// Person is a participant. Names are for people; programs compare IDs.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Message is a message as it is stored, sent through the layer, and shown to the page.
type Message struct {
	Seq  int64   `json:"seq"` // its position in the room, from 1
	From Person  `json:"from"`
	To   *Person `json:"to,omitempty"` // nil: everyone in the room
	Text string  `json:"text"`
	At   int64   `json:"at"`            // Unix milliseconds
	Tag  string  `json:"tag,omitempty"` // chosen by the sender, for its acknowledgement
}

// visibleTo reports whether p may see the message.
func (m Message) visibleTo(p Person) bool {
	return m.To == nil || m.To.ID == p.ID || m.From.ID == p.ID
}

// as returns the message as p may see it: only the sender sees the tag.
func (m Message) as(p Person) Message {
	if m.From.ID != p.ID {
		m.Tag = ""
	}
	return m
}

// The events that the layer sends to the members of a room, besides consumer.Entered,
// consumer.Exited and consumer.SendType.
var (
	Said   = consumer.EventType[Message]{Name: "chat.said"}
	Typing = consumer.EventType[Person]{Name: "chat.typing"}
)

// personOf returns the person who is present: a member enters with its Person as Meta.
func personOf(p consumer.Presence) Person {
	who := Person{ID: p.Key, Name: p.Key}
	_ = json.Unmarshal(p.Meta, &who) //nolint:errcheck // another program may have entered it; then the ID is the name
	who.ID = p.Key
	return who
}

// persons returns each person who is present once, even with several connections.
func persons(there []consumer.Presence) []Person {
	all, known := []Person{}, make(map[string]bool)
	for _, p := range there {
		if !known[p.Key] {
			known[p.Key] = true
			all = append(all, personOf(p))
		}
	}
	return all
}
