package frame

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// AppendClose appends a close frame. If the code of s may not be sent, as
// protocol.CloseNoStatus, the frame's payload is empty. s.Reason must fit into a
// control frame (123 bytes of reason).
func AppendClose(b []byte, s protocol.CloseStatus) []byte {
	if !s.Code.Sendable() {
		return AppendHeader(b, ws.OpClose, 0)
	}
	b = AppendHeader(b, ws.OpClose, 2+len(s.Reason))
	b = binary.BigEndian.AppendUint16(b, uint16(s.Code))
	return append(b, s.Reason...)
}

// ParseClose parses the payload of a peer's close frame (RFC 6455 sections 5.5.1 and
// 7.4). An error is a [*protocol.CloseError]: the close to answer an invalid payload
// with.
func ParseClose(payload []byte) (protocol.CloseStatus, error) {
	switch {
	case len(payload) == 0:
		return protocol.CloseStatus{Code: protocol.CloseNoStatus, Remote: true}, nil
	case len(payload) == 1:
		return protocol.CloseStatus{}, protocol.NewCloseError(protocol.CloseProtocolError, "close frame with half a code")
	}
	code := protocol.CloseCode(binary.BigEndian.Uint16(payload))
	reason := payload[2:]
	switch {
	case !code.Receivable():
		return protocol.CloseStatus{}, protocol.NewCloseError(protocol.CloseProtocolError, "close frame with a code that must not be sent")
	case !utf8.Valid(reason):
		return protocol.CloseStatus{}, protocol.NewCloseError(protocol.CloseInvalidPayload, "close reason is not UTF-8")
	}
	return protocol.CloseStatus{Code: code, Reason: string(reason), Remote: true}, nil
}
