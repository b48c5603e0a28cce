// Package frame holds the few lines of RFC 6455 that the floor and the load
// generator have in common: the frame header and the accept key. It validates
// nothing beyond what it needs to find the end of a frame, because both
// programs measure other people's servers and are not servers themselves.
package frame

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
)

// Opcodes of RFC 6455, section 5.2.
const (
	OpText  = 0x1
	OpClose = 0x8
	OpPing  = 0x9
	OpPong  = 0xA
)

const (
	// Fin is the bit of the first byte that ends a message.
	Fin = 0x80
	// MaskBit is the bit of the second byte that announces a masking key.
	MaskBit = 0x80
	// MaxHeader is the length of the longest header, mask included.
	MaxHeader = 14
	// MaxPayload is the longest payload the two programs accept.
	MaxPayload = 1 << 17
)

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Header is a parsed frame header.
type Header struct {
	// First is the first byte as received: FIN, RSV and opcode.
	First byte
	// Masked tells whether Mask holds a masking key.
	Masked bool
	// Mask is the masking key, zero if the frame is not masked.
	Mask [4]byte
	// Len is the number of bytes the header takes up.
	Len int
	// Payload is the number of bytes that follow the header.
	Payload int
}

// Op returns the opcode.
func (h Header) Op() byte { return h.First & 0x0f }

// Control tells whether the frame is a ping, a pong or a close.
func (h Header) Control() bool { return h.First&0x08 != 0 }

// Size returns the length of the whole frame.
func (h Header) Size() int { return h.Len + h.Payload }

// Parse reads the header at the start of b. It returns false, and no error, if
// b ends before the header does; the payload may still be missing.
func Parse(b []byte) (h Header, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h = Header{First: b[0], Masked: b[1]&MaskBit != 0, Len: 2, Payload: int(b[1] &^ MaskBit)}
	switch h.Payload {
	case 126:
		h.Len = 4
	case 127:
		h.Len = 10
	}
	ext := h.Len
	if h.Masked {
		h.Len += 4
	}
	if len(b) < h.Len {
		return h, false, nil
	}
	switch ext {
	case 4:
		h.Payload = int(binary.BigEndian.Uint16(b[2:]))
	case 10:
		n := binary.BigEndian.Uint64(b[2:])
		if n > MaxPayload {
			return h, false, fmt.Errorf("frame of %d bytes, more than %d", n, MaxPayload)
		}
		h.Payload = int(n)
	}
	if h.Masked {
		copy(h.Mask[:], b[ext:])
	}
	return h, true, nil
}

// HeaderLen returns the length of the unmasked header of a payload of n bytes.
func HeaderLen(n int) int {
	switch {
	case n < 126:
		return 2
	case n < 1<<16:
		return 4
	default:
		return 10
	}
}

// PutHeader writes the unmasked header of a payload of n bytes to b, which must
// have room for it, and returns its length.
func PutHeader(b []byte, first byte, n int) int {
	b[0] = first
	switch hl := HeaderLen(n); hl {
	case 2:
		b[1] = byte(n)
		return hl
	case 4:
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
		return hl
	default:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
		return hl
	}
}

// AppendHeader appends the header of a payload of n bytes, masked with mask
// unless that is nil.
func AppendHeader(b []byte, first byte, n int, mask *[4]byte) []byte {
	at := len(b)
	var hdr [MaxHeader]byte
	b = append(b, hdr[:PutHeader(hdr[:], first, n)]...)
	if mask != nil {
		b[at+1] |= MaskBit
		b = append(b, mask[:]...)
	}
	return b
}

// AppendAccept appends the Sec-WebSocket-Accept that answers a
// Sec-WebSocket-Key.
func AppendAccept(b, key []byte) []byte {
	sum := sha1.Sum(append(slices.Clip(key), guid...))
	return base64.StdEncoding.AppendEncode(b, sum[:])
}
