package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// errMoved means that another node has the slot of a partition.
var errMoved = errors.New("its slot has moved to another node of the cluster")

// moved is the code of the error of a server that does not have the slot of a command.
const moved = "MOVED"

// moveTimeout is how long a call waits for a slot that moves.
const moveTimeout = 5 * time.Second

// call returns the result of f, which executes a command. If the slot of the command is moving or
// has moved, the server has not executed it: then f is called again, as soon as the driver is
// connected to the node that has it.
func (c *commands) call(ctx context.Context, f func(c *commands) rueidis.RedisResult) rueidis.RedisResult {
	result := f(c)
	s := c.server
	if s.target.part == nil || !isMoving(result.Error()) {
		return result
	}
	ctx, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	for pauses := (backoff{}); ; {
		if codeOfErr(result.Error()) == moved {
			s.noteMoved(c)
		}
		if !pauses.wait(ctx) {
			return result
		}
		if next := s.commands.Load(); next != nil {
			if c, result = next, f(next); !isMoving(result.Error()) {
				return result
			}
		}
	}
}

// noteMoved has the server be connected to anew, if c is its client.
func (s *server) noteMoved(c *commands) {
	if s.commands.Load() == c {
		s.kickMoved()
	}
}

// kickMoved has the server be connected to anew.
func (s *server) kickMoved() {
	select {
	case s.moved <- struct{}{}:
	default: // it is about to be
	}
}

// isMoving reports whether a command was not executed because its slot moves or has moved.
func isMoving(err error) bool {
	switch codeOfErr(err) {
	case moved, "ASK", "TRYAGAIN":
		return true
	}
	return false
}

// codeOfErr returns the first word of an error reply, or "".
func codeOfErr(err error) string {
	if err == nil {
		return ""
	}
	if reply, ok := rueidis.IsRedisErr(err); ok {
		return codeOf(reply)
	}
	return ""
}

// script is a script that may publish in the channel of a group.
type script struct{ classic, sharded *rueidis.Lua }

// newScript returns a script with this text. It publishes with PUBLISH, or SPUBLISH instead.
func newScript(text string) *script {
	sharded := strings.ReplaceAll(text, "'PUBLISH'", "'SPUBLISH'")
	return &script{rueidis.NewLuaScript(text), rueidis.NewLuaScript(sharded)}
}

// Exec executes the script.
func (s *script) Exec(ctx context.Context, c *commands, keys, args []string) rueidis.RedisResult {
	lua := s.classic
	if c.server.driver.settings.Sharded {
		lua = s.sharded
	}
	return c.call(ctx, func(c *commands) rueidis.RedisResult { return lua.Exec(ctx, c.Client, keys, args) })
}
