// Package enginetest has a socket for tests and benchmarks of connections.
package enginetest

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Sink is a socket whose peer sends nothing and takes everything at once. The exported
// fields that are not counters are set before it is used.
type Sink struct {
	Writes    atomic.Int64  // calls of Write
	Bytes     atomic.Int64  // written
	Deadlines atomic.Int64  // calls of SetWriteDeadline
	Got       *bytes.Buffer // gets what is written, if it is set
	Wrote     chan struct{} // gets a value for each write, if it is set

	reading, closed         chan struct{}
	startedOnce, closedOnce sync.Once
}

// NewSink returns a socket.
func NewSink() *Sink { return &Sink{reading: make(chan struct{}), closed: make(chan struct{})} }

// AwaitReader returns when Read has been called.
func (s *Sink) AwaitReader() { <-s.reading }

// Read waits until s is closed.
func (s *Sink) Read([]byte) (int, error) {
	s.startedOnce.Do(func() { close(s.reading) })
	<-s.closed
	return 0, net.ErrClosed
}

// Write counts b.
func (s *Sink) Write(b []byte) (int, error) {
	s.Writes.Add(1)
	s.Bytes.Add(int64(len(b)))
	if s.Got != nil {
		s.Got.Write(b)
	}
	if s.Wrote != nil {
		s.Wrote <- struct{}{}
	}
	return len(b), nil
}

// Close ends the reads.
func (s *Sink) Close() error {
	s.closedOnce.Do(func() { close(s.closed) })
	return nil
}

// LocalAddr returns an address.
func (*Sink) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr returns an address.
func (*Sink) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline does nothing.
func (*Sink) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*Sink) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline counts its calls.
func (s *Sink) SetWriteDeadline(time.Time) error {
	s.Deadlines.Add(1)
	return nil
}
