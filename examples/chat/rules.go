package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

const (
	maxText = 2000 // characters of a message
	maxTag  = 64   // bytes of its tag

	rest = 5 * time.Second // after it anybody may go as fast as at first
)

// clean returns what is said, as it is stored, or why it cannot be said.
func clean(r request) (string, error) {
	text := strings.TrimSpace(newlines.Replace(strings.Map(printable, r.Text)))
	switch {
	case text == "":
		return "", refuse("empty", "There is nothing in that message.")
	case utf8.RuneCountInString(text) > maxText:
		return "", refuse("long", fmt.Sprintf("That message is too long: %d characters are the most.", maxText))
	case len(r.Tag) > maxTag:
		return "", refuse("malformed", fmt.Sprintf("That tag is too long: %d bytes are the most.", maxTag))
	}
	return text, nil
}

// newlines are what begins a line in some programs; see line in lines.go.
var newlines = strings.NewReplacer("\u2028", "\n", "\u2029", "\n")

// printable drops what does things to terminals, and what turns text round, so that
// it looks like another.
func printable(r rune) rune {
	turns := '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
	if turns || unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

// pace is how fast a person may go, on all connections together.
type pace struct {
	says  *rate.Limiter
	types *rate.Limiter // is typing; more is not told
	asks  *rate.Limiter // anything; who goes beyond that is a program, and a bad one

	connections int
	left        time.Time // when the last connection had gone
}

func newPace() *pace {
	return &pace{
		says:  rate.NewLimiter(rate.Every(time.Second), 5),
		types: rate.NewLimiter(rate.Every(time.Second), 2),
		asks:  rate.NewLimiter(rate.Every(time.Second/20), 100),
	}
}

// allow allows one more message now, or says when.
func (p *pace) allow() error {
	now := time.Now()
	turn := p.says.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	turn.CancelAt(now)
	no := refuse("slow", fmt.Sprintf("Slow down, please: say that again in %v.", max(wait.Round(time.Second), time.Second)))
	no.Retry = wait.Milliseconds() + 1
	return no
}
