package chatload

import (
	"fmt"
	"strconv"
	"strings"
)

// answer is whatever the chat sends to those who talk JSON, as far as it matters
// here.
type answer struct {
	line // of message

	Type string `json:"type"`

	You      who    `json:"you"` // of welcome
	Fresh    bool   `json:"fresh"`
	Messages []line `json:"messages"` // and of older
	More     bool   `json:"more"`

	Reason string `json:"reason"` // of refused
	Retry  int64  `json:"retry"`
}

// line is a message.
type line struct {
	Seq  int64  `json:"seq"`
	From who    `json:"from"`
	Text string `json:"text"`
	Tag  string `json:"tag"`
}

type who struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// request is what those ask who talk JSON.
type request struct {
	Type   string `json:"type"`
	Text   string `json:"text,omitempty"`
	Tag    string `json:"tag,omitempty"`
	To     string `json:"to,omitempty"`
	Before int64  `json:"before,omitempty"`
}

// id tells a message from all others: who says it, and the how manyeth of his it is.
type id struct{ who, n int }

func (i id) String() string { return strconv.Itoa(i.who) + "/" + strconv.Itoa(i.n) }

// prose is the most that anybody says. It has what has to be escaped somewhere.
//
//nolint:gosmopolitan // text of all scripts has to get through
var prose = []rune(`hello there, how are you? 今天天气很好，我们去公园吧。 <b>"Well" & 'good'</b> is what one says; ` +
	`and then there is the question of how long a message may be before somebody stops to read it. 🙂`)

// text is what a message says. It begins with its id, so that it is known again
// also where there is nothing but text.
func (i id) text() string {
	const least = 10
	more := (i.who*31 + i.n*17) % (len(prose) - least)
	return i.String() + " " + strings.TrimSpace(string(prose[:least+more]))
}

// parse returns the message that has a text.
func parse(text string) (i id, err error) {
	begin, _, _ := strings.Cut(text, " ")
	who, n, _ := strings.Cut(begin, "/")
	i.who, err = strconv.Atoi(who)
	if err == nil {
		i.n, err = strconv.Atoi(n)
	}
	if err != nil || i.who < 0 || i.n < 0 {
		return id{}, fmt.Errorf("nobody has said %q", text)
	}
	if want := i.text(); text != want {
		return id{}, fmt.Errorf("message %v is %q, want %q", i, text, want)
	}
	return i, nil
}

// spoken cuts the name off a line of text. What begins with an asterisk is not a
// message.
func spoken(s string) (name, text string, ok bool) {
	if strings.HasPrefix(s, "* ") {
		return "", "", false
	}
	name, text, ok = strings.Cut(s, ": ")
	name, _, _ = strings.Cut(name, " (only to ")
	return name, text, ok
}
