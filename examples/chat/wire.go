package main

import (
	"bytes"
	"encoding/json"
)

// subprotocol is that of the page: each message is one JSON object, a request or
// one of the answers. Whoever asks for no subprotocol talks in lines; see lines.go.
const subprotocol = "wye.chat.json"

// request is what a client wants.
type request struct {
	Type   string `json:"type"`   // say, typing or older
	Text   string `json:"text"`   // to say
	Tag    string `json:"tag"`    // the client's name for what it says, the same when it says it again
	To     string `json:"to"`     // the ID of the only one it is for, or ""
	Before int64  `json:"before"` // the place that older messages come before
}

// welcome is what a client begins with, and what it goes on with when it may have
// missed something.
type welcome struct {
	past

	Type   string   `json:"type"`
	Room   string   `json:"room"`
	You    Person   `json:"you"`
	People []Person `json:"people"`
	Fresh  bool     `json:"fresh"` // Messages are instead of what the client has, not behind it
}

// past is a page of messages.
type past struct {
	Messages []Message `json:"messages"`
	More     bool      `json:"more"` // there are older ones
}

// older is the answer to a request for what came before.
type older struct {
	past

	Type string `json:"type"`
}

// message is something that has been said. The writer's own, with its tag, is how
// he knows that it is stored.
type message struct {
	Message

	Type string `json:"type"`
}

// news is that somebody joins, leaves, or is typing.
type news struct {
	Type string `json:"type"`
	Who  Person `json:"who"`
}

// about is what the news replaces of the same person: who leaves need not be told to
// have joined.
func (n news) about() string {
	if n.Type == "typing" {
		return "typing "
	}
	return "here "
}

// foreign is what another program has said to the room.
type foreign struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// refused is why something has not been done. It is an error, so that rules can
// return it.
type refused struct {
	Type   string `json:"type"`
	Reason string `json:"reason"` // for programs
	Text   string `json:"text"`   // for people
	Tag    string `json:"tag,omitempty"`
	Retry  int64  `json:"retry,omitempty"` // milliseconds until the same may be tried again; 0: never
}

func refuse(reason, text string) *refused {
	return &refused{Type: "refused", Reason: reason, Text: text}
}

func (r *refused) Error() string { return r.Text }

// encode returns the JSON of an answer. It is not put into HTML, so that "<" need not
// take the room of six characters.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
