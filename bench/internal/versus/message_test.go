package versus

import (
	"bytes"
	"strconv"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/frame"
)

// message is what a client says.
type message struct {
	size, data string // as in the benchmark's name
	op         byte
	payload    []byte
}

// name is that of the benchmarks with it.
func (m message) name() string { return "size=" + m.size + "/data=" + m.data }

const opBinary = 2

func text(size int, data, words string) message {
	return message{sizeName(size), data, frame.OpText, fill(size, words)}
}

func bytesOf(size int) message {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*167 + i>>8) // all values, most of them no UTF-8
	}
	return message{sizeName(size), "binary", opBinary, b}
}

func sizeName(n int) string {
	if n >= 1<<10 && n%(1<<10) == 0 {
		return strconv.Itoa(n>>10) + "Ki"
	}
	return strconv.Itoa(n)
}

const (
	english = "The quick brown fox jumps over the lazy dog. "
	chinese = "敏捷的棕色狐狸跳过了那只懒惰的狗。"
)

// fill repeats words up to the size. A character that does not fit is replaced
// by spaces.
func fill(size int, words string) []byte {
	b := bytes.Repeat([]byte(words), size/len(words)+1)[:size]
	cut := bytes.ToValidUTF8(b, nil)
	return append(cut, bytes.Repeat([]byte(" "), size-len(cut))...)
}

// masked appends the frame in which a client sends m.
func (m message) masked(b []byte, key [4]byte) []byte {
	b = frame.AppendHeader(b, frame.Fin|m.op, len(m.payload), &key)
	at := len(b)
	b = append(b, m.payload...)
	ws.Cipher(b[at:], key, 0)
	return b
}

// unmasked is the frame in which a server returns m.
func (m message) unmasked() []byte {
	return append(frame.AppendHeader(nil, frame.Fin|m.op, len(m.payload), nil), m.payload...)
}
