package engine

// Usage is what the connections of an engine hold at a moment, for tests.
type Usage struct {
	Conns       int // accepted, of which something is left
	QueuedBytes int // in outgoing queues: of messages and control frames that are not written
	QueueMemory int // memory of these queues, without frames that connections share
	ReadMemory  int // memory for incomplete messages
	LongestName int // bytes of the longest path or peer that a connection keeps for log lines
}

// Usage returns what connections hold. Nothing may be read meanwhile.
func (e *Engine) Usage() (u Usage) {
	for _, c := range e.allConns() {
		u.Conns++
		c.out.mu.Lock()
		u.QueuedBytes += c.out.mu.queue.Pending()
		u.QueueMemory += c.out.mu.queue.Memory()
		c.out.mu.Unlock()
		u.ReadMemory += c.read.parser.BufferSize()
		u.LongestName = max(u.LongestName, len(c.path), len(c.peer))
	}
	return u
}
