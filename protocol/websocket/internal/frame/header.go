package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

var (
	errNotMinimal  = protocol.NewCloseError(protocol.CloseProtocolError, "frame length not in its shortest form")
	errLengthRange = protocol.NewCloseError(protocol.CloseProtocolError, "frame length out of range")
)

const (
	bitFin  = 0x80
	bitMask = 0x80
	bitsLen = 0x7f
)

// parseHeader parses the frame header at the front of b. It returns the header's
// size, or 0 if b does not hold all of it. It checks the form of the length only;
// ws.CheckHeader checks the rest.
func parseHeader(b []byte) (h ws.Header, size int, err error) {
	if len(b) < ws.MinHeaderSize {
		return h, 0, nil
	}
	h.Fin = b[0]&bitFin != 0
	h.Rsv = b[0] & 0x70 >> 4
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&bitMask != 0
	h.Length = int64(b[1] & bitsLen)
	if size, err = parseLength(b, &h.Length); size == 0 || err != nil {
		return h, 0, err
	}
	if !h.Masked {
		return h, size, nil
	}
	if len(b) < size+len(h.Mask) {
		return h, 0, nil
	}
	size += copy(h.Mask[:], b[size:])
	return h, size, nil
}

// parseLength replaces length, the 7 bits of it in b's second byte, by the extended
// length that follows, if there is one (RFC 6455 section 5.2). It returns the offset
// behind the length, or 0 if b does not hold all of it.
func parseLength(b []byte, length *int64) (end int, err error) {
	switch {
	case *length < 126:
		return 2, nil
	case *length == 126:
		if len(b) < 4 {
			return 0, nil
		}
		*length = int64(binary.BigEndian.Uint16(b[2:]))
		if *length < 126 {
			return 0, errNotMinimal
		}
		return 4, nil
	case len(b) < 10:
		return 0, nil
	}
	*length = int64(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // a negative one is refused below
	switch {
	case *length < 0:
		return 0, errLengthRange
	case *length <= 0xffff:
		return 0, errNotMinimal
	}
	return 10, nil
}
