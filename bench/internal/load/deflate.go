package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"

	"github.com/wye-go/wye/bench/internal/frame"
)

const (
	extensionsField = "Sec-WebSocket-Extensions: "
	// deflateOffer is what browsers offer.
	deflateOffer = "permessage-deflate; client_max_window_bits"

	rsv1     = 0x40
	deflated = frame.Fin | rsv1 | frame.OpText

	window = 32 << 10
	// flushed is the end that a message has lost, and the end of a stream.
	flushed = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
)

// compress has the messages of m sent compressed: a message refers to nothing before it, and
// its stamps are as they are, so that it is compressed once.
func (m *mold) compress() error {
	for i := range m.shapes {
		if err := m.shapes[i].compress(m.tail); err != nil {
			return err
		}
	}
	return nil
}

func (s *shape) compress(tail int) error {
	end := len(s.want)
	if tail > 0 {
		end = tail
	}
	b := appendStored(nil, s.want[:StampLen])
	s.first = len(b) - StampLen
	var z bytes.Buffer
	w, err := flate.NewWriter(&z, flate.DefaultCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(s.want[StampLen:end]); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	b = append(b, z.Bytes()...)
	if tail > 0 {
		b = appendStored(b, s.want[tail:])
		s.last = len(b) - StampLen
	}
	b = append(b, 0) // the start of the empty block whose rest is not sent
	s.frame = maskedFrame(rsv1|frame.OpText, b)
	s.head = len(s.frame) - len(b)
	return nil
}

// appendStored appends a block that is not compressed.
func appendStored(b, data []byte) []byte {
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	b = binary.LittleEndian.AppendUint16(b, ^uint16(len(data)))
	return append(b, data...)
}

// inflater inflates what a server sends. Members of a room mostly receive the same bytes,
// which are inflated once.
type inflater struct {
	r         io.Reader
	src       bytes.Reader
	in, out   []byte // the last message that refers to nothing before it
	buf       bytes.Buffer
	compacted []byte
}

// inflate returns the message whose payload is given. seen is what the connection has
// received before, or nil if its messages must not refer to that.
func (z *inflater) inflate(payload, seen []byte) ([]byte, error) {
	if z.in != nil && bytes.Equal(z.in, payload) {
		return z.out, nil
	}
	if out, err := z.read(payload, nil); err == nil {
		z.in, z.out = append(z.in[:0], payload...), append(z.out[:0], out...)
		return z.out, nil
	} else if len(seen) == 0 {
		return nil, err
	}
	return z.read(payload, seen)
}

// read inflates a message behind seen.
func (z *inflater) read(payload, seen []byte) ([]byte, error) {
	z.compacted = append(append(z.compacted[:0], payload...), flushed...)
	z.src.Reset(z.compacted)
	if r, ok := z.r.(flate.Resetter); !ok {
		z.r = flate.NewReaderDict(&z.src, seen)
	} else if err := r.Reset(&z.src, seen); err != nil {
		return nil, err
	}
	z.buf.Reset()
	_, err := z.buf.ReadFrom(z.r)
	return z.buf.Bytes(), err
}

// remember adds a message to what a connection has received.
func remember(seen, message []byte) []byte {
	if len(seen)+len(message) > 2*window {
		seen = append(seen[:0], seen[max(len(seen)-window, 0):]...)
	}
	return append(seen, message...)
}

// deflates tells from the head of an answer whether the server's messages may refer to
// those before.
func deflates(head string) (takeover bool, err error) {
	for field := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(field, ":")
		if !strings.EqualFold(name+": ", extensionsField) {
			continue
		}
		if !strings.HasPrefix(strings.TrimSpace(value), "permessage-deflate") {
			return false, fmt.Errorf("the server answered %q to an offer of compression", value)
		}
		return !strings.Contains(value, "server_no_context_takeover"), nil
	}
	return false, errors.New("the server has declined compression")
}
