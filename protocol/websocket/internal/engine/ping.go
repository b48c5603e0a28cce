package engine

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// ErrPongTimeout is the CloseStatus.Err of a connection that was cut because its peer did
// not answer a ping within Config.PongTimeout, and sent nothing else.
var ErrPongTimeout = errors.New("wye: the peer did not answer a ping in time; it is gone, or its network is")

const pingSize = 8

// sendPing sends a ping whose payload is the time.
func (c *Conn) sendPing() {
	now := c.engine.now()
	c.activity.pinged.Store(pingTime(now))
	var stamp [pingSize]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(now)) //nolint:gosec // not negative
	var buf [2 + pingSize]byte
	if c.out.addControl(frame.Append(buf[:0], ws.OpPing, stamp[:]), false) {
		c.wake()
	}
}

// pingTime returns a time since the engine was made in microseconds. They wrap around
// after 71 minutes, and are not 0.
func pingTime(t time.Duration) uint32 {
	return max(uint32(t/time.Microsecond), 1) //nolint:gosec // differences are right when it wraps
}

// receivePong measures the round trip, if payload is that of the last ping.
func (c *Conn) receivePong(payload []byte) {
	sent := c.activity.pinged.Load()
	if sent == 0 || len(payload) != pingSize {
		return
	}
	stamp := time.Duration(binary.BigEndian.Uint64(payload)) //nolint:gosec // it is compared only
	if pingTime(stamp) != sent {
		return
	}
	c.activity.pinged.Store(0)
	c.activity.rtt.Store(pingTime(c.engine.now()) - sent)
}

// RTT returns the round trip of the last ping that was answered.
func (c *Conn) RTT() time.Duration { return time.Duration(c.activity.rtt.Load()) * time.Microsecond }
