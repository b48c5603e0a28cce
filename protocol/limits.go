package protocol

// Overflow is what happens to a message when the outgoing queue of its
// connection is full. The sender is never slowed, except where it asks for it
// with OverflowBlock.
type Overflow uint8

// The policies. Whatever they drop or close is counted in [Stats]. None of them
// is zero, which stands for the default, as in all of [Limits].
const (
	// OverflowClose closes the connection with CloseTryAgainLater; the send
	// returns ErrSlow, and ErrBusy if it is events that wait. It is the default:
	// a peer that does not keep up finds out, and can come back and catch up.
	//
	// It closes only a connection that had time to keep up. A queue may go
	// beyond its limit, to four times the limit, as long as it has been more
	// than half full for less than a second.
	OverflowClose Overflow = iota + 1
	// OverflowDropNewest drops the message; the send returns ErrDropped.
	OverflowDropNewest
	// OverflowDropOldest drops the oldest messages that wait until the new one
	// fits; the send returns nil. It is for state of which only the latest
	// counts, such as positions and prices; with Message.Key it need not come to
	// that. What is being written already is not dropped; if there is nothing
	// else, it is the new message that is dropped, and the send returns
	// ErrDropped.
	OverflowDropOldest
	// OverflowBlock makes the send wait for room, for as long as its ctx and
	// the connection last. It is for direct sends; for group sends, where
	// waiting would hold up everybody else, it means OverflowClose.
	OverflowBlock
)

// Default values of [Limits].
const (
	defaultMaxMessage       = 1 << 20
	defaultMaxFragments     = 100_000
	defaultMaxControlFrames = 1000
	defaultMinRate          = 240
	defaultReadAhead        = 64 << 10
	defaultQueueBytes       = 4 << 20
	defaultQueueEvents      = 4096
	defaultQueueEventBytes  = 4 << 20
	defaultGroups           = 500
	defaultGoroutines       = 100
)

// Limits bound one connection. A zero field means its default.
type Limits struct {
	// MaxMessage is the size of an incoming message in bytes, over all its
	// frames. A larger one closes with CloseMessageTooBig as soon as its
	// size is known. Default 1 MiB.
	MaxMessage int
	// MaxFrame is the size of one incoming frame in bytes, for protocols
	// that have frames. A larger one closes as a message does that is too
	// large. Default MaxMessage.
	MaxFrame int
	// MaxFragments is how many frames a message may come in, for protocols
	// that have frames. One more closes with ClosePolicyViolation. Default
	// 100,000: 4 MiB in frames of 64 bytes are less.
	MaxFragments int
	// MaxControlFrames is how many pings and pongs may come within one
	// message, and, between messages, in the few seconds between two looks at
	// a connection. One more closes with ClosePolicyViolation. Default 1000.
	MaxControlFrames int
	// MinRate is how fast, in bytes of payload per second, a message must come
	// that has begun; pings and empty frames in between do not count. It is
	// measured over ten seconds, and over as long as 16 KiB take at that rate,
	// because TLS delivers up to so much at once; the time in which we do not
	// read is not counted. A slower one closes with ClosePolicyViolation.
	// Default 240, over 68 s.
	MinRate int
	// ReadAhead is how much of what the peer sends is kept, in bytes (each
	// message counts its size and 64), while a callback is busy. Then the
	// peer is not read from until there is room. One message always fits.
	// Default 64 KiB.
	ReadAhead int
	// Rate is how fast the peer may send. Default: as fast as it is read.
	Rate Rate
	// QueueBytes is the size of the outgoing queue, in bytes on the wire where
	// the protocol has frames (a message with a Key counts that, and
	// KeyOverhead, too). What happens then is Overflow. One message always
	// fits. Default 4 MiB, so that several messages of the default MaxMessage
	// fit.
	QueueBytes int
	// QueueEvents is how many layer events may wait for the consumer, with the
	// messages of group sends that wait behind them. What happens then is
	// EventOverflow. Default 4096.
	QueueEvents int
	// QueueEventBytes is how many bytes of layer events may wait for the
	// consumer. Each counts its encoded payload and 64. An event that many
	// connections share is in memory once, and counts in full for each of
	// them. What happens then is EventOverflow. One event always fits.
	// Default 4 MiB.
	QueueEventBytes int
	// Groups is how many groups the connection may be in, and, counted each for
	// itself, in how many it may be present, and to how many it may record: what
	// consumer.Conn does in one more is an error that matches ErrTooMany,
	// and changes nothing. Default 500.
	Groups int
	// Goroutines is how many functions of Conn.Go may run at a time. One more is
	// an error that matches ErrTooMany, and is not called. The function of
	// consumer.Func is one of them. Default 100.
	Goroutines int
	// EventOverflow is what happens when QueueEvents or QueueEventBytes is
	// reached: the connection is closed with CloseTryAgainLater, as
	// OverflowClose says, or the newest or the oldest event is dropped, of
	// which the consumer is not notified. OverflowBlock means OverflowClose.
	// Default OverflowClose.
	EventOverflow Overflow
	// RepairText sends a text message that is not UTF-8 with U+FFFD in place of each run
	// of bytes that is not. By default the message is not sent, and the send returns
	// ErrNotUTF8: no peer accepts it. A route can turn it on and not off.
	RepairText bool
	// Overflow is what happens when QueueBytes is reached. Default
	// OverflowClose.
	Overflow Overflow
}

// WithDefaults returns l with its zero and negative fields replaced by the
// defaults.
func (l Limits) WithDefaults() Limits {
	l.MaxMessage = positive(l.MaxMessage, defaultMaxMessage)
	l.MaxFrame = positive(l.MaxFrame, l.MaxMessage)
	l.MaxFragments = positive(l.MaxFragments, defaultMaxFragments)
	l.MaxControlFrames = positive(l.MaxControlFrames, defaultMaxControlFrames)
	l.MinRate = positive(l.MinRate, defaultMinRate)
	l.ReadAhead = positive(l.ReadAhead, defaultReadAhead)
	l.Rate = l.Rate.withDefaults()
	l.QueueBytes = positive(l.QueueBytes, defaultQueueBytes)
	l.QueueEvents = positive(l.QueueEvents, defaultQueueEvents)
	l.QueueEventBytes = positive(l.QueueEventBytes, defaultQueueEventBytes)
	l.Groups = positive(l.Groups, defaultGroups)
	l.Goroutines = positive(l.Goroutines, defaultGoroutines)
	l.Overflow = either(l.Overflow, OverflowClose)
	l.EventOverflow = either(l.EventOverflow, OverflowClose)
	return l
}

// over returns base with the fields replaced that l has. MaxMessage alone is
// MaxFrame too: it is that field's default.
func (l Limits) over(base Limits) Limits {
	base.MaxFrame = positive(l.MaxFrame, positive(l.MaxMessage, base.MaxFrame))
	base.MaxMessage = positive(l.MaxMessage, base.MaxMessage)
	base.MaxFragments = positive(l.MaxFragments, base.MaxFragments)
	base.MaxControlFrames = positive(l.MaxControlFrames, base.MaxControlFrames)
	base.MinRate = positive(l.MinRate, base.MinRate)
	base.ReadAhead = positive(l.ReadAhead, base.ReadAhead)
	if l.Rate != (Rate{}) {
		base.Rate = l.Rate.withDefaults()
	}
	base.QueueBytes = positive(l.QueueBytes, base.QueueBytes)
	base.QueueEvents = positive(l.QueueEvents, base.QueueEvents)
	base.QueueEventBytes = positive(l.QueueEventBytes, base.QueueEventBytes)
	base.Groups = positive(l.Groups, base.Groups)
	base.RepairText = l.RepairText || base.RepairText
	base.Goroutines = positive(l.Goroutines, base.Goroutines)
	base.Overflow = either(l.Overflow, base.Overflow)
	base.EventOverflow = either(l.EventOverflow, base.EventOverflow)
	return base
}

func either(o, otherwise Overflow) Overflow {
	if o != 0 {
		return o
	}
	return otherwise
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Rate bounds how fast one peer may send messages: on average, with bursts. The zero
// value is no bound. Pings and other control frames do not count (see
// Limits.MaxControlFrames), and neither do bytes of frames and headers.
type Rate struct {
	// Messages is how many messages may come per second. 0 is no bound.
	Messages int
	// MessageBurst is how many may come at once when nothing has come for a while.
	// Default Messages.
	MessageBurst int
	// Bytes is how many bytes of payload may come per second. 0 is no bound.
	Bytes int
	// ByteBurst is how many may come at once when nothing has come for a while. A
	// larger message is not refused: what comes behind it waits for as long as its
	// bytes take at this rate. Default Bytes.
	ByteBurst int
	// Close closes a connection whose peer sends faster with ClosePolicyViolation.
	// Otherwise the peer is not read from until it may send again, so that TCP slows
	// it down; meanwhile its pings and its close wait, too, that it has hung up is not
	// noticed, and it is not cut for being silent or slow. How long that takes at most
	// is what the largest message and the burst take at this rate.
	Close bool
}

// withDefaults returns r with its defaults filled in. Negative values mean zero, so
// that a route can lift its server's bound with {Messages: -1}.
func (r Rate) withDefaults() Rate {
	r.Messages, r.Bytes = max(r.Messages, 0), max(r.Bytes, 0)
	r.MessageBurst = burst(r.MessageBurst, r.Messages)
	r.ByteBurst = burst(r.ByteBurst, r.Bytes)
	if r.Messages == 0 && r.Bytes == 0 {
		return Rate{}
	}
	return r
}

func burst(n, rate int) int {
	if rate == 0 {
		return 0
	}
	return positive(n, rate)
}
