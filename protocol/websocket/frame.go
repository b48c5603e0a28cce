package websocket

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// appendHeader appends the header of a whole, unmasked frame (RFC 6455 section
// 5.2).
func appendHeader(b []byte, op ws.OpCode, length int) []byte {
	b = append(b, bitFin|byte(op))
	switch {
	case length < 126:
		return append(b, byte(length)) //nolint:gosec // less than 126
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(length))
}

// appendFrame appends a whole, unmasked frame.
func appendFrame(b []byte, op ws.OpCode, payload []byte) []byte {
	return append(appendHeader(b, op, len(payload)), payload...)
}

// frameSize is the size of the whole frame of ours that b begins with.
func frameSize(b []byte) int {
	h, n, _ := parseHeader(b) //nolint:errcheck // we made it
	return n + int(h.Length)
}

// opOf is the opcode of a message's frame.
func opOf(k protocol.Kind) ws.OpCode {
	if k == protocol.KindBinary {
		return ws.OpBinary
	}
	return ws.OpText
}

// kindOf is the kind of the message that began with op.
func kindOf(op ws.OpCode) protocol.Kind {
	if op == ws.OpBinary {
		return protocol.KindBinary
	}
	return protocol.KindText
}

// variant names the encodings of this package in protocol.Prepared.
type variant uint8

const plain variant = 0

// encodePlain is the plain variant of a message: one frame.
func encodePlain(b []byte, m protocol.Message) []byte {
	return appendFrame(slices.Grow(b, ws.MaxHeaderSize+len(m.Data)), opOf(m.Kind), m.Data)
}

// appendClose appends a close frame. A code that may not be sent, such as
// CloseNoStatus, makes an empty one.
func appendClose(b []byte, s protocol.CloseStatus) []byte {
	if !s.Code.Sendable() {
		return appendHeader(b, ws.OpClose, 0)
	}
	b = appendHeader(b, ws.OpClose, 2+len(s.Reason))
	b = binary.BigEndian.AppendUint16(b, uint16(s.Code))
	return append(b, s.Reason...)
}

// parseClose reads the payload of a client's close frame (RFC 6455 sections
// 5.5.1 and 7.4). The error is the close that a bad one causes.
func parseClose(payload []byte) (protocol.CloseStatus, error) {
	switch {
	case len(payload) == 0:
		return protocol.CloseStatus{Code: protocol.CloseNoStatus, Remote: true}, nil
	case len(payload) == 1:
		return protocol.CloseStatus{}, protocol.Close(protocol.CloseProtocolError, "close frame with half a code")
	}
	code := protocol.CloseCode(binary.BigEndian.Uint16(payload))
	reason := payload[2:]
	switch {
	case !code.Receivable():
		return protocol.CloseStatus{}, protocol.Close(protocol.CloseProtocolError, "close frame with a code that must not be sent")
	case !utf8.Valid(reason):
		return protocol.CloseStatus{}, protocol.Close(protocol.CloseInvalidPayload, "close reason is not UTF-8")
	}
	return protocol.CloseStatus{Code: code, Reason: string(reason), Remote: true}, nil
}
