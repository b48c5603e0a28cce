package layers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
)

// MaxName is the greatest length of a group's or channel's name, in bytes. It
// is that of Channels, whose check is "shorter than 100".
const MaxName = 99

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
			return fmt.Errorf("%w: group or channel name %q: byte %d is none of a-z A-Z 0-9 - _ . (escape or hash what users may choose)",
				protocol.ErrInvalidName, name, i)
		}
	}
	return nil
}

// ValidChannel is ValidName for the name of any channel. Those of consumers have
// a ! between the part that is their node's and their own.
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
