// Package load drives an echo server with one epoll loop on one thread, checks
// every byte that comes back, and tells what a message cost the server.
//
// All scenarios are closed loops: a message is sent when an earlier one has
// been answered, so latencies are those of a server kept busy and say nothing
// about a given rate of arrival. Cost per message is what to compare.
package load

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/wye-go/wye/bench/internal/frame"
)

// Scenario names what the connections do.
type Scenario string

// The scenarios.
const (
	// Echo has every connection keep Depth messages under way, each of which
	// must come back, alone, whole and in order.
	Echo Scenario = "echo"
	// Room has one publisher keep Depth messages under way, each of which must
	// reach every member, itself included. A message is a delivery.
	Room Scenario = "room"
	// Idle opens the connections and holds them.
	Idle Scenario = "idle"
	// Handshake has every connection opened and closed, as browsers do, over
	// and over. A message is one such life.
	Handshake Scenario = "handshake"
)

// Data names what messages consist of.
type Data string

// The data. All of it is valid UTF-8, and sent as text.
const (
	// ASCII is letters, what Data is if empty.
	ASCII Data = "ascii"
	// Chinese is characters of three bytes each.
	Chinese Data = "chinese"
)

// Config describes one run.
type Config struct {
	// Scenario is what to do.
	Scenario Scenario
	// URL is the server's: ws://host:port, to which the path of the scenario is
	// appended, or tcp://host:port for a server that echoes bytes.
	URL string
	// Conns is the number of connections at a time, or members of the room.
	Conns int
	// Size is the payload in bytes, at least StampLen.
	Size int
	// Data is what the payload is.
	Data Data
	// Depth is how many messages are under way, per connection or, in a room,
	// from the one publisher.
	Depth int
	// Warmup passes before anything is measured.
	Warmup time.Duration
	// Duration is how long it is measured.
	Duration time.Duration
	// PID is the server's process, whose CPU time and memory are read. Zero
	// means that they are not.
	PID int
}

// target is a checked URL.
type target struct {
	addr, prefix string
	raw          bool
}

// check returns where to connect to, or what is wrong with the configuration.
func (c Config) check() (target, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return target{}, err
	}
	t := target{addr: u.Host, prefix: u.Path, raw: u.Scheme == "tcp"}
	talks := c.Scenario == Echo || c.Scenario == Room
	return t, errors.Join(
		require(u.Scheme == "ws" || t.raw, "url %q: the scheme must be ws or tcp", c.URL),
		require(u.Port() != "", "url %q: no port", c.URL),
		require(talks || c.Scenario == Idle || c.Scenario == Handshake, "unknown scenario %q", c.Scenario),
		require(c.Scenario != Room && c.Scenario != Handshake || !t.raw, "%s needs WebSocket", c.Scenario),
		require(c.Conns > 0 && c.Conns < maxStamp, "%d connections", c.Conns),
		require(!talks || c.Depth > 0, "depth %d", c.Depth),
		require(!talks || c.Size >= StampLen && c.Size <= frame.MaxPayload,
			"size %d: must be %d to %d", c.Size, StampLen, frame.MaxPayload),
		require(c.Data == "" || talks && (c.Data == ASCII || c.Data == Chinese), "data %q", c.Data),
		require(c.Duration > 0, "duration %v", c.Duration),
	)
}

func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
