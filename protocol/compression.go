package protocol

// Compression is what an application wants of the compression of a connection. The protocol
// server decides whether it compresses at all, and how: see websocket.Options.Compression.
type Compression uint8

// What can be wanted.
const (
	// CompressionDefault leaves it to the protocol server.
	CompressionDefault Compression = iota
	// CompressionOff has nothing compressed, in both directions.
	CompressionOff
	// CompressionNoTakeover has each message compressed by itself: none refers to
	// earlier ones, so that the connection needs no memory for them.
	CompressionNoTakeover
)

// SetCompression says what the application wants of the compression of this connection. It is
// for middleware and handlers, which call it in Connect before the inner Connect: the
// innermost call is the last, and wins. Once the handshake is answered, it has no effect.
// For a single message see Message.Uncompressed.
func (c *Conn) SetCompression(x Compression) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if o := c.s.mu.opening; o != nil {
		o.compression = x
	}
}

// Compression returns what the application has wanted with [Conn.SetCompression]. It is for
// Transport.Accept.
func (s *Session) Compression() Compression {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.mu.opening; o != nil {
		return o.compression
	}
	return CompressionDefault
}
