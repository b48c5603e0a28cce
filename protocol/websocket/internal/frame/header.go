package frame

import (
	"encoding/binary"
	"errors"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

var (
	errNotMinimal  = protocol.NewCloseError(protocol.CloseProtocolError, "frame length not in its shortest form")
	errReserved    = protocol.NewCloseError(protocol.CloseProtocolError, "a reserved bit is set that means nothing in this frame")
	errLengthRange = protocol.NewCloseError(protocol.CloseProtocolError, "frame length out of range")
)

const (
	bitFin     = 0x80
	bitsRsv    = 0x70
	bitRsv1    = 0x40 // RFC 7692: the message is compressed
	bitsOpCode = 0x0f
	bitControl = 0x08
	bitMask    = 0x80
	bitsLen    = 0x7f
)

// header is that of a frame.
type header struct {
	first  byte // FIN, the reserved bits and the opcode
	masked bool
	mask   uint32 // its first byte is the lowest
	length int64  // of the payload
}

func (h *header) fin() bool         { return h.first&bitFin != 0 }
func (h *header) opCode() ws.OpCode { return ws.OpCode(h.first & bitsOpCode) }
func (h *header) isControl() bool   { return h.first&bitControl != 0 }

// check checks all but the length of a data frame. fragmented says that the frame comes
// within a message.
//
// Without ws.StateExtended, ws.CheckHeader refuses all reserved bits. With that flag it would
// accept any, so checkFrame clears the bit that may be set instead.
func (h *header) check(fragmented bool) error {
	state := ws.StateServerSide
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	err := ws.CheckHeader(ws.Header{
		Fin: h.fin(), Rsv: h.first & bitsRsv >> 4, OpCode: h.opCode(),
		Masked: h.masked, Length: h.length,
	}, state)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ws.ErrProtocolNonZeroRsv): // its text denies that there is an extension
		return errReserved
	}
	return protocol.NewCloseError(protocol.CloseProtocolError, err.Error())
}

// parseHeader parses the frame header at the front of b. It returns the header's
// size, or 0 if b does not hold all of it. It checks the form of the length only;
// header.check checks the rest.
func parseHeader(b []byte) (h header, size int, err error) {
	if len(b) < ws.MinHeaderSize {
		return h, 0, nil
	}
	h.first, h.masked, h.length = b[0], b[1]&bitMask != 0, int64(b[1]&bitsLen)
	size = ws.MinHeaderSize
	if h.length > 125 {
		if h.length, size, err = parseLength(b, h.length); size == 0 || err != nil {
			return h, 0, err
		}
	}
	if !h.masked {
		return h, size, nil
	}
	if len(b) < size+4 {
		return h, 0, nil
	}
	h.mask = binary.LittleEndian.Uint32(b[size:])
	return h, size + 4, nil
}

// parseLength parses the extended length behind the first two bytes of b (RFC 6455
// section 5.2). short are the 7 bits of the length in the second byte. parseLength
// returns the offset behind the length, or 0 if b does not hold all of it.
func parseLength(b []byte, short int64) (length int64, end int, err error) {
	switch {
	case short == 126:
		if len(b) < 4 {
			return 0, 0, nil
		}
		length = int64(binary.BigEndian.Uint16(b[2:]))
		if length < 126 {
			return 0, 0, errNotMinimal
		}
		return length, 4, nil
	case len(b) < 10:
		return 0, 0, nil
	}
	length = int64(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // a negative one is refused below
	switch {
	case length < 0:
		return 0, 0, errLengthRange
	case length <= 0xffff:
		return 0, 0, errNotMinimal
	}
	return length, 10, nil
}
