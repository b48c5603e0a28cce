package layers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
)

// ValidName returns nil if name may be the name of a group or a named channel: ASCII
// letters, digits, hyphens, underscores and periods, 1 to MaxName of them.
// Otherwise the error says what is wrong; it matches [protocol.ErrInvalidName].
func ValidName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%w: a group or channel name has 1 to %d bytes, not %d: %q",
			protocol.ErrInvalidName, MaxName, len(name), logs.Cut(name))
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return fmt.Errorf("%w: group or channel name %q: byte %d is none of a-z A-Z 0-9 - _ . (GroupName makes a name of any text)",
				protocol.ErrInvalidName, name, i)
		}
	}
	return nil
}

// MaxKind is the greatest length of a kind of [GroupName], in bytes.
const MaxKind = MaxName - len(".") - 2*sha256.Size - len(hashed)

// What a name of GroupName ends with, unless it has the text as it is. No escaped text
// ends with an underscore.
const (
	escaped = "."
	hashed  = "_."
)

// GroupName returns the name of the group of a kind that any text stands for, such as
// what a user has typed:
//
//	layers.GroupName("room", "lobby")           // "room.lobby"
//	layers.GroupName("room", "café")            // "room.caf_c3_a9."
//	layers.GroupName("user", "ann@example.com") // "user.ann_40example.com."
//
// The name is valid whatever text is, also if it is empty, very long or not UTF-8. Two
// different texts, or kinds, never have the same name. Texts are compared as bytes: one
// that looks the same in another Unicode normalization or case has another name. What is
// in a name can be read in logs and in the back end, so do not make one of a secret.
//
// The name of a text is the same in every version of Wye, because nodes and programs in
// other languages share it. It is kind, a period, and
//
//  1. text, if it consists of ASCII letters, digits, hyphens, underscores and periods,
//     is not empty and does not end with a period; or, if that is not so or the name
//     would have more than MaxName bytes,
//  2. text with each byte that is not an ASCII letter, a digit, a hyphen or a period
//     written as an underscore and two hexadecimal digits in lower case, and a period at
//     the end; or, if the name would still have more than MaxName bytes,
//  3. the SHA-256 of text as 64 hexadecimal digits in lower case, an underscore and a
//     period.
//
// kind is for the program to choose: 1 to MaxKind ASCII letters, digits, hyphens and
// underscores. Any other panics.
func GroupName(kind, text string) string {
	if err := validKind(kind); err != nil {
		panic("wye: layers.GroupName: " + err.Error())
	}
	prefix := kind + "."
	if plain(text) && len(prefix)+len(text) <= MaxName {
		return prefix + text
	}
	if len(prefix)+len(text)+len(escaped) <= MaxName { // or it is too long in any case
		if name := prefix + escape(text) + escaped; len(name) <= MaxName {
			return name
		}
	}
	sum := sha256.Sum256([]byte(text))
	return prefix + hex.EncodeToString(sum[:]) + hashed
}

func validKind(kind string) error {
	if kind == "" || len(kind) > MaxKind {
		return fmt.Errorf("a kind has 1 to %d bytes, not %d; choose a short word", MaxKind, len(kind))
	}
	for i := range len(kind) {
		if !nameByte(kind[i]) || kind[i] == '.' {
			return fmt.Errorf("the kind %q: byte %d is none of a-z A-Z 0-9 - _; pass what users choose as text", kind, i)
		}
	}
	return nil
}

// plain reports whether a name has text as it is.
func plain(text string) bool {
	for i := range len(text) {
		if !nameByte(text[i]) {
			return false
		}
	}
	return text != "" && text[len(text)-1] != '.'
}

func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; nameByte(c) && c != '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// ValidChannel returns nil if name may be the name of a channel: of a named channel, as in
// ValidName, or of a consumer. The name of a consumer has two parts with a ! between them:
// one for its node, and one for the consumer on that node.
func ValidChannel(name string) error {
	if node, own, specific := strings.Cut(name, "!"); specific && own != "" && len(name) <= MaxName {
		return errors.Join(ValidName(node), ValidName(own))
	}
	return ValidName(name)
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '_' || c == '.'
}
