package frame

import (
	"math"

	"github.com/wye-go/wye/protocol"
)

// Inflate says how a parser inflates messages (RFC 7692). The zero value is for connections
// without the extension: it refuses compressed messages.
type Inflate struct {
	On       bool
	Window   int // how many bytes of earlier messages a message may refer to; 0: none
	MaxRatio int // of the inflated to the compressed size, beyond freeInflated bytes; 0: any
}

// freeInflated is up to which size Inflate.MaxRatio does not count.
const freeInflated = 64 << 10

// Rules are the limits of a [Parser]. They are immutable, and many parsers share them.
type Rules struct {
	bounds
	maxSmall   int    // the largest payload of a message that Parser.readSmall reads; -1 if it reads none
	discarding *Rules // the same, and the payloads of messages are dropped
}

// bounds are those of protocol.Limits that a parser checks.
type bounds struct {
	maxMessage   int // bytes, over all frames
	maxFrame     int // bytes; 0 means maxMessage
	maxFragments int // frames of a message; 0 means any number
	maxControls  int // control frames, see Parser.controls; 0 means any number
	inflate      Inflate
}

// NewRules returns the rules for the limits l, without compression.
func NewRules(l *protocol.Limits) *Rules { return NewInflateRules(l, Inflate{}) }

// NewInflateRules returns the rules for the limits l. Limits.MaxMessage bounds the size of
// a message when it is inflated.
func NewInflateRules(l *protocol.Limits, i Inflate) *Rules {
	return newRules(bounds{
		maxMessage: l.MaxMessage, maxFrame: l.MaxFrame,
		maxFragments: l.MaxFragments, maxControls: l.MaxControlFrames,
		inflate: i,
	})
}

func newRules(b bounds) *Rules {
	discarding := &Rules{bounds: b, maxSmall: -1}
	discarding.discarding = discarding
	r := &Rules{bounds: b, discarding: discarding}
	r.maxSmall = min(r.maxNextFrame(0), 125)
	return r
}

// discards reports whether the payloads of messages are dropped.
func (r *Rules) discards() bool { return r.discarding == r }

// maxNextFrame returns the largest payload that the next data frame may have, behind
// so many bytes of its message.
func (r *Rules) maxNextFrame(behind int) int {
	room := r.maxMessage - behind
	if r.maxFrame > 0 {
		room = min(room, r.maxFrame)
	}
	return room
}

// maxNextCompressed is maxNextFrame for a compressed message of which so many bytes have
// come. Compressed, a message may be a little larger: but not much, so that a message of
// empty blocks ends.
func (r *Rules) maxNextCompressed(behind int) int {
	room := min(r.maxMessage, math.MaxInt/2) // no overflow
	room += room/8 + 1024 - behind
	if r.maxFrame > 0 && r.maxFrame < r.maxMessage {
		room = min(room, r.maxFrame)
	}
	return room
}
