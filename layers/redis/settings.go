package redis

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/redis/internal/wire"
)

// settings are Options that have been checked, with the defaults filled in.
type settings struct {
	Options

	targets []target       // one for each of URLs, in their order
	limits  []ChannelLimit // Channels with their defaults
	errs    []error        // what is wrong
}

// target is a server as its URL names it.
type target struct {
	name   string               // for logs and errors; it has no secrets
	option rueidis.ClientOption // the driver adds timeouts and sizes
	part   *partition           // of a cluster; nil for a server
}

// The defaults of channels_redis.
const (
	defaultURL          = "redis://localhost:6379"
	defaultPrefix       = "asgi"
	defaultCapacity     = 100
	defaultExpiry       = time.Minute
	defaultRandomPrefix = 12
	maxRandomPrefix     = 255
	defaultGroupExpiry  = 24 * time.Hour
	minGroupExpiry      = time.Minute
)

// check returns the settings of o, or all that is wrong with it.
func (o Options) check() (*settings, error) {
	s := &settings{Options: o}
	s.Prefix = cmp.Or(s.Prefix, defaultPrefix)
	s.Serializer = cmp.Or(s.Serializer, wire.MsgPack)
	if len(s.URLs) == 0 {
		s.URLs = []string{defaultURL}
	}
	s.checkBackend()
	s.checkPrefix()
	s.checkRandomPrefix()
	if _, err := wire.New(s.Serializer, s.EncryptionKeys); err != nil {
		for _, problem := range allOf(err) {
			s.notef("Serializer, Options.EncryptionKeys: %w", problem)
		}
	}
	s.checkURLs()
	s.checkChannels()
	s.checkPresenceLease()
	if err := errors.Join(s.errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// notef notes that an option is wrong. format starts with its name.
func (s *settings) notef(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("wye: redis: Options."+format, args...))
}

// allOf returns the errors that were joined to err.
func allOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func (s *settings) checkBackend() {
	if _, err := s.Backend.MarshalText(); err != nil {
		s.notef("Backend is %d; use redis.PubSub or redis.Core", int(s.Backend))
	}
	if s.GroupExpiry != 0 && s.Backend != Core {
		s.notef("GroupExpiry is set, and Options.Backend is not redis.Core; remove it")
	}
	s.GroupExpiry = cmp.Or(s.GroupExpiry, defaultGroupExpiry)
	if s.GroupExpiry < minGroupExpiry {
		s.notef("GroupExpiry is %v; use at least %v, as in Django's \"group_expiry\"", s.GroupExpiry, minGroupExpiry)
	}
}

func (s *settings) checkPrefix() {
	bad := func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }
	if !utf8.ValidString(s.Prefix) || strings.ContainsFunc(s.Prefix, bad) {
		s.notef("Prefix is %q; write it without spaces and in UTF-8, as in Django's CHANNEL_LAYERS", s.Prefix)
	}
}

func (s *settings) checkRandomPrefix() {
	switch n := s.RandomPrefixLength; {
	case n == 0:
		s.RandomPrefixLength = defaultRandomPrefix
	case n == -1:
		s.RandomPrefixLength = 0
	case n < 0 || n > maxRandomPrefix:
		s.notef("RandomPrefixLength is %d; use 1 to %d, 0 for the default of %d, or -1 for none", n, maxRandomPrefix, defaultRandomPrefix)
	}
}

func (s *settings) checkPresenceLease() {
	if s.PresenceLease == 0 {
		s.PresenceLease = defaultLease
	}
	if s.PresenceLease < minLease {
		s.notef("PresenceLease is %v; use at least %v, or 0 for the default of %v", s.PresenceLease, minLease, defaultLease)
	}
}

// checkURLs fills in the targets.
func (s *settings) checkURLs() {
	before := len(s.errs)
	addresses := make([]*address, len(s.URLs))
	for i, raw := range s.URLs {
		a, err := parseURL(raw)
		if err != nil {
			for _, problem := range allOf(err) {
				s.notef("URLs[%d]: %w", i, problem)
			}
			continue
		}
		addresses[i] = a
		s.checkLogins(i, a)
		server := s.target(a)
		if a.cluster {
			s.targets = append(s.targets, s.partitions(&server)...)
		} else {
			s.targets = append(s.targets, server)
		}
	}
	s.checkCluster(addresses)
	s.checkTwice(addresses)
	if len(s.errs) == before { // otherwise, a URL may be meant to be another one
		s.checkUnused(addresses)
	}
}

func (s *settings) checkLogins(i int, a *address) {
	if a.user.set && s.Credentials != nil {
		s.notef("URLs[%d] (%s) has a user or password, and Options.Credentials is set; remove one of them", i, a.name())
	}
	if a.sentinel.set && s.SentinelCredentials != nil {
		s.notef("URLs[%d] (%s) has a user or password of Sentinels, and Options.SentinelCredentials is set; remove one of them", i, a.name())
	}
}

// checkTwice checks that each server is named once: all databases of a server have the same
// Pub/Sub, and a message would arrive twice.
func (s *settings) checkTwice(addresses []*address) {
	first := make(map[string]int)
	for i, a := range addresses {
		if a == nil {
			continue
		}
		for _, host := range a.hosts {
			server := host + " " + a.master
			if j, ok := first[server]; ok && j != i {
				s.notef("URLs[%d] (%s) names a server that URLs[%d] names too; remove one, also if the databases differ", i, a.name(), j)
				break
			}
			first[server] = i
		}
	}
}

// checkUnused checks that no option is without effect.
func (s *settings) checkUnused(addresses []*address) {
	var anyTLS, anySentinels bool
	for _, a := range addresses {
		anyTLS, anySentinels = anyTLS || a.tls, anySentinels || a.sentinels
	}
	if s.TLS != nil && !anyTLS {
		s.notef("TLS is set, and no URL uses TLS; write rediss://, rediss+sentinel:// or rediss+cluster://, or remove it")
	}
	if s.SentinelCredentials != nil && !anySentinels {
		s.notef("SentinelCredentials is set, and no URL names Sentinels; write redis+sentinel://, or remove it")
	}
}

// checkChannels fills in the limits of named channels.
func (s *settings) checkChannels() {
	first := make(map[string]int)
	for i, l := range s.Channels {
		if _, err := path.Match(l.Pattern, ""); err != nil || l.Pattern == "" {
			s.notef("Channels[%d].Pattern is %q; write a pattern of path.Match, such as %q", i, l.Pattern, "mail.*")
		}
		if l.Capacity < 0 || l.Expiry < 0 {
			s.notef("Channels[%d] of %q has a Capacity of %d and an Expiry of %v; none may be negative", i, l.Pattern, l.Capacity, l.Expiry)
		}
		if j, ok := first[l.Pattern]; ok {
			s.notef("Channels[%d] has the Pattern %q of Channels[%d], which holds; remove one", i, l.Pattern, j)
		} else {
			first[l.Pattern] = i
		}
		l.Capacity, l.Expiry = cmp.Or(l.Capacity, defaultCapacity), cmp.Or(l.Expiry, defaultExpiry)
		s.limits = append(s.limits, l)
	}
}

// limit returns the limit of a named channel.
func (s *settings) limit(channel string) ChannelLimit {
	for _, l := range s.limits {
		if ok, _ := path.Match(l.Pattern, channel); ok { //nolint:errcheck // check has tried it
			return l
		}
	}
	return ChannelLimit{Capacity: defaultCapacity, Expiry: defaultExpiry}
}
