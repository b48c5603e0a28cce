package engine

import (
	"errors"
	"time"

	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// Stats are the counters of an [Engine]. Those of connections do not count what happened
// after the connection had ended, by the application or otherwise.
type Stats struct {
	Violations    int64 // the peer broke the protocol, or sent text that is not UTF-8
	TooBig        int64 // Limits.MaxMessage, MaxFrame
	TooManyFrames int64 // Limits.MaxFragments, MaxControlFrames
	SlowSenders   int64 // Limits.MinRate
	PongTimeouts  int64
	WriteTimeouts int64
	CloseTimeouts int64

	OnLoops    int64 // connections that loops run now
	LeftBehind int64 // how often another goroutine had to take over a loop, because a callback blocked or was about to wait

	Pauses      int64 // how often reading stopped until the session took messages again
	QueuedBytes int64 // now charged to Config.QueueBytes
	QueuesFull  int64 // charges refused because of Config.QueueBytes

	Deflate DeflateStats
}

// DeflateStats are the counters of compression.
type DeflateStats struct {
	Conns       int64 // that have agreed on it, now
	WindowBytes int64 // charged to Compression.WindowBytes now

	MessagesOut   int64 // that were queued compressed
	PlainBytesOut int64 // of them before
	WireBytesOut  int64 // of their frames

	WireBytesIn  int64 // of compressed messages
	PlainBytesIn int64 // that they became

	TimeOut, TimeIn time.Duration // estimates
}

// stats returns the counters as they are now. d may be nil.
func (d *deflation) stats() DeflateStats {
	if d == nil {
		return DeflateStats{}
	}
	c := &d.count
	return DeflateStats{
		Conns: c.conns.Load(), WindowBytes: d.windows.Load(),
		MessagesOut: c.messagesOut.Load(), PlainBytesOut: c.plainOut.Load(), WireBytesOut: c.wireOut.Load(),
		WireBytesIn: c.wireIn.Load(), PlainBytesIn: c.inflatedIn.Load(),
		TimeOut: time.Duration(c.nanosOut.Load()), TimeIn: time.Duration(c.nanosIn.Load()),
	}
}

// Stats returns the counters as they are now.
func (e *Engine) Stats() Stats {
	c := &e.counters
	onLoops := int64(0)
	for _, l := range e.loops {
		onLoops += l.load.Load()
	}
	return Stats{
		OnLoops:       onLoops,
		LeftBehind:    c.leftBehind.Load(),
		Violations:    c.violations.Load(),
		TooBig:        c.tooBig.Load(),
		TooManyFrames: c.tooManyFrames.Load(),
		SlowSenders:   c.slowSenders.Load(),
		PongTimeouts:  c.pongTimeouts.Load(),
		WriteTimeouts: c.writeTimeouts.Load(),
		CloseTimeouts: c.closeTimeouts.Load(),
		Pauses:        c.pauses.Load(),
		QueuedBytes:   e.queues.Used(),
		QueuesFull:    e.queues.Refused(),
		Deflate:       e.deflate.stats(),
	}
}

// countViolation counts a connection that was closed because the peer's frames broke a
// rule.
func (c *counters) countViolation(err error) {
	switch {
	case errors.Is(err, frame.ErrTooBig):
		c.tooBig.Add(1)
	case errors.Is(err, frame.ErrFragments), errors.Is(err, frame.ErrControls):
		c.tooManyFrames.Add(1)
	default:
		c.violations.Add(1)
	}
}

// countCut counts a connection whose socket was closed because of err. closing reports
// whether it was closing before.
func (c *counters) countCut(err error, closing bool) {
	switch {
	case errors.Is(err, ErrPongTimeout):
		if !closing {
			c.pongTimeouts.Add(1)
		}
	case !isTimeout(err):
	case closing:
		c.closeTimeouts.Add(1)
	default:
		c.writeTimeouts.Add(1)
	}
}
