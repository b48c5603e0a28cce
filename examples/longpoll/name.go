package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name in bytes. Each message has the sender's name.
const maxName = 64

// cleanName returns name without spaces around it. ok is false if the name is empty,
// longer than maxName, not UTF-8, or has characters that are not printable: a new line
// would look like another person's message.
func cleanName(name string) (clean string, ok bool) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return "", false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return "", false
		}
	}
	return name, true
}
