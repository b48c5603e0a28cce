package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Error is what a server answers to a command that it refuses.
type Error string

// Error returns the text of the answer.
func (e Error) Error() string { return string(e) }

// Conn is a connection of a very small client, for commands of tests. It is not for
// concurrent use, but Receive may run beside Send.
type Conn struct {
	nc net.Conn
	r  *bufio.Reader
}

// Dial connects to the server by its unix socket, as a user who may do everything. It
// needs neither network, TLS nor a password. The caller must Close the connection.
func (s *Server) Dial(ctx context.Context) (*Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "unix", s.socket())
	if err != nil {
		return nil, fmt.Errorf("wye: redistest: %s does not accept: %w", s, err)
	}
	c := &Conn{nc: nc, r: bufio.NewReader(nc)}
	if s.options.sentinel != nil {
		return c, nil
	}
	if _, err := c.Do(ctx, "AUTH", admin, admin); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

// Do sends a command and returns the answer: a string, an int64, nil, or an []any of them.
// An answer that is an error is the error, of type Error. If ctx ends first, the
// connection is of no more use.
func (c *Conn) Do(ctx context.Context, args ...string) (any, error) {
	stop, err := c.until(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := c.Send(args...); err != nil {
		return nil, err
	}
	return c.receive(args[0])
}

// Send sends a command, whose answer Receive returns.
func (c *Conn) Send(args ...string) error {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := c.nc.Write(b); err != nil {
		return fmt.Errorf("wye: redistest: %s cannot be sent: %w", args[0], err)
	}
	return nil
}

// Receive returns the next answer, or the next message of a subscription, as Do does.
func (c *Conn) Receive(ctx context.Context) (any, error) {
	stop, err := c.until(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	return c.receive("a message")
}

// until makes reading and writing end with ctx, and after patience at the latest.
func (c *Conn) until(ctx context.Context) (stop func() bool, err error) {
	end := time.Now().Add(patience)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	if err := c.nc.SetDeadline(end); err != nil {
		return nil, fmt.Errorf("wye: redistest: the connection is closed: %w", err)
	}
	return context.AfterFunc(ctx, func() {
		_ = c.nc.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // it may be closed
	}), nil
}

func (c *Conn) receive(what string) (any, error) {
	v, err := c.read()
	if e, ok := v.(Error); ok && err == nil {
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("wye: redistest: %s was not answered: %w", what, err)
	}
	return v, nil
}

// read reads one value of RESP2.
func (c *Conn) read() (any, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("an empty line")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return Error(rest), nil
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	switch {
	case err != nil:
		return nil, err
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil //nolint:nilnil // nil is a value of RESP
	case kind == '$':
		b := make([]byte, n+2)
		_, err := io.ReadFull(c.r, b)
		return string(b[:n]), err
	case kind == '*':
		list := make([]any, n)
		for i := range list {
			if list[i], err = c.read(); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("a value of an unknown kind: %q", line)
}

// Close closes the connection.
func (c *Conn) Close() { _ = c.nc.Close() } //nolint:errcheck // nothing waits to be written

// Do sends a command over a connection of its own: see Conn.Do.
func (s *Server) Do(ctx context.Context, args ...string) (any, error) {
	c, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(ctx, args...)
}

// CLI sends a command and returns the answer as text, one element of a list a line. The
// test fails if the command does.
func (s *Server) CLI(tb testing.TB, args ...string) string {
	tb.Helper()
	v, err := s.Do(tb.Context(), args...)
	if err != nil {
		tb.Fatalf("%s: %q: %v", s, args, err)
	}
	return Text(v)
}

// Text returns an answer as text, one element of a list a line. The text of nil is "".
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		var lines []string
		for _, element := range v {
			lines = append(lines, Text(element))
		}
		return strings.Join(lines, "\n")
	default:
		return fmt.Sprint(v)
	}
}

// Do is a command in a function that Wait calls. An answer that is an error is returned as
// an Error or as another error.
type Do func(args ...string) any

// Wait calls ok until it returns true. It returns an error, which says what was waited for,
// if ctx ends or if that takes very long.
func (s *Server) Wait(ctx context.Context, what string, ok func(do Do) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last any
	do := func(args ...string) any {
		v, err := s.Do(ctx, args...)
		if err != nil {
			v = err
		}
		last = v
		return v
	}
	for !ok(do) {
		if ctx.Err() != nil {
			return fmt.Errorf("wye: redistest: %s: waited in vain until %s; the last answer was %q: %w", s, what, Text(last), ctx.Err())
		}
		pause(ctx)
	}
	return nil
}

// AwaitSubscribers waits until at least n connections have subscribed to a channel of
// Pub/Sub, and fails the test if that takes very long.
func (s *Server) AwaitSubscribers(tb testing.TB, channel string, n int64) {
	tb.Helper()
	err := s.Wait(tb.Context(), fmt.Sprintf("%q has %d subscribers", channel, n), func(do Do) bool {
		answer, ok := do("PUBSUB", "NUMSUB", channel).([]any)
		if !ok || len(answer) != 2 {
			return false
		}
		count, ok := answer[1].(int64)
		return ok && count >= n
	})
	if err != nil {
		tb.Fatal(err)
	}
}
