package queue

const (
	maxChunked  = 1<<15 - 1 // the largest frame that is in a chunk with others
	controlFlag = 1 << 15

	keptSizes = 1 << 10 // capacity up to which an empty list is recycled
)

// sizes are those of the frames in chunks, in their order: so that one can be dropped
// without a look into it.
type sizes struct {
	list []uint16
	head int // of what is left in list
}

// add appends the size of a frame, which is at most maxChunked.
func (s *sizes) add(n int, message bool) {
	if !message {
		n |= controlFlag
	}
	s.list = append(s.list, uint16(n)) //nolint:gosec // see above
}

// first returns the first size.
func (s *sizes) first() (n int, message bool) {
	n = int(s.list[s.head])
	return n &^ controlFlag, n&controlFlag == 0
}

// skip removes the first n sizes.
func (s *sizes) skip(n int) {
	s.head += n
	switch {
	case s.head == len(s.list):
		if cap(s.list) > keptSizes {
			s.list = nil
		}
		s.list, s.head = s.list[:0], 0
	case s.head > keptSizes && s.head > len(s.list)/2:
		s.list = s.list[:copy(s.list, s.list[s.head:])]
		s.head = 0
	}
}
