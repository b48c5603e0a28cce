package redis

import (
	"fmt"
	"strings"
)

// Backend is the part of channels_redis that a driver is compatible with. The two parts of
// channels_redis do not exchange events, so that all nodes and Django must use the same one.
type Backend int

const (
	// PubSub exchanges events over Redis Pub/Sub, as channels_redis.pubsub does. An event
	// takes one command, and Redis stores nothing. A node that is not connected when an event
	// is published does not get it.
	PubSub Backend = iota
	// Core exchanges events through sorted sets, as channels_redis.core does: Redis has a queue
	// for each node and each process of Django. A node gets what has waited in its queue while
	// its connection was interrupted, and loses events when its queue is full
	// (Options.Channels). A send to a group takes two round trips and stores the event once for
	// each node.
	Core
)

// The texts of the backends.
const (
	pubSubText = "pubsub"
	coreText   = "core"
)

// String returns "pubsub" or "core".
func (b Backend) String() string {
	switch b {
	case PubSub:
		return pubSubText
	case Core:
		return coreText
	}
	return fmt.Sprintf("Backend(%d)", int(b))
}

// MarshalText returns what String returns, and an error for a value that is not a backend.
func (b Backend) MarshalText() ([]byte, error) {
	if b != PubSub && b != Core {
		return nil, fmt.Errorf("wye: redis: there is no backend %d; use redis.PubSub or redis.Core", int(b))
	}
	return []byte(b.String()), nil
}

// UnmarshalText sets b to the backend with this text, "pubsub" or "core".
func (b *Backend) UnmarshalText(text []byte) error {
	switch string(text) {
	case pubSubText:
		*b = PubSub
	case coreText:
		*b = Core
	default:
		return fmt.Errorf("wye: redis: the backend %.40q does not exist; use %q or %q", text, pubSubText, coreText)
	}
	return nil
}

// OptionsFor returns Options with these URLs, which usually come from a flag. Their scheme may say
// which backend is used: one that ends with +core, such as redis+core:// or rediss+core://, means
// [Core], and all others [PubSub].
func OptionsFor(urls ...string) Options {
	var o Options
	for _, url := range urls {
		scheme, rest, _ := strings.Cut(url, "://")
		if plain, isCore := strings.CutSuffix(scheme, "+core"); isCore {
			url, o.Backend = plain+"://"+rest, Core
		}
		o.URLs = append(o.URLs, url)
	}
	return o
}
