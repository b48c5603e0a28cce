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

	"github.com/wye-go/wye/bench/internal/chore"
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
	// Idle opens the connections and holds them. With Config.Hello, each of them
	// sends a message and receives the answer before.
	Idle Scenario = "idle"
	// Paced sends Rate messages per second, whatever the server does, each on a
	// connection that waits for nothing; the connections take turns. Latencies are
	// counted from the moment a message was due, so that a server that stops is
	// charged for all messages that were due meanwhile. Every SleepEvery-th message
	// has a mark that lets the server's callback sleep; its own latency is not counted.
	Paced Scenario = "paced"
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
	// JSON is events of a chat, of which there are some that take turns.
	JSON Data = "json"
)

// Dialect names what is around the messages.
type Dialect string

// The dialects.
const (
	// Plain is a WebSocket message for each message, what Dialect is if empty.
	Plain Dialect = "plain"
	// Centrifuge is centrifuge's JSON protocol, in a room: a connection sends a connect
	// command, whose answer shows that the server has put it into the room's channel;
	// messages are sent as commands without an answer, and received as publications.
	Centrifuge Dialect = "centrifuge"
)

// Config describes one run.
type Config struct {
	// Scenario is what to do.
	Scenario Scenario
	// URL is the server's: ws://host:port, to which Path is appended; wss:// for an
	// Idle with Hello, where no certificate is checked; or tcp://host:port for a server
	// that echoes bytes.
	URL string
	// Others are the URLs of further servers, ws:// without a path, that have the same room.
	// The members are spread over all servers; the publisher is at URL.
	Others []string
	// Dialect is what is around the messages of a Room.
	Dialect Dialect
	// Path is what the connections ask for. Default: /echo, and in a room /room/bench
	// for the publisher, where the others always ask for /member/bench.
	Path string
	// Conns is the number of connections at a time, or members of the room.
	Conns int
	// Size is the payload in bytes, at least StampLen.
	Size int
	// Data is what the payload is.
	Data Data
	// Depth is how many messages are under way, per connection or, in a room,
	// from the one publisher.
	Depth int
	// Rate is the messages per second of Paced, and SleepEvery which of them have the
	// mark; 0 means none.
	Rate, SleepEvery int
	// Hello is for Idle.
	Hello bool
	// Deflate has all connections agree on compression, and the client's messages compressed.
	// A server that declines it fails the run.
	Deflate bool
	// Warmup passes before anything is measured.
	Warmup time.Duration
	// Duration is how long it is measured.
	Duration time.Duration
	// PID is the server's process, whose CPU time and memory are read. Zero
	// means that they are not.
	PID int
	// OtherPIDs are further processes, whose CPU time is read.
	OtherPIDs []int
	// Probe is the file of the server's package probe. With it, an Idle has the server
	// collect its garbage before memory is read.
	Probe string
}

// path is Path or its default.
func (c Config) path() string {
	switch {
	case c.Path != "":
		return c.Path
	case c.Scenario == Room:
		return "/room/bench"
	default:
		return "/echo"
	}
}

// target is a checked URL.
type target struct {
	addr, prefix string
	raw, tls     bool

	others  []string // addresses
	members int      // of a room
}

// addrOf returns which server connection id is at. The last one, the publisher of a room,
// is at the first server.
func (t *target) addrOf(id uint32) string {
	n := uint32(len(t.others) + 1)
	if at := (uint32(t.members) - 1 - id) % n; at > 0 {
		return t.others[at-1]
	}
	return t.addr
}

// check returns where to connect to, or what is wrong with the configuration.
func (c Config) check() (target, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return target{}, err
	}
	t := target{addr: u.Host, prefix: u.Path, raw: u.Scheme == "tcp", tls: u.Scheme == "wss", members: c.Conns}
	var others error
	t.others, others = c.checkOthers()
	return t, errors.Join(
		others,
		c.checkDialect(),
		require(u.Scheme == "ws" || t.raw || t.tls, "url %q: the scheme must be ws, wss or tcp", c.URL),
		require(u.Port() != "", "url %q: no port", c.URL),
		require(c.talks() || c.Scenario == Idle || c.Scenario == Handshake, "unknown scenario %q", c.Scenario),
		require(c.Scenario == Echo || c.Scenario == Idle || !t.raw, "%s needs WebSocket", c.Scenario),
		require(!c.Deflate || c.deflatable() && !t.raw && !t.tls, "compression is not for %s", c.Scenario),
		require(!t.tls || c.Scenario == Idle && c.Hello, "over TLS there is only an idle with a hello"),
		require(c.Conns > 0 && c.Conns < maxStamp, "%d connections", c.Conns),
		require(c.Probe == "" || c.PID != 0, "a probe needs the server's process"),
		require(c.Duration > 0, "duration %v", c.Duration),
		c.checkMessages(),
	)
}

// checkOthers returns the addresses of the other servers.
func (c Config) checkOthers() (addrs []string, err error) {
	if len(c.Others) > 0 && (c.Scenario != Room || c.Conns <= len(c.Others)) {
		return nil, errors.New("several servers are for a room with a member at each")
	}
	for _, other := range c.Others {
		u, err := url.Parse(other)
		if err != nil {
			return nil, err
		}
		if u.Scheme != "ws" || u.Port() == "" || u.Path != "" {
			return nil, fmt.Errorf("another server at %q: want ws://host:port", other)
		}
		addrs = append(addrs, u.Host)
	}
	return addrs, nil
}

func (c Config) checkDialect() error {
	d := dialects[c.Dialect]
	return require(d != nil && (c.Scenario == Room || *d == dialect{}), "dialect %q of %s", c.Dialect, c.Scenario)
}

// talks tells whether the scenario is about messages.
func (c Config) talks() bool {
	return c.Scenario == Echo || c.Scenario == Room || c.Scenario == Paced
}

// deflatable tells whether the scenario can be compressed.
func (c Config) deflatable() bool {
	return (c.Scenario == Echo || c.Scenario == Room || c.Scenario == Idle && c.Hello) && *dialects[c.Dialect] == dialect{}
}

// checkMessages returns what is wrong with the messages.
func (c Config) checkMessages() error {
	if !c.talks() {
		return require(c.Data == "", "data %q", c.Data)
	}
	return errors.Join(
		require(c.Scenario == Paced || c.Depth > 0, "depth %d", c.Depth),
		require(c.Scenario != Paced || c.Rate > 0 && c.SleepEvery >= 0, "rate %d, every %d sleeps", c.Rate, c.SleepEvery),
		require(c.Size >= StampLen && c.Size <= frame.MaxPayload, "size %d: must be %d to %d", c.Size, StampLen, frame.MaxPayload),
		require(c.SleepEvery == 0 || c.Size > chore.MarkAt+StampLen, "size %d: no room for a mark", c.Size),
		require(c.Data == "" || c.Data == ASCII || c.Data == Chinese || c.Data == JSON, "data %q", c.Data),
	)
}

func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
