package frametest

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/gobwas/ws"
)

// Bits of a frame's first and second byte.
const (
	Fin       = 0x80
	bitMasked = 0x80
)

// Frame returns the masked frame of a client with the given first byte.
func Frame(first byte, payload string) []byte {
	switch n := len(payload); {
	case n < 126:
		return FrameWithLength(first, []byte{byte(n)}, payload)
	case n <= 0xffff:
		return FrameWithLength(first, Length16(uint16(n)), payload)
	default:
		return FrameWithLength(first, Length64(uint64(n)), payload)
	}
}

// FrameWithLength returns a frame the header of which has the given bytes as its
// length, whatever the payload is: the second byte, to which the mask bit is added,
// and the extended length.
func FrameWithLength(first byte, length []byte, payload string) []byte {
	mask := [4]byte{0xa1, 0xb2, 0xc3, 0xd4}
	body := []byte(payload)
	ws.Cipher(body, mask, 0)
	return slices.Concat([]byte{first, length[0] | bitMasked}, length[1:], mask[:], body)
}

// Length16 returns a length in the form of 16 bits.
func Length16(n uint16) []byte { return binary.BigEndian.AppendUint16([]byte{126}, n) }

// Length64 returns a length in the form of 64 bits.
func Length64(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{127}, n) }

// Pieces cuts in into pieces: each byte of sizes, plus one, is the size of a piece, and
// they repeat. The last piece is what remains.
func Pieces(in, sizes []byte) (pieces [][]byte) {
	for i := 0; len(in) > 0 && len(sizes) > 0; i++ {
		n := min(len(in), int(sizes[i%len(sizes)])+1)
		pieces = append(pieces, in[:n])
		in = in[n:]
	}
	return append(pieces, in)
}

// BrokenText returns text that can be refused before its message is complete, and
// text that cannot.
func BrokenText() (streams [][]byte) {
	ping := Frame(Fin|9, "behind")
	for _, bad := range []string{"a\xff", "\xc0", "\xed\xa0", "\xe0\x80", "\xf4\x90", "\xf0\x8f", "\xf5", "世\xe4\xb8\x40", "世\xe4\xb8", "\xf0\x9d\x84", "世"} {
		whole := Frame(Fin|1, bad+strings.Repeat("a", 200))
		split := slices.Concat(Frame(1, bad[:len(bad)-1]), Frame(0, bad[len(bad)-1:]), ping)
		streams = append(streams, slices.Concat(Frame(1, bad), ping), split, whole[:8+len(bad)], whole[:8+len(bad)-1], whole)
	}
	return streams
}
