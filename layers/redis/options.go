package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/wye-go/wye/layers/memory"
)

// Options configure a driver. The zero value means the server of redis://localhost:6379 and
// the defaults of channels_redis. The options that say so must be equal on all nodes and in
// Django's CHANNEL_LAYERS. Mistakes are errors of layers.Open, all at once. When fmt or
// log/slog writes Options, there are no passwords and keys in the text.
type Options struct {
	// URLs are the servers, one URL each, of Redis 6 or newer, or of Valkey. Default
	// redis://localhost:6379. With several, the hash of a name selects the server, as in
	// channels_redis: all nodes, and "hosts" of Django, must name the same servers in the
	// same order. A server must not be named twice.
	//
	//	redis://user:password@host:6379/0
	//	rediss://...                          the same with TLS
	//	unix://user:password@/run/redis/redis.sock?db=0
	//	redis+sentinel://user:password@host:26379,host:26379/mymaster/0
	//	rediss+sentinel://...                 the same with TLS, to Sentinels and servers
	//	redis+cluster://user:password@host:6379,host:6379
	//	rediss+cluster://...                  the same with TLS
	//
	// The URL of a Redis Cluster must be the only one. It names some of the nodes, from which the driver
	// learns the others.
	//
	// User, password, port and database may be missing. The form with Sentinels is that
	// of redis-sentinel-url and Prefect: user and password are those of the servers; the
	// parameters sentinel_username and sentinel_password, those of the Sentinels. username,
	// password and db may be parameters too, as in redis-py. Special characters in users
	// and passwords are written as % and two hexadecimal digits.
	URLs []string
	// Backend is the part of channels_redis that the driver is compatible with: PubSub, the
	// default, or Core. It must be equal on all nodes and in Django ("BACKEND").
	Backend Backend
	// Sharded makes groups use sharded Pub/Sub, with which a node of a Redis Cluster does not
	// pass on the events of a group to all others. Django Channels cannot take part: channels_redis
	// has only classic Pub/Sub, which the cluster broadcasts. It is only for a cluster, of
	// Redis 7 or Valkey. It must be equal on all nodes.
	Sharded bool
	// Partitions is the number of parts into which the groups of a Redis Cluster are divided. The groups
	// of a partition are in one slot, and a node has two connections for each partition. It is
	// best several times the number of masters. Default 16, at most 1024. It must be equal on
	// all nodes.
	Partitions int
	// Prefix starts the keys and channels of the layer in Redis. Default "asgi". It must be
	// equal on all nodes and in Django.
	Prefix string
	// Serializer is "msgpack" or "json". Default "msgpack". It must be equal on all nodes and
	// in Django ("serializer_format"). JSON cannot carry bytes.
	Serializer string
	// EncryptionKeys are the keys with which events are encrypted, as
	// "symmetric_encryption_keys" of Django: the first encrypts, all decrypt. To replace a
	// key, first add the new one at the end on all nodes and in Django, then move it to the
	// front, then remove the old one. By default, events are not encrypted.
	EncryptionKeys []string
	// Channels bound the named channels. The first whose Pattern matches a name holds; a
	// channel that none matches has the defaults of ChannelLimit. Only the sender applies
	// it, so that it should be equal on all nodes and in Django ("capacity", "expiry",
	// "channel_capacity").
	//
	// With Core they also bound the queues that the consumers of a process share, as in
	// channels_redis: the Pattern of such a queue matches the name of a consumer's channel,
	// as "specific.*" does. By default, a queue holds 10,000 events that nodes send to the
	// groups of a node, and 100 of others. Django applies its own capacity, 100, to the
	// queues of nodes too: raise it there.
	Channels []ChannelLimit
	// RandomPrefixLength is how many random bytes precede each event of a named channel, so
	// that equal events are different members of a sorted set. Default 12, the fixed number
	// of channels_redis 4.0; at most 255; -1 means none, with which of equal events only one
	// is kept. It must be equal on all nodes and in Django ("random_prefix_length").
	RandomPrefixLength int
	// PresenceLease is how long the presences of a node that has died, or that cannot reach
	// Redis, stay at most, while Redis works. Default 15 seconds, at least one. It should be
	// equal on all nodes.
	PresenceLease time.Duration
	// GroupExpiry is how long a membership that is not renewed lasts in Redis, as
	// "group_expiry" of Django. Nodes renew theirs in time. It is only for Core. Default 24
	// hours, at least a minute. It must be equal on all nodes and in Django.
	GroupExpiry time.Duration
	// TLS configures the connections of rediss:// and rediss+sentinel:// URLs. By default,
	// the server's certificate is verified with the root certificates of the system, for the
	// host of the URL, or the address that Sentinel gives.
	TLS *tls.Config
	// Credentials returns the user and password of the servers in URLs; user may be "". It is
	// called for each new connection, so that a password can be changed while the program
	// runs: connections that are open stay. ctx ends when the connection has taken too long.
	// It may be called by several goroutines. By default, the user and password of the URL
	// are used; it is an error if both are there.
	Credentials func(ctx context.Context) (user, password string, err error)
	// SentinelCredentials is Credentials for the Sentinels of redis+sentinel:// URLs.
	SentinelCredentials func(ctx context.Context) (user, password string, err error)
	// Logger gets a line when a server is down or up again. Default slog.Default().
	Logger *slog.Logger
}

// ChannelLimit bounds the events that wait in a named channel for a worker. Defaults: a
// Capacity of 100 and an Expiry of one minute, as in channels_redis.
type ChannelLimit = memory.ChannelLimit

// Format writes the options without secrets, whatever the verb: URLs have no user, password
// and parameters, and of the encryption keys only the number is written.
func (o Options) Format(f fmt.State, _ rune) {
	names := make([]string, len(o.URLs))
	for i, raw := range o.URLs {
		names[i] = "(a URL that cannot be used)"
		if a, err := parseURL(raw); err == nil {
			names[i] = a.name()
		}
	}
	text := fmt.Sprintf("redis.Options{URLs: %q, Backend: %v, Sharded: %t, Partitions: %d, Prefix: %q, Serializer: %q, "+
		"EncryptionKeys: %d, Channels: %v, RandomPrefixLength: %d, PresenceLease: %v, GroupExpiry: %v, "+
		"TLS: %t, Credentials: %t, SentinelCredentials: %t}",
		names, o.Backend, o.Sharded, o.Partitions, o.Prefix, o.Serializer, len(o.EncryptionKeys), o.Channels,
		o.RandomPrefixLength, o.PresenceLease, o.GroupExpiry, o.TLS != nil, o.Credentials != nil, o.SentinelCredentials != nil)
	_, _ = io.WriteString(f, text) //nolint:errcheck // fmt writes to a buffer first
}

// LogValue returns what Format writes.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// Format writes the options of the driver without secrets, whatever the verb.
func (d *Driver) Format(f fmt.State, verb rune) { d.options.Format(f, verb) }
