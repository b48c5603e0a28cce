package main

import (
	"fmt"
	"strings"
)

// lines returns an answer as lines of text, for clients without a subprotocol. It
// returns nil for answers that such clients do not get.
func lines(answer any, you Person) []string {
	switch a := answer.(type) {
	case welcome:
		return a.lines()
	case message:
		return []string{a.line(you)}
	case external:
		return []string{a.Text}
	case *refused:
		return []string{"* " + a.Text}
	case news:
		switch a.Type {
		case "join":
			return []string{"* " + a.Who.Name + " is here"}
		case "leave":
			return []string{"* " + a.Who.Name + " has left"}
		}
	}
	return nil
}

// lines returns the greeting and the stored messages.
func (w welcome) lines() []string {
	var all []string
	if w.Fresh {
		all = append(all, fmt.Sprintf("* You are %s in room %s, %s.", w.You.Name, w.Room, company(w.People, w.You)))
	}
	for _, m := range w.Messages {
		all = append(all, m.line(w.You))
	}
	return all
}

// company says who is present besides you.
func company(people []Person, you Person) string {
	const most = 10
	var names []string
	for _, p := range people {
		if p.ID != you.ID {
			names = append(names, p.Name)
		}
	}
	switch n := len(names); {
	case n == 0:
		return "alone"
	case n == 1:
		return "with " + names[0]
	case n > most:
		return fmt.Sprintf("with %s and %d others", strings.Join(names[:most], ", "), n-most)
	default:
		return "with " + strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// line returns a message as text. Its further lines are indented, so that they do not
// look like messages of other people.
func (m Message) line(you Person) string {
	text := strings.ReplaceAll(m.Text, "\n", "\n    ")
	switch {
	case m.To == nil:
		return m.From.Name + ": " + text
	case m.To.ID == you.ID:
		return m.From.Name + " (only to you): " + text
	default:
		return m.From.Name + " (only to " + m.To.Name + "): " + text
	}
}
