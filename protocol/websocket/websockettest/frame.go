package websockettest

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/wye-go/wye/protocol"
)

// The parts of Frame.First: FIN marks the last frame of a message; the reserved bits;
// the opcodes.
const (
	FIN  = 0x80
	RSV1 = 0x40
	RSV2 = 0x20
	RSV3 = 0x10

	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa
)

// Frame is a WebSocket frame, which need not be valid. Frames can be compared with ==.
type Frame struct {
	First   byte   // FIN, reserved bits and opcode
	Payload string // without the mask
}

// Text returns the frame of a whole text message.
func Text(s string) Frame { return Frame{FIN | OpText, s} }

// Binary returns the frame of a whole binary message.
func Binary(s string) Frame { return Frame{FIN | OpBinary, s} }

// Ping returns a ping.
func Ping(s string) Frame { return Frame{FIN | OpPing, s} }

// Pong returns a pong.
func Pong(s string) Frame { return Frame{FIN | OpPong, s} }

// Close returns a close frame. The code need not be one that can be sent. A close frame
// without a code is Frame{First: FIN | OpClose}.
func Close(code protocol.CloseCode, reason string) Frame {
	return Frame{FIN | OpClose, string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason}
}

// Status returns the code and the reason of a close frame. The code is CloseNoStatus if
// the payload is too short.
func (f Frame) Status() (code protocol.CloseCode, reason string) {
	if len(f.Payload) < 2 {
		return protocol.CloseNoStatus, ""
	}
	return protocol.CloseCode(f.Payload[0])<<8 | protocol.CloseCode(f.Payload[1]), f.Payload[2:]
}

// String describes the frame in failures. It shortens long payloads.
func (f Frame) String() string {
	const most = 80
	payload := fmt.Sprintf("%q", f.Payload[:min(len(f.Payload), most)])
	if n := len(f.Payload); n > most {
		payload += fmt.Sprintf("... (%d bytes)", n)
	}
	switch f.First {
	case FIN | OpText:
		return "text " + payload
	case FIN | OpBinary:
		return "binary " + payload
	case FIN | OpPing:
		return "ping " + payload
	case FIN | OpPong:
		return "pong " + payload
	case FIN | OpClose:
		code, reason := f.Status()
		return fmt.Sprintf("close %d %q", code, reason)
	}
	return fmt.Sprintf("frame %#02x %s", f.First, payload)
}

// Masked returns the bytes of the frame as a client sends it: masked, with its length
// in the shortest form. The key is always the same.
func (f Frame) Masked() []byte { return f.MaskedWith([4]byte{0x37, 0xfa, 0x21, 0x3d}) }

// MaskedWith is Masked with another key.
func (f Frame) MaskedWith(key [4]byte) []byte {
	b := f.header(0x80, len(key))
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, f.Payload...)
	pad := bytes.Repeat(key[:], 256)
	for rest := b[at:]; len(rest) > 0; {
		rest = rest[subtle.XORBytes(rest, rest, pad):]
	}
	return b
}

// Unmasked returns the bytes of the frame as a server sends it. Clients must mask their
// frames, so a server must reject it.
func (f Frame) Unmasked() []byte { return append(f.header(0, 0), f.Payload...) }

// header encodes the header without the key, with room for that and for the payload.
func (f Frame) header(masked byte, key int) []byte {
	n := len(f.Payload)
	b := append(make([]byte, 0, 10+key+n), f.First)
	switch {
	case n < 126:
		return append(b, masked|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
}

// ReadFrame reads a frame of a server. It returns an error if a server must not send the
// frame: a mask, a reserved bit or opcode, a length that is not in the shortest form, a
// control frame that is fragmented or too long, or a text message that is not UTF-8. It
// returns io.EOF if r ends before the first byte.
func ReadFrame(r *bufio.Reader) (Frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{First: head[0]}
	length, err := readLength(r, head[1])
	if err != nil {
		return f, fmt.Errorf("frame %#02x: %w", f.First, err)
	}
	if err := f.check(length); err != nil {
		return f, fmt.Errorf("frame %#02x of %d bytes: %w", f.First, length, err)
	}
	payload := make([]byte, length)
	if err := readWhole(r, payload); err != nil {
		return f, fmt.Errorf("frame %#02x of %d bytes: %w", f.First, length, err)
	}
	f.Payload = string(payload)
	if f.First == FIN|OpText && !utf8.ValidString(f.Payload) {
		return f, fmt.Errorf("%v: it is not UTF-8 (RFC 6455, section 8.1)", f)
	}
	return f, nil
}

// readLength returns the length of a payload. short is its first byte.
func readLength(r io.Reader, short byte) (uint64, error) {
	switch {
	case short&0x80 != 0:
		return 0, errors.New("a server's frame is masked (RFC 6455, section 5.1)")
	case short < 126:
		return uint64(short), nil
	}
	size, least := 2, uint64(126)
	if short == 127 {
		size, least = 8, 1<<16
	}
	var b [8]byte
	if err := readWhole(r, b[8-size:]); err != nil {
		return 0, err
	}
	length := binary.BigEndian.Uint64(b[:])
	if length < least {
		return 0, fmt.Errorf("a length of %d takes %d bytes (RFC 6455, section 5.2)", length, size)
	}
	return length, nil
}

// readWhole fills b. It returns io.ErrUnexpectedEOF, not io.EOF, if r ends before.
func readWhole(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// check returns an error if a server's frame must not have this header.
func (f Frame) check(length uint64) error {
	const largest = 1 << 30
	control := f.First&0x08 != 0
	switch {
	case f.First&(RSV1|RSV2|RSV3) != 0:
		return errors.New("it has a reserved bit (RFC 6455, section 5.2)")
	case f.First&0x07 > OpBinary:
		return errors.New("it has a reserved opcode (RFC 6455, section 5.2)")
	case control && (f.First&FIN == 0 || length > 125):
		return errors.New("a control frame is fragmented or too long (RFC 6455, section 5.5)")
	case length > largest:
		return errors.New("it is longer than 1 GiB")
	}
	return nil
}
