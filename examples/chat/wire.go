package main

import (
	"bytes"
	"encoding/json"
)

// subprotocol is the page's. Each message is one JSON object: a request or one of the
// answers. A client that asks for no subprotocol uses lines of text; see lines.go.
const subprotocol = "wye.chat.json"

// request is a message from a client.
type request struct {
	Type   string `json:"type"`   // say, typing or older
	Text   string `json:"text"`   // of type say
	Tag    string `json:"tag"`    // the client's ID for the message; the same if the client sends it again
	To     string `json:"to"`     // the ID of the only recipient, or "" for everyone
	Before int64  `json:"before"` // of type older: the position that the messages come before
}

// welcome is the first answer to a client. The member sends it again when the client
// may have missed something.
type welcome struct {
	past

	Type   string   `json:"type"`
	Room   string   `json:"room"`
	You    Person   `json:"you"`
	People []Person `json:"people"` // null: the client's list is as good
	Fresh  bool     `json:"fresh"`  // Messages replaces what the client has, instead of following it
}

// page is a page of messages.
type past struct {
	Messages []Message `json:"messages"`
	More     bool      `json:"more"` // there are older ones
}

// older is the answer to a request for older messages.
type older struct {
	past

	Type string `json:"type"`
}

// message is a message in the room. For the sender it is the acknowledgement: it has
// the tag, and it is stored.
type message struct {
	Message

	Type string `json:"type"`
}

// news says that a person joins, leaves or is typing.
type news struct {
	Type string `json:"type"`
	Who  Person `json:"who"`
}

// topic returns which earlier news of the same person this one replaces: leave replaces
// join.
func (n news) topic() string {
	if n.Type == "typing" {
		return "typing "
	}
	return "here "
}

// external is a text that another part of the program has sent to the room.
type external struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// refused says why a request was not done. It is an error, so that the rules can return
// it.
type refused struct {
	Type   string `json:"type"`
	Reason string `json:"reason"` // for programs
	Text   string `json:"text"`   // for people
	Tag    string `json:"tag,omitempty"`
	Retry  int64  `json:"retry,omitempty"` // milliseconds until the client may try again; 0: never
}

func refuse(reason, text string) *refused {
	return &refused{Type: "refused", Reason: reason, Text: text}
}

func (r *refused) Error() string { return r.Text }

// encode returns the JSON of an answer. It does not escape "<" into six characters,
// because the JSON is not part of an HTML page.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
