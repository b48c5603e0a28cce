//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/bench/internal/frame"
	"github.com/wye-go/wye/bench/internal/hist"
)

const (
	batch   = 256                   // events per turn of the loop
	bufSize = 1 << 18               // one read; holds the longest frame with room to spare
	tick    = 20 * time.Millisecond // how far a phase may overrun its end
	stalled = 10 * time.Second      // how long a server may owe answers and send none
)

// scenario is what a client does with its connections. All methods are called
// by the loop, one at a time.
type scenario interface {
	// start sends the first messages.
	start() error
	// message checks one message. The payload is valid until it returns.
	message(c *conn, payload []byte) error
	// drained follows the last message of one read.
	drained(c *conn) error
	// stop ends the sending; answers are still expected.
	stop()
	// owed is how many answers the server owes.
	owed() int
}

// pacer is a scenario that sends on its own account.
type pacer interface {
	// tick sends what is due, and returns how long there is nothing to send.
	tick() (idle time.Duration, err error)
}

// conn is one connection of the client.
type conn struct {
	fd         int // negative if it is closed
	id         uint32
	sent, seen uint32  // messages of its own sent, messages received
	at         []int64 // when the messages under way were sent, by number modulo their number
	part       []byte  // the start of a frame
	out        []byte  // what the socket did not take
	takeover   bool    // what is received may refer to what was received before
	past       []byte  // that
	parts      []byte  // of a message whose last frame is missing
	inPart     bool
}

// client is the loop, its connections, and what it has counted.
type client struct {
	target
	*dialect

	split splitter
	poll  *epoll.Poller
	conns []*conn // by id
	byFD  []*conn
	buf   []byte
	play  scenario

	born   time.Time
	now    int64 // nanoseconds since born, as of the last read or turn
	heard  int64 // when the server last sent anything
	counts hist.Histogram
	wire   uint64    // bytes that were received
	z      *inflater // nil: nothing is compressed
}

func newClient(t target, cfg Config) (*client, error) {
	poll, err := epoll.New(batch)
	if err != nil {
		return nil, err
	}
	cl := &client{target: t, poll: poll, dialect: dialects[cfg.Dialect], buf: make([]byte, bufSize), split: splitFrame, born: time.Now()}
	if t.raw {
		cl.split = splitEvery(cfg.Size)
	}
	if cfg.Deflate {
		cl.z = new(inflater)
	}
	return cl, nil
}

// close closes all connections.
func (cl *client) close() error {
	var errs []error
	for _, c := range cl.conns {
		if c.fd >= 0 {
			errs = append(errs, unix.Close(c.fd))
		}
	}
	return errors.Join(append(errs, cl.poll.Close())...)
}

func (cl *client) clock() { cl.now = int64(time.Since(cl.born)) }

// perform starts a scenario.
func (cl *client) perform(play scenario) error {
	cl.play = play
	cl.clock()
	cl.heard = cl.now
	return play.start()
}

// runFor runs the loop for a time.
func (cl *client) runFor(ctx context.Context, d time.Duration) error {
	cl.clock()
	end := cl.now + int64(d)
	return cl.runUntil(ctx, func() bool { return cl.now >= end })
}

// runOut stops the scenario and runs the loop until all answers have come.
func (cl *client) runOut(ctx context.Context) error {
	cl.play.stop()
	return cl.runUntil(ctx, func() bool { return cl.play.owed() == 0 })
}

func (cl *client) runUntil(ctx context.Context, done func() bool) error {
	for !done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if owed := cl.play.owed(); owed > 0 && cl.now-cl.heard > int64(stalled) {
			return fmt.Errorf("the server owes %d answers and has sent nothing for %v", owed, stalled)
		}
		if err := cl.turn(); err != nil {
			return err
		}
	}
	return nil
}

// turn waits for events once and handles them.
func (cl *client) turn() error {
	events, err := cl.wait()
	if err != nil {
		return err
	}
	for _, ev := range events {
		c := cl.byFD[ev.Fd]
		if ev.Events&epoll.Out != 0 && len(c.out) > 0 {
			err = c.flush()
		}
		if err == nil && ev.Events&epoll.In != 0 {
			err = cl.readable(c, ev.Events&epoll.End != 0)
		}
		if err != nil {
			return c.failed(err)
		}
	}
	cl.clock()
	return nil
}

// wait waits for events, or until a pacer has something to send.
func (cl *client) wait() ([]unix.EpollEvent, error) {
	p, ok := cl.play.(pacer)
	if !ok {
		return cl.poll.Wait(tick)
	}
	idle, err := p.tick()
	if err != nil {
		return nil, err
	}
	return cl.poll.WaitFor(min(idle, tick))
}

// readable takes in what the socket has. A read that leaves room in the buffer
// has emptied the socket; if the server has hung up too, nothing but another read
// will tell.
func (cl *client) readable(c *conn, ended bool) error {
	for c.fd >= 0 {
		had := copy(cl.buf, c.part)
		n, err := epoll.Read(c.fd, cl.buf[had:])
		if errors.Is(err, epoll.ErrAgain) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errHungUp
		}
		cl.clock()
		cl.heard = cl.now
		cl.wire += uint64(n)
		rest, err := cl.consume(c, cl.buf[:had+n])
		if err != nil {
			return err
		}
		c.part = append(c.part[:0], rest...)
		if had+n < len(cl.buf) && !ended {
			return nil
		}
	}
	return nil
}

// consume passes on the complete messages in b and returns what is left.
func (cl *client) consume(c *conn, b []byte) (rest []byte, err error) {
	for {
		m, n, err := cl.split(b)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return b, cl.play.drained(c)
		}
		b = b[n:]
		if m.deflated || m.part != whole {
			if m.payload, err = cl.inflate(c, m); err != nil {
				return nil, err
			}
			if m.payload == nil {
				continue
			}
			m.op = frame.OpText
		}
		switch m.op {
		case frame.OpText:
			err = cl.each(m.payload, func(one []byte) error { return cl.play.message(c, one) })
		case frame.OpPing:
			err = c.send(pong(m.payload))
		case frame.OpPong:
		default:
			err = fmt.Errorf("unexpected opcode %#x: %q", m.op, m.payload)
		}
		if err != nil {
			return nil, err
		}
	}
}

// inflate returns the message of which m is the end, or nil if m is not.
func (cl *client) inflate(c *conn, m incoming) ([]byte, error) {
	payload := m.payload
	switch {
	case cl.z == nil, (m.part == whole || m.part == firstPart) == c.inPart:
		return nil, errFrame
	case m.part != whole:
		c.inPart = m.part != lastPart
		c.parts = append(c.parts, payload...)
		if c.inPart {
			return nil, nil
		}
		payload = c.parts
		defer func() { c.parts = c.parts[:0] }()
	}
	message, err := cl.z.inflate(payload, c.past)
	if err != nil {
		return nil, fmt.Errorf("inflating %d bytes: %w", len(payload), err)
	}
	if c.takeover {
		c.past = remember(c.past, message)
	}
	return message, nil
}
