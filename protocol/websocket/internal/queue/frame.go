package queue

// Frame is the frame of one message outside of any chunk: in memory of its own, or
// shared.
type Frame struct {
	own    *buffer
	shared *Shared
}

// NewFrame returns a frame of n bytes in memory of its own, for the caller to fill. It
// must be passed to Add, Replace or Fill.
func NewFrame(n int) Frame {
	b := newBuffer(n)
	b.extend(n)
	return Frame{own: b}
}

// Frame returns s as the frame of a message.
func (s *Shared) Frame() Frame { return Frame{shared: s} }

// ReserveFrame returns a frame of n bytes that takes its place in a queue by Add or
// Replace, and is made afterwards. It, and what is behind it, is not written until Fill
// is called.
func ReserveFrame(n int) Frame {
	b := emptyBuffers.Get().(*buffer) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	b.reserved = n
	return Frame{own: b}
}

// Bytes returns the frame.
func (f Frame) Bytes() []byte {
	if f.own != nil {
		return f.own.b
	}
	return f.shared.b
}

func (f Frame) size() int { return len(f.Bytes()) + f.reserved() }

func (f Frame) reserved() int {
	if f.own != nil {
		return f.own.reserved
	}
	return 0
}

// ownSize returns how many of the frame's bytes are in memory of its own.
func (f Frame) ownSize() int {
	if f.own != nil {
		return f.size()
	}
	return 0
}

// memory returns how much memory of its own f has.
func (f Frame) memory() int {
	if f.own != nil {
		return cap(f.own.b)
	}
	return 0
}

// release gives up f. If it is shared, it must have been held.
func (f Frame) release() {
	if f.own != nil {
		f.own.release()
	} else {
		f.shared.drop()
	}
}

// discard gives up a frame that no queue has taken.
func (f Frame) discard() {
	if f.own != nil {
		f.own.release()
	}
}

// maxChunk is the size from which a chunk takes no more frames.
const maxChunk = 64 << 10

// entry is bytes that lie together: a chunk of small frames, or one frame.
type entry struct {
	Frame
	dropped  int // bytes of a chunk that were dropped, and are not counted
	frames   int // in a chunk, without those that were dropped; 0: not a chunk
	messages int // bytes of messages, without those that were dropped
}

// chunk is an entry of small frames, none of which was dropped.
type chunk struct {
	own              *buffer // nil: there is none
	frames, messages int     // as in entry
}

// moveTo makes e, which is empty, the entry that c is, and leaves c without memory. It
// moves word by word, because a copy of words that were just written has to wait for them.
func (c *chunk) moveTo(e *entry) {
	e.own, e.frames, e.messages = c.own, c.frames, c.messages
	c.own, c.frames, c.messages = nil, 0, 0
}

func (e *entry) bytes() []byte { return e.Bytes()[e.dropped:] }

func (e *entry) size() int { return e.Frame.size() - e.dropped }

// takesMore reports whether small frames may be appended to e.
func (e *entry) takesMore() bool { return e.frames > 0 && len(e.own.b) < maxChunk }
