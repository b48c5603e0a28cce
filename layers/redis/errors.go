package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
)

// callError returns the error of a call, of which err is the error of the client.
func (d *Driver) callError(ctx context.Context, s *server, err error) error {
	switch {
	case err == nil:
		return nil
	case d.ctx.Err() != nil:
		return driver.ErrLayerClosed
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	reply, ok := rueidis.IsRedisErr(err)
	if !ok {
		return fmt.Errorf("%w: %s: %w", driver.ErrDown, s.target.name, err)
	}
	if advice := adviceOn(reply); advice != "" {
		return fmt.Errorf("%w: %s: %w; %s", driver.ErrDown, s.target.name, err, advice)
	}
	if isPermission(reply) {
		return fmt.Errorf("%w: %s: %w", driver.ErrDown, s.target.name, s.permission(err))
	}
	return fmt.Errorf("wye: redis: %s: %w", s.target.name, err)
}

// isReply reports whether err is what a server has answered.
func isReply(err error) bool {
	_, ok := rueidis.IsRedisErr(err) //nolint:errcheck // it is err
	return ok
}

// isPermission reports whether a command is not permitted to the user, in a script or not. Within
// a script, Redis 7.0 and older have the one text, newer ones and Valkey the other.
func isPermission(reply *rueidis.RedisError) bool {
	text := reply.Error()
	return codeOf(reply) == "NOPERM" || strings.Contains(text, "user executing the script can't") ||
		strings.Contains(text, "ACL failure in script")
}

// codeOf returns the first word of an error reply. Redis 6 has an error within a script in the
// text of another one.
func codeOf(reply *rueidis.RedisError) string {
	text := reply.Error()
	if strings.HasPrefix(text, "ERR Error running script") {
		if _, inner, ok := strings.Cut(text, ": -"); ok {
			text = inner
		}
	}
	code, _, _ := strings.Cut(text, " ")
	return code
}

// refusal is why a server is of no use although it answers.
type refusal string

func (r refusal) Error() string { return string(r) }

// withAdvice adds to the error of a start what to do about it, unless it says so already.
func withAdvice(err error) error {
	if reply, ok := rueidis.IsRedisErr(err); ok {
		if advice := adviceOn(reply); advice != "" {
			return fmt.Errorf("%w; %s", err, advice)
		}
		return err
	}
	if network := net.Error(nil); errors.As(err, &network) {
		return fmt.Errorf("%w; start the server, or correct Options.URLs", err)
	}
	return err
}

// adviceOn returns what to do about an error reply that means that the server cannot do now
// what it should, or "" for another one.
func adviceOn(reply *rueidis.RedisError) string {
	return advice[codeOf(reply)]
}

// advice is what to do about the error replies of a server that cannot do what it should.
//
//nolint:gochecknoglobals // a table
var advice = map[string]string{
	"OOM":         "raise maxmemory, or have other data expire",
	"READONLY":    "name the master in Options.URLs, or Sentinel",
	"MASTERDOWN":  "name the master in Options.URLs, or Sentinel",
	"NOREPLICAS":  "start the replicas that min-replicas-to-write asks for, or lower it",
	"MISCONF":     "see the server's log: it cannot save its data, and stop-writes-on-bgsave-error is set",
	"LOADING":     "wait until it has loaded its data",
	"BUSY":        "end the script that runs with SCRIPT KILL",
	"NOAUTH":      "give the password in Options.URLs or Options.Credentials",
	"WRONGPASS":   "correct the password in Options.URLs, or return the new one from Options.Credentials",
	"CLUSTERDOWN": "see CLUSTER INFO",
	moved:         "the driver connects to the node that has the slot now",
	"ASK":         "the slot is moving to another node; try again",
	"TRYAGAIN":    "the slot is moving to another node; try again",
}
