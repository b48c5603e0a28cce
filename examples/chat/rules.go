package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxText = 2000 // characters of a message, after legible has removed what is not visible
	maxTag  = 64   // bytes of its tag
)

// clean returns the text of r as it is stored, or the refusal if it is not allowed.
func clean(r request) (string, error) {
	text := legible(r.Text)
	switch {
	case text == "":
		return "", refuse("empty", "There is nothing in that message.")
	case utf8.RuneCountInString(text) > maxText:
		return "", refuse("long", fmt.Sprintf("That message is too long: %d characters are the most.", maxText))
	case len(r.Tag) > maxTag:
		return "", refuse("malformed", fmt.Sprintf("That tag is too long: %d bytes are the most.", maxTag))
	case strings.ContainsRune(r.Tag+r.To, 0): // PostgreSQL stores no text with it
		return "", refuse("malformed", "A tag and an ID have no NUL.")
	}
	return text, nil
}
