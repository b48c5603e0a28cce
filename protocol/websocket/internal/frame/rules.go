package frame

import "github.com/wye-go/wye/protocol"

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
}

// NewRules returns the rules for the limits l.
func NewRules(l *protocol.Limits) *Rules {
	return newRules(bounds{
		maxMessage: l.MaxMessage, maxFrame: l.MaxFrame,
		maxFragments: l.MaxFragments, maxControls: l.MaxControlFrames,
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
