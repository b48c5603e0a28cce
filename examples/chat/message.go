package main

import (
	"encoding/json"

	"github.com/wye-go/wye/consumer"
)

// Person is somebody who talks. Names are for people; programs compare IDs.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Message is what somebody has said, as it is stored, sent through the layer, and
// shown to the page.
type Message struct {
	Seq  int64   `json:"seq"` // its place in its room
	From Person  `json:"from"`
	To   *Person `json:"to,omitempty"` // nil: everybody
	Text string  `json:"text"`
	At   int64   `json:"at"`            // Unix milliseconds
	Tag  string  `json:"tag,omitempty"` // what the writer calls it
}

// visibleTo reports whether p may see the message.
func (m Message) visibleTo(p Person) bool {
	return m.To == nil || m.To.ID == p.ID || m.From.ID == p.ID
}

// as returns the message as p sees it: tags are the writer's own.
func (m Message) as(p Person) Message {
	if m.From.ID != p.ID {
		m.Tag = ""
	}
	return m
}

// What goes through the layer to the members of a room, beside consumer.Entered and
// consumer.Exited, and consumer.SendType, which is how other programs talk to them.
var (
	Said   = consumer.EventType[Message]{Name: "chat.said"}
	Typing = consumer.EventType[Person]{Name: "chat.typing"}
)

// present is who somebody is that is present: members enter with their Person.
func present(p consumer.Presence) Person {
	who := Person{ID: p.Key, Name: p.Key}
	_ = json.Unmarshal(p.Meta, &who) //nolint:errcheck // if somebody else has put them there, they have at least an ID
	who.ID = p.Key
	return who
}

// persons are all that are present, each once, also with several connections.
func persons(there []consumer.Presence) []Person {
	all, known := []Person{}, make(map[string]bool)
	for _, p := range there {
		if !known[p.Key] {
			known[p.Key] = true
			all = append(all, present(p))
		}
	}
	return all
}
