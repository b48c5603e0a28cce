package driver

import (
	"crypto/rand"
	"strings"
)

// MaxName is the greatest length of a group's or channel's name, in bytes. It is that of
// Channels, whose check is "shorter than 100".
const MaxName = 99

// specific starts the names of consumers' channels, as in Channels.
const specific = "specific."

// NewChannel returns the name of one consumer's channel on a node, unique among all
// nodes: "specific.", the node's name, "!" and a random part.
func NewChannel(node string) string { return specific + node + "!" + rand.Text() }

// NodeOf returns the node in the name of a consumer's channel, to which a driver sends. ok
// is false for the name of a named channel, which has no node.
func NodeOf(channel string) (node string, ok bool) {
	prefix, _, ok := strings.Cut(channel, "!")
	if !ok {
		return "", false
	}
	return strings.TrimPrefix(prefix, specific), true
}
