package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how long a name may be, in bytes: everybody in the room gets it with each
// message.
const maxName = 64

// cleanName returns a name as others see it, without spaces around it. ok is false for
// one that is empty, longer than maxName, not UTF-8, or has what is not printed, such as
// a new line, which would look like another person's.
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
