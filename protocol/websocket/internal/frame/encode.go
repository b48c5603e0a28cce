package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// AppendHeader appends the header of an unmasked frame that is not fragmented (RFC
// 6455 section 5.2).
func AppendHeader(b []byte, op ws.OpCode, length int) []byte {
	b = append(b, bitFin|byte(op))
	switch {
	case length < 126:
		return append(b, byte(length)) //nolint:gosec // less than 126
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(length))
}

// Append appends an unmasked frame that is not fragmented.
func Append(b []byte, op ws.OpCode, payload []byte) []byte {
	return append(AppendHeader(b, op, len(payload)), payload...)
}

// EncodedSize returns the size of the frame that Append appends for a payload of n bytes.
func EncodedSize(n int) int {
	switch {
	case n < 126:
		return 2 + n
	case n <= 0xffff:
		return 4 + n
	}
	return 10 + n
}

// OpCodeOf returns the opcode of a message's first frame.
func OpCodeOf(k protocol.Kind) ws.OpCode {
	if k == protocol.KindBinary {
		return ws.OpBinary
	}
	return ws.OpText
}

// Compressed returns op for the first frame of a message that is compressed (RFC 7692).
func Compressed(op ws.OpCode) ws.OpCode { return op | bitRsv1 }

// KindOf returns the kind of a message whose first frame has the opcode op.
func KindOf(op ws.OpCode) protocol.Kind {
	if op == ws.OpBinary {
		return protocol.KindBinary
	}
	return protocol.KindText
}
