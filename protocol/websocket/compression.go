package websocket

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
)

// Compression configures the compression of messages: permessage-deflate (RFC 7692), which
// all browsers offer. The zero value compresses messages of 256 bytes and more at the
// fastest level, without context takeover.
//
// JSON of a few hundred bytes to 16 KiB gets two to four times smaller. Compressing a message
// of 1 KiB takes about ten microseconds of a processor, and inflating it takes less. A shared
// message of a group is compressed once for all members. A connection that has agreed on
// compression without context takeover takes about 40 bytes more.
//
// With context takeover a message may refer to the messages before it, in the same
// direction, which makes small similar messages much smaller. Each side then keeps a window of
// what was sent: see ServerTakeover and ClientTakeover.
//
// Do not compress secrets beside text that somebody else can choose: see
// protocol.Message.Uncompressed, and router.Compression for a whole route.
type Compression struct {
	// Level is from 1, the fastest, to 9, which takes four to seven times as long for results
	// that are at most about a tenth smaller. Default 1. Messages that are larger than the
	// window that a peer has asked for, or, with takeover, than three quarters of it, are
	// compressed at about level 5, which takes up to twice as long as level 1.
	Level int
	// Threshold is the size in bytes from which messages to the peer are compressed.
	// Smaller ones, and those that would not get smaller, are sent as they are. Default 256.
	Threshold int
	// ServerTakeover lets messages to the peer refer to those before. The server keeps the
	// last 2^ServerWindowBits bytes for each connection that it has sent a compressed
	// message in the last 5 to 10 s (the interval of the keep-alive checks), and gives
	// them up afterwards: the next message then refers to nothing. Messages with a Key,
	// messages to groups, which are compressed once for all members, and those of more than
	// 16 KiB refer to nothing. Connections with the policy protocol.OverflowDropOldest have
	// no takeover, because messages behind one that was dropped could not be read.
	// Default: off.
	ServerTakeover bool
	// ServerWindowBits is from 8 to 15. Default 12, which is 4 KiB for each connection.
	ServerWindowBits int
	// ClientTakeover lets messages of the peer refer to those before. The server has to keep
	// up to 2^ClientWindowBits bytes for each connection, from its first compressed message
	// until it closes. Default: off; peers are told so.
	ClientTakeover bool
	// ClientWindowBits is from 8 to 15. With less than 15, takeover is granted only to peers
	// that let the server choose their window, as browsers do. Default 15, which is 32 KiB
	// for each connection, or 4 KiB when there are many: see WindowBytes.
	ClientWindowBits int
	// WindowBytes bounds the windows of all connections together, in bytes. A window for
	// ClientTakeover counts in full from the handshake on, although it takes memory only
	// for what is in it: a peer that was granted it may use all of it at any time, and can
	// no longer be refused. Once half of WindowBytes is taken, peers that let the server
	// choose their window, as browsers do, are granted 4 KiB at most. A connection that
	// would exceed WindowBytes is not granted ClientTakeover, or has no ServerTakeover for
	// the time being. Default 64 MiB: 1,024 windows of 32 KiB and 8,192 of 4 KiB.
	WindowBytes int
	// MaxRatio is how many times larger a message may get by being inflated. Up to 64 KiB it
	// may be any number of times. A message that gets larger closes the connection with
	// 1009, as one that gets larger than Limits.MaxMessage does. Default 200; negative: any.
	MaxRatio int
	// Skip reports whether a message to the peer is not to be compressed, for example
	// because it holds an image. It is called for messages of Threshold and more, by the
	// goroutine that sends, and for a shared message once for each kind of peer. It must be
	// safe for concurrent use, and must not keep m.Data. Default: none are skipped.
	Skip func(m protocol.Message) bool
}

// withDefaults returns a copy of c with the defaults filled in, or nil if c is nil.
func (c *Compression) withDefaults() *Compression {
	if c == nil {
		return nil
	}
	d := *c
	d.Level = orDefault(d.Level, deflate.MinLevel)
	d.Threshold = orDefault(d.Threshold, 256)
	d.ServerWindowBits = orDefault(d.ServerWindowBits, 12)
	d.ClientWindowBits = orDefault(d.ClientWindowBits, deflate.MaxBits)
	d.WindowBytes = orDefault(d.WindowBytes, 64<<20)
	if d.MaxRatio == 0 {
		d.MaxRatio = 200
	}
	d.MaxRatio = max(d.MaxRatio, 0)
	return &d
}

// check panics if c, which has its defaults, cannot be used. c may be nil.
func (c *Compression) check() {
	if c == nil {
		return
	}
	if c.Level > deflate.MaxLevel {
		panic(fmt.Sprintf("wye: websocket.Compression.Level: %d is not from 1 to 9", c.Level))
	}
	for name, bits := range map[string]int{"ServerWindowBits": c.ServerWindowBits, "ClientWindowBits": c.ClientWindowBits} {
		if bits < deflate.MinBits || bits > deflate.MaxBits {
			panic(fmt.Sprintf("wye: websocket.Compression.%s: %d is not from 8 to 15", name, bits))
		}
	}
}

// engine returns what an engine needs of c, or nil if c is nil.
func (c *Compression) engine() *engine.Compression {
	if c == nil {
		return nil
	}
	return &engine.Compression{
		Level: c.Level, Threshold: c.Threshold, MaxRatio: c.MaxRatio,
		WindowBytes: c.WindowBytes, ServerBits: c.ServerWindowBits, Skip: c.Skip,
	}
}

const extensions = "Sec-Websocket-Extensions"

// smallBits is of the windows that peers are granted when half of WindowBytes is taken.
const smallBits = 12

// checkExtensions refuses a request whose extensions are malformed, if compression is
// negotiated (RFC 7692 section 5.1).
func (s *Server) checkExtensions(h http.Header) *protocol.RejectError {
	if s.opts.Compression == nil {
		return nil
	}
	if _, _, err := deflate.Negotiate(h[extensions], deflate.Policy{}); err != nil {
		return &protocol.RejectError{Status: http.StatusBadRequest, Body: "Sec-WebSocket-Extensions is malformed", Header: http.Header{}}
	}
	return nil
}

// negotiate returns what is agreed on with the peer, and the answer's extensions, "" if there
// are none. It may have reserved a window, which RefundWindow gives back.
func (h *opening) negotiate() (p deflate.Params, answer string) {
	c := h.server.opts.Compression
	if c == nil || h.session.Compression() == protocol.CompressionOff {
		return p, ""
	}
	takeover := h.session.Compression() != protocol.CompressionNoTakeover
	policy := deflate.Policy{
		ServerTakeover: takeover && c.ServerTakeover && h.session.Limits().Overflow != protocol.OverflowDropOldest,
		ClientTakeover: takeover && c.ClientTakeover,
		ClientBits:     c.ClientWindowBits,
	}
	lines, e := h.r.Header[extensions], h.server.engine
	if policy.ClientTakeover && c.ClientWindowBits > smallBits && e.WindowsRunShort() {
		small := policy
		small.ClientBits = smallBits
		p, answer, _ = deflate.Negotiate(lines, small) //nolint:errcheck // checkExtensions has found no fault
		if p.ClientTakeover && e.ReserveWindow(p.ClientBits) {
			return p, answer
		}
	}
	p, answer, _ = deflate.Negotiate(lines, policy) //nolint:errcheck // as above
	if p.ClientTakeover && !e.ReserveWindow(p.ClientBits) {
		policy.ClientTakeover = false
		p, answer, _ = deflate.Negotiate(lines, policy) //nolint:errcheck // as above
	}
	return p, answer
}

// CompressionStats are the counters of [Compression].
type CompressionStats struct {
	Conns       int64 // that have agreed on compression, now
	WindowBytes int64 // charged to Compression.WindowBytes now

	// Messages to peers that were queued compressed. A message to a group counts for each
	// member.
	MessagesOut   int64
	PlainBytesOut int64 // their size before
	WireBytesOut  int64 // their frames

	// Compressed messages of peers, also those that are incomplete or were refused.
	WireBytesIn  int64 // their payloads
	PlainBytesIn int64 // what they became

	// TimeOut and TimeIn are how long compressing and inflating have taken together:
	// estimates from every 64th message.
	TimeOut, TimeIn time.Duration
}

func newCompressionStats(d engine.DeflateStats) CompressionStats { return CompressionStats(d) }
