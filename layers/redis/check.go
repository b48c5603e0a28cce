package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// minVersion is the oldest major version of Redis that the driver works with: the first with
// the protocol RESP3.
const minVersion = 6

// minSharded is the oldest major version of Redis with sharded Pub/Sub.
const minSharded = 7

// checkStart checks what cannot change while a server runs.
func (s *server) checkStart(ctx context.Context, c *commands) error {
	hello, err := c.Do(ctx, c.B().Arbitrary("HELLO", "3").Build()).AsMap()
	if err != nil {
		if reply, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(reply.Error(), "unknown command") {
			return refusal(fmt.Sprintf("it does not know HELLO 3; the driver needs Redis %d.0 or newer", minVersion))
		}
		return err
	}
	return s.checkHello(text(hello["version"]), text(hello["mode"]))
}

// checkHello returns an error if the driver cannot work with a server of this version or mode.
func (s *server) checkHello(version, mode string) error {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	switch {
	case err == nil && n < minVersion:
		return refusal(fmt.Sprintf("its version is %s; the driver needs Redis %d.0 or newer", version, minVersion))
	case err == nil && n < minSharded && s.driver.settings.Sharded:
		return refusal(fmt.Sprintf("its version is %s; Options.Sharded needs Redis %d.0 or newer", version, minSharded))
	case mode == "cluster" && s.target.part == nil:
		return refusal("it is part of a Redis Cluster; write redis+cluster://HOST:PORT,HOST:PORT with some of its nodes")
	}
	return nil
}

// checkRole returns an error if the reply to HELLO is not that of a master.
func checkRole(reply rueidis.RedisResult) error {
	hello, err := reply.AsMap()
	if err != nil {
		return err
	}
	if role := text(hello["role"]); role != "master" {
		return refusal(fmt.Sprintf("its role is %q; name the master in Options.URLs, or Sentinel, or the cluster", role))
	}
	return nil
}

func text(m rueidis.RedisMessage) string {
	s, _ := m.ToString() //nolint:errcheck // "" is what there is then
	return s
}

// permission adds to the error of a command that is not permitted which ACL permits all that
// the driver needs.
func (s *server) permission(err error) error {
	if reply, ok := rueidis.IsRedisErr(err); ok && isPermission(reply) {
		return refusal(fmt.Sprintf("%v; permit what the driver needs: ACL SETUSER <user> %s", err, s.acl()))
	}
	return err
}

// acl returns the permissions that a user of Redis needs.
func (s *server) acl() string {
	return "~" + s.driver.settings.Prefix + "* +@connection " + s.driver.transport.permissions() +
		" +eval +evalsha +bzpopmin +zpopmin +zadd +zcount +zrange +zremrangebyscore +expire +time" +
		" +info +del +pexpire +get +set +rpush +lpop +lindex +llen +lrange +ltrim" + // of history
		" +hget +hset +hsetnx +hdel +hlen +hvals +zcard +zrem +zscore +zrangebylex +zrangebyscore +sadd +srem +spop +scard +pttl" // of presence
}
