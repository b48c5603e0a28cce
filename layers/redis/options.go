package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/memory"
)

// Options configure a driver. The zero value means the server of redis://localhost:6379 and
// the defaults of channels_redis. The options that say so must be equal on all nodes and in
// Django's CHANNEL_LAYERS.
type Options struct {
	// URLs are the servers, one URL each. Default redis://localhost:6379. With several, the
	// hash of a name selects the server, as in channels_redis: all nodes, and "hosts" of
	// Django, must have the same servers in the same order.
	URLs []string
	// Prefix starts the keys and channels of the layer in Redis. Default "asgi". It must be
	// equal on all nodes and in Django.
	Prefix string
	// Serializer is "msgpack" or "json". Default "msgpack". It must be equal on all nodes and
	// in Django ("serializer_format").
	Serializer string
	// EncryptionKeys are the keys with which events are encrypted, as
	// "symmetric_encryption_keys" of Django: the first encrypts, all decrypt. By default,
	// events are not encrypted.
	EncryptionKeys []string
	// Channels bound the named channels. The first whose Pattern matches a name holds; a
	// channel that none matches has the defaults of ChannelLimit.
	Channels []ChannelLimit
	// RandomPrefixLength is how many random bytes precede each event of a named channel, so
	// that equal events are different members of a sorted set. Default 12. It must be equal
	// on all nodes and in Django ("random_prefix_length").
	RandomPrefixLength int
	// TLS configures the connections of rediss:// and rediss+sentinel:// URLs. By default,
	// the server's certificate is verified with the root certificates of the system.
	TLS *tls.Config
	// Credentials returns the user and password of the servers in URLs. It is called for
	// each new connection, so that a password can be changed while the program runs. By
	// default, the user and password of the URL are used.
	Credentials func(ctx context.Context) (user, password string, err error)
	// SentinelCredentials is Credentials for the Sentinels of redis+sentinel:// URLs.
	SentinelCredentials func(ctx context.Context) (user, password string, err error)
	// Logger gets a line when a server is down or up again. Default slog.Default().
	Logger *slog.Logger
}

// ChannelLimit bounds the events that wait in a named channel for a worker. Defaults: a
// Capacity of 100 and an Expiry of one minute, as in channels_redis.
type ChannelLimit = memory.ChannelLimit

// settings are Options that have been checked, with the defaults filled in.
type settings struct {
	Options

	targets []target // one for each of URLs, in their order
}

// target is a server as its URL names it.
type target struct {
	name   string               // for logs and errors; it has no secrets
	option rueidis.ClientOption // the driver adds timeouts and sizes
}

// check returns the settings of o, or all that is wrong with it.
func (o *Options) check() (*settings, error) {
	s := &settings{Options: *o}
	s.Prefix = cmp.Or(s.Prefix, "asgi")
	s.Serializer = cmp.Or(s.Serializer, "msgpack")
	if len(s.URLs) == 0 {
		s.URLs = []string{"redis://localhost:6379"}
	}
	for _, u := range s.URLs {
		parsed, err := rueidis.ParseURL(u)
		if err != nil {
			return nil, err
		}
		s.targets = append(s.targets, target{strings.Join(parsed.InitAddress, ","), parsed})
	}
	return s, nil
}
