package protocol

// Overflow is the policy for a message when the outgoing queue of its connection is full.
// Only OverflowBlock makes the sender wait.
type Overflow uint8

// The policies. Messages that they drop and connections that they close are counted in
// [Stats]. The zero Overflow means the default, as in all fields of [Limits].
const (
	// OverflowClose closes the connection with CloseTryAgainLater; the send returns
	// ErrSlow, or ErrBusy if the queue of events is full. It is the default: a peer that
	// does not keep up learns it, and can connect again and catch up.
	//
	// It closes only a connection that had time to keep up. A queue may go
	// beyond its limit, to four times the limit, as long as it has been more
	// than half full for less than a second.
	OverflowClose Overflow = iota + 1
	// OverflowDropNewest drops the new message; the send returns ErrDropped.
	OverflowDropNewest
	// OverflowDropOldest drops the oldest messages that wait until the new one fits; the
	// send returns nil. It is for values of which only the latest is of use, such as
	// positions and prices; Message.Key mostly keeps such a queue from getting full. A
	// message that is being written is not dropped; if only that one is queued, the new
	// message is dropped, and the send returns ErrDropped.
	OverflowDropOldest
	// OverflowBlock makes the send wait for room, until its ctx is done or the connection
	// closes. It is for direct sends. For group sends, where one member would delay all
	// others, it means OverflowClose.
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
	// MaxMessage is the largest size of an incoming message in bytes, over all its
	// frames. As soon as a larger size is known, the connection is closed with
	// CloseMessageTooBig. A compressed message counts as it is when it is inflated. Default
	// 1 MiB.
	MaxMessage int
	// MaxFrame is the largest size of an incoming frame in bytes, for protocols that have
	// frames, as it comes. A larger frame closes the connection with CloseMessageTooBig. Default
	// MaxMessage.
	MaxFrame int
	// MaxFragments is the largest number of frames of one incoming message, for protocols
	// that have frames. One more closes the connection with ClosePolicyViolation. Default
	// 100,000, which is more than 4 MiB in frames of 64 bytes.
	MaxFragments int
	// MaxControlFrames is the largest number of pings and pongs within one message, and,
	// between messages, in the few seconds between two checks of a connection. One more
	// closes the connection with ClosePolicyViolation. Default 1000.
	MaxControlFrames int
	// MinRate is the least rate, in bytes of payload per second, at which the rest of an
	// incomplete message must come; pings and empty frames do not count. It is measured
	// over ten seconds, or over the time that 16 KiB take at this rate if that is longer,
	// because TLS delivers up to 16 KiB at once. The time in which the server does not
	// read is not counted. A slower peer's connection is closed with ClosePolicyViolation.
	// Default 240, measured over 68 s.
	MinRate int
	// ReadAhead is how many bytes of incoming messages are queued while a callback is
	// busy; each message counts its size and 64. When it is reached, the server does not
	// read from the peer until there is room. One message always fits. Default 64 KiB.
	ReadAhead int
	// Rate is how fast the peer may send. Default: as fast as the server reads.
	Rate Rate
	// QueueBytes is the size of the outgoing queue in bytes, with headers of frames where
	// the protocol has frames. A message with a Key also counts the key and 128 bytes.
	// When QueueBytes is reached, Overflow decides. One message always fits. Default
	// 4 MiB, so that several messages of the default MaxMessage fit.
	QueueBytes int
	// QueueEvents is how many events of layers may wait for the consumer, together with
	// the messages of group sends that wait behind them. When it is reached, EventOverflow
	// decides. Default 4096.
	QueueEvents int
	// QueueEventBytes is how many bytes of layer events may wait for the consumer. Each
	// event counts its encoded payload and 64. An event that many connections share is in
	// memory once, and counts in full for each of them. When QueueEventBytes is reached,
	// EventOverflow decides. One event always fits. Default 4 MiB.
	QueueEventBytes int
	// Groups is how many groups the connection may be in. It also bounds in how many
	// groups the connection may be present, and to how many it may record events; each
	// is counted separately. For one more, the method of consumer.Conn changes nothing
	// and returns an error that matches ErrTooMany. Default 500.
	Groups int
	// Goroutines is how many functions of Conn.Go may run at a time. For one more, Conn.Go
	// returns an error that matches ErrTooMany. The function of consumer.Func is one of
	// them. Default 100.
	Goroutines int
	// EventOverflow is the policy when QueueEvents or QueueEventBytes is reached:
	// OverflowClose closes the connection with CloseTryAgainLater; OverflowDropNewest and
	// OverflowDropOldest drop an event without notifying the consumer. OverflowBlock means
	// OverflowClose. Default OverflowClose.
	EventOverflow Overflow
	// RepairText has a text message that is not UTF-8 sent with U+FFFD in place of each
	// run of invalid bytes. By default the message is not sent, because peers do not
	// accept it, and the send returns ErrNotUTF8. The limits of a route can set it, but
	// cannot clear it.
	RepairText bool
	// Overflow is the policy when QueueBytes is reached. Default OverflowClose.
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

// over returns base with those fields replaced that are set in l. If l has MaxMessage and
// not MaxFrame, MaxFrame is MaxMessage.
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

// Rate bounds how fast one peer may send messages: an average rate, and bursts. The zero
// value does not bound it. Pings and other control frames do not count (see
// Limits.MaxControlFrames), and neither do the headers of frames.
type Rate struct {
	// Messages is how many messages may come per second on average. 0: any number.
	Messages int
	// MessageBurst is how many messages may come at once after a pause. Default Messages.
	MessageBurst int
	// Bytes is how many bytes of payload may come per second on average. 0: any number.
	Bytes int
	// ByteBurst is how many bytes may come at once after a pause. A larger message is not
	// refused: the messages behind it wait for as long as its bytes take at this rate.
	// Default Bytes.
	ByteBurst int
	// Close has a connection whose peer sends faster closed with ClosePolicyViolation.
	// Otherwise the server does not read from the peer until it may send again, so that
	// TCP slows the peer down. Meanwhile the peer's pings and its close wait as well, the
	// server does not notice that the peer has hung up, and it does not close the
	// connection of a silent or slow peer. This lasts at most for as long as the largest
	// message and the burst take at this rate.
	Close bool
}

// withDefaults returns r with its defaults filled in. Negative values mean zero, so
// that a route can remove its server's bound with {Messages: -1}.
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
