// Package chatload has many people talk over the chat of the examples, the whole
// program with its database, and then holds three records against each other:
// what was acknowledged to those who said it, what is stored, and what each
// person has received.
//
// It is an open loop: people talk at their own pace, whatever the server does.
package chatload

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Config describes one run.
type Config struct {
	// Dir is the directory of the module of the benchmarks; the chat is built from
	// where it is relative to that.
	Dir string
	// Race builds the chat with the race detector.
	Race bool
	// Nodes is how many nodes of the chat there are, behind nginx and with PostgreSQL and
	// Redis: see examples/chat/cluster. One of several is killed halfway. Then everybody has
	// a name, comes back when a connection is lost, and nobody talks in lines. 0 is one
	// process with a file and nothing beside it.
	Nodes int
	// People is how many there are in all rooms, and Rooms how many of those.
	People, Rooms int
	// Duration is how long they talk.
	Duration time.Duration
	// Every is how long a person waits between two messages, on average. The chat
	// allows one a second, and five at once.
	Every time.Duration
	// Named is how many have chosen a name and have its cookie. Those drop their
	// connections now and then, come back, and repeat what was not acknowledged.
	// The others are guests, who would come back as somebody else. The chat gives
	// fifty names at once and then five a second; twenty people are at one address.
	Named int
	// Lines is how many of the guests talk in lines of text, as wscat does. The
	// others talk JSON, as the page does.
	Lines int
	// Progress gets a line for each phase.
	Progress io.Writer
}

const (
	// typingShare is how many of those who are about to say something have the
	// others know it, if they have not done so in the last three seconds.
	typingShare = 0.5
	// directShare is how many messages are for one person only.
	directShare = 0.05
	// dropShare is how many messages of those with names are followed by the end of
	// the connection, in place of waiting for the acknowledgement.
	dropShare = 0.2
	// away is how long they are then away at the most.
	away = time.Second
	// patience is how long all that is due at the end may take.
	patience = 30 * time.Second
	// grace is how long the chat may take to end.
	grace = 5 * time.Second
)

func (c *Config) check() error {
	return errors.Join(
		require(c.Rooms > 0 && c.People >= 2*c.Rooms, "%d people in %d rooms: two in each are the least", c.People, c.Rooms),
		require(c.Duration > 0 && c.Every > 0, "duration %v, every %v", c.Duration, c.Every),
		require(c.Nodes >= 0, "%d nodes", c.Nodes),
		require(c.Nodes == 0 || c.Named == c.People && c.Lines == 0, "with nodes, everybody has a name and nobody talks in lines"),
		require(c.Named >= 0 && c.Lines >= 0 && c.Named+c.Lines <= c.People,
			"%d with names and %d who talk in lines are more than %d", c.Named, c.Lines, c.People),
	)
}

func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
