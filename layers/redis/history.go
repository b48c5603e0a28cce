package redis

import (
	"context"
	"crypto/rand"
	_ "embed" // of the scripts
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

var _ driver.Historian = (*Driver)(nil)

// historyLinger is how long a history without events still knows its epoch and offset, so that
// a reader that returns to a quiet group is not told that something may be missing.
const historyLinger = time.Hour

// The state of a history has five digits for how many events are kept.
const _ = uint(99_999 - driver.MaxRetentionEvents)

// The scripts.
//
//nolint:gochecknoglobals // constants
var (
	//go:embed history_append.lua
	appendText string
	//go:embed history_read.lua
	readText string

	appendScript = newScript(appendText)
	readScript   = newScript(readText)
)

// Append stores e in the history of group and publishes it with its position, in one script: see
// [driver.Historian]. A history survives everything but a loss in Redis. Each process of Redis
// starts new histories with new epochs: after a restart, also of a Redis that stores its data, or
// after a failover, it cannot be known whether the last events are there.
func (d *Driver) Append(ctx context.Context, group string, e *protocol.Event, k driver.Retention) (protocol.Position, error) {
	if err := d.usable(ctx); err != nil {
		return protocol.Position{}, err
	}
	m, err := d.record(e)
	if err != nil {
		return protocol.Position{}, err
	}
	age := strconv.FormatInt(max(1, k.MaxAge.Milliseconds()), 10)
	reply, err := d.evalHistory(ctx, appendScript, group,
		d.transport.groupName(group), m.head, m.tail, rand.Text()[:epochLen], strconv.Itoa(k.MaxEvents), age,
		strconv.FormatInt(historyLinger.Milliseconds(), 10), m.masking)
	if err != nil {
		return protocol.Position{}, err
	}
	if len(reply) != 2 {
		return protocol.Position{}, errReply
	}
	d.transport.publishRecorded(ctx, group, e)
	return parsePosition(text(reply[0]), text(reply[1]))
}

// Read returns what is stored of a group's history: see [driver.Historian].
func (d *Driver) Read(ctx context.Context, group string, r driver.Range) (driver.History, error) {
	if err := d.usable(ctx); err != nil {
		return driver.History{}, err
	}
	h, err := d.read(ctx, group, r)
	if err == nil {
		d.noteRead(group, h.Last)
	}
	return h, err
}

func (d *Driver) read(ctx context.Context, group string, r driver.Range) (driver.History, error) {
	newest, epoch := "", r.After.Epoch
	if r.Newest {
		newest = "newest"
	}
	if epoch == "" && !r.After.IsZero() {
		epoch = "-" // that of no history
	}
	reply, err := d.evalHistory(ctx, readScript, group,
		epoch, strconv.FormatUint(r.After.Offset, 10), strconv.Itoa(r.Limit), newest)
	if err != nil {
		return driver.History{}, err
	}
	return d.parseHistory(group, reply, r)
}

// evalHistory runs a script on the history of group and returns its reply, an array.
func (d *Driver) evalHistory(ctx context.Context, lua *script, group string, args ...string) ([]rueidis.RedisMessage, error) {
	s := d.serverOf(group)
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	reply, err := lua.Exec(ctx, c, []string{d.groupKey(group, "history"), d.groupKey(group, "events")}, args).ToArray()
	return reply, d.callError(ctx, s, err)
}

// groupKey returns the name of a key about a group. All those of one group are in one slot of a
// cluster.
func (d *Driver) groupKey(group, what string) string {
	return d.serverOf(group).prefix + ":wye:{" + group + "}:" + what
}

// errReply means that a script has not returned what it returns.
var errReply = errors.New("wye: redis: a script has returned something else than it returns; do all nodes have this version?")

// parseHistory parses the reply of the script that reads.
func (d *Driver) parseHistory(group string, reply []rueidis.RedisMessage, r driver.Range) (driver.History, error) {
	if len(reply) == 0 {
		return driver.History{Complete: r.After.IsZero()}, nil
	}
	if len(reply) != 5 {
		return driver.History{}, errReply
	}
	epoch := text(reply[0])
	var offsets [2]uint64 // last, from
	for i, at := range []int{1, 3} {
		n, err := strconv.ParseUint(text(reply[at]), 10, 64)
		if err != nil {
			return driver.History{}, errReply
		}
		offsets[i] = n
	}
	stored, err := reply[4].ToArray()
	if err != nil {
		return driver.History{}, errReply
	}
	last, from := offsets[0], offsets[1]
	known, after := text(reply[2]) != "", r.After.Offset
	if !known {
		after = 0
	}
	h := driver.History{
		Last:     protocol.Position{Epoch: epoch, Offset: last},
		Complete: known && from == after,
	}
	if len(stored) > 0 {
		h.Events = make([]*protocol.Event, 0, len(stored))
	}
	var b []byte
	for i := range stored {
		at := protocol.Position{Epoch: epoch, Offset: from + uint64(i) + 1}
		var e *protocol.Event
		e, b, err = d.parseStored(b, text(stored[i]), at)
		if err != nil {
			d.malformed.note(d, packet{name: group, message: bytesOf(text(stored[i]))}, err)
			h.Complete = false
			continue
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}
