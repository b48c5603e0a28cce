package engine

// Usage is what the connections of an engine hold at a moment, for tests.
type Usage struct {
	Conns       int // accepted, of which something is left
	OnLoops     int // of these, run by loops
	Drivers     int // goroutines that drive loops
	QueuedBytes int // in outgoing queues: of messages and control frames that are not written
	QueueMemory int // memory of these queues, without frames that connections share
	LongestName int // bytes of the longest path or peer that a connection keeps for log lines
}

// Usage returns what connections hold.
func (e *Engine) Usage() (u Usage) {
	for _, c := range e.allConns() {
		u.Conns++
		if c.onLoop() {
			u.OnLoops++
		}
		c.out.mu.Lock()
		u.QueuedBytes += c.out.mu.queue.Pending()
		u.QueueMemory += c.out.mu.queue.Memory()
		c.out.mu.Unlock()
		u.LongestName = max(u.LongestName, len(c.name.Path()), len(c.name.Peer()))
	}
	for _, l := range e.loops {
		l.mu.Lock()
		if l.mu.driven {
			u.Drivers++
		}
		l.mu.Unlock()
	}
	return u
}

// ReadMemory returns the memory that connections have for incomplete messages. Nothing may
// be read meanwhile.
func (e *Engine) ReadMemory() (n int) {
	for _, c := range e.allConns() {
		c.out.mu.Lock()
		n += c.read.parser.BufferSize()
		c.out.mu.Unlock() // after which the reader may start its next batch
	}
	return n
}
