// Package frametest has what tests of WebSocket frames share: frames of clients, the
// cases that a parser of them has to get right, and a reference that reads them the
// naive way. It does not import package frame.
package frametest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// Item is a message or a control frame.
type Item struct {
	OpCode ws.OpCode
	Data   string
}

// IsMessage reports whether i is a message.
func (i Item) IsMessage() bool { return i.OpCode == ws.OpText || i.OpCode == ws.OpBinary }

// DefaultLimit is the MaxMessage of rows that choose none.
const DefaultLimit = 1000

// Row is a stream of bytes from a client, and what a parser makes of it.
type Row struct {
	At    testkit.Line
	Name  string
	In    []byte
	Limit int // MaxMessage, 0: DefaultLimit
	Want  []Item
	Code  protocol.CloseCode // of the error behind them, 0: none
}

// MaxMessage returns the limit of the row.
func (r *Row) MaxMessage() int {
	if r.Limit == 0 {
		return DefaultLimit
	}
	return r.Limit
}

// Rows returns all rows.
func Rows() []Row {
	return slices.Concat(lengthRows(), HeaderRows(), ControlRows(), fragmentRows(), limitRows(), textRows())
}

func lengthRows() []Row {
	var rows []Row
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		body := strings.Repeat("a", n)
		rows = append(rows, Row{
			testkit.Here(), fmt.Sprintf("binary of %d", n), Frame(Fin|2, body), 1 << 20,
			[]Item{{ws.OpBinary, body}}, 0,
		}, Row{
			testkit.Here(), fmt.Sprintf("text of %d and a ping", n), slices.Concat(Frame(Fin|1, body), Frame(Fin|9, "p")), 1 << 20,
			[]Item{{ws.OpText, body}, {ws.OpPing, "p"}}, 0,
		})
	}
	return append(rows,
		Row{testkit.Here(), "16 bits for 0", FrameWithLength(Fin|2, Length16(0), ""), 0, nil, 1002},
		Row{testkit.Here(), "16 bits for 125", FrameWithLength(Fin|2, Length16(125), strings.Repeat("a", 125)), 0, nil, 1002},
		Row{testkit.Here(), "64 bits for 0", FrameWithLength(Fin|2, Length64(0), ""), 0, nil, 1002},
		Row{testkit.Here(), "64 bits for 126", FrameWithLength(Fin|2, Length64(126), strings.Repeat("a", 126)), 0, nil, 1002},
		Row{testkit.Here(), "64 bits for 65535", FrameWithLength(Fin|2, Length64(65535), ""), 1 << 20, nil, 1002},
		Row{testkit.Here(), "2^63", FrameWithLength(Fin|2, Length64(1<<63), ""), 0, nil, 1002},
		Row{testkit.Here(), "2^64-1", FrameWithLength(Fin|2, Length64(1<<64-1), ""), 0, nil, 1002},
		Row{testkit.Here(), "2^63-1", FrameWithLength(Fin|2, Length64(1<<63-1), ""), 0, nil, 1009},
		Row{testkit.Here(), "2^32", FrameWithLength(Fin|2, Length64(1<<32), ""), 0, nil, 1009},
		Row{testkit.Here(), "2^63-1 as a continuation", slices.Concat(Frame(2, "a"), FrameWithLength(Fin, Length64(1<<63-1), "")), 0, nil, 1009},
	)
}

// HeaderRows are about headers.
func HeaderRows() []Row {
	rows := []Row{
		{testkit.Here(), "unmasked", []byte{Fin | 1, 1, 'a'}, 0, nil, 1002},
		{testkit.Here(), "unmasked and empty", []byte{Fin | 1, 0}, 0, nil, 1002},
		{testkit.Here(), "unmasked, 16 bits", append([]byte{Fin | 1}, Length16(126)...), 0, nil, 1002},
		{testkit.Here(), "unmasked close", []byte{Fin | 8, 0}, 0, nil, 1002},
		{testkit.Here(), "a good one, then unmasked", slices.Concat(Frame(Fin|1, "a"), []byte{Fin | 1, 1, 'a'}), 0, []Item{{ws.OpText, "a"}}, 1002},
		{testkit.Here(), "nothing", nil, 0, nil, 0},
		{testkit.Here(), "half a header", []byte{Fin | 1}, 0, nil, 0},
		{testkit.Here(), "a header without its mask", []byte{Fin | 1, bitMasked | 1, 1, 2, 3}, 0, nil, 0},
		{testkit.Here(), "a header without its payload", Frame(Fin|1, "a")[:6], 0, nil, 0},
		{testkit.Here(), "half a payload", Frame(Fin|1, "abcd")[:8], 0, nil, 0},
		{testkit.Here(), "a mask of zeros", []byte{Fin | 1, bitMasked | 2, 0, 0, 0, 0, 'h', 'i'}, 0, []Item{{ws.OpText, "hi"}}, 0},
	}
	for _, rsv := range []byte{0x40, 0x20, 0x10, 0x70} {
		rows = append(rows,
			Row{testkit.Here(), fmt.Sprintf("reserved bits %#x", rsv), Frame(Fin|rsv|1, "a"), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("reserved bits %#x in a ping", rsv), Frame(Fin|rsv|9, "a"), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("reserved bits %#x in a continuation", rsv), slices.Concat(Frame(1, "a"), Frame(Fin|rsv, "a")), 0, nil, 1002})
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		rows = append(rows,
			Row{testkit.Here(), fmt.Sprintf("opcode %d", op), Frame(Fin|op, "a"), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("opcode %d without FIN", op), Frame(op, ""), 0, nil, 1002})
	}
	return rows
}

// ControlRows are about control frames.
func ControlRows() []Row {
	long := strings.Repeat("a", 125)
	rows := []Row{{
		testkit.Here(), "pings between fragments", slices.Concat(Frame(1, "he"), Frame(Fin|9, "1"), Frame(0, ""), Frame(Fin|9, "2"), Frame(Fin|10, "3"), Frame(Fin, "llo")), 0,
		[]Item{{ws.OpPing, "1"}, {ws.OpPing, "2"}, {ws.OpPong, "3"}, {ws.OpText, "hello"}}, 0,
	}, {
		testkit.Here(), "a close within a message", slices.Concat(Frame(1, "he"), Frame(Fin|8, "\x03\xe8bye")), 0,
		[]Item{{ws.OpClose, "\x03\xe8bye"}}, 0,
	}, {
		testkit.Here(), "control frames in a row", slices.Concat(Frame(Fin|9, "x"), Frame(Fin|9, ""), Frame(Fin|10, "yz")), 0,
		[]Item{{ws.OpPing, "x"}, {ws.OpPing, ""}, {ws.OpPong, "yz"}}, 0,
	}}
	for _, op := range []ws.OpCode{ws.OpClose, ws.OpPing, ws.OpPong} {
		first := Fin | byte(op)
		rows = append(rows,
			Row{testkit.Here(), fmt.Sprintf("empty %#x", first), Frame(first, ""), 0, []Item{{op, ""}}, 0},
			Row{testkit.Here(), fmt.Sprintf("%#x of 125", first), Frame(first, long), 10, []Item{{op, long}}, 0},
			Row{testkit.Here(), fmt.Sprintf("%#x of 126", first), Frame(first, long+"a"), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("%#x of 2^63-1", first), FrameWithLength(first, Length64(1<<63-1), ""), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("%#x in 16 bits", first), FrameWithLength(first, Length16(1), "a"), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("%#x without FIN", first), Frame(byte(op), "a"), 0, nil, 1002},
			Row{testkit.Here(), fmt.Sprintf("%#x that is not UTF-8", first), Frame(first, "\xff\xfe\xfd"), 0, []Item{{op, "\xff\xfe\xfd"}}, 0})
	}
	return rows
}

func fragmentRows() []Row {
	hello := []Item{{ws.OpText, "hello"}}
	return []Row{
		{testkit.Here(), "two fragments", slices.Concat(Frame(1, "hel"), Frame(Fin, "lo")), 0, hello, 0},
		{testkit.Here(), "a fragment for each byte", slices.Concat(Frame(1, "h"), Frame(0, "e"), Frame(0, "l"), Frame(0, "l"), Frame(Fin, "o")), 0, hello, 0},
		{testkit.Here(), "empty first fragment", slices.Concat(Frame(1, ""), Frame(Fin, "hello")), 0, hello, 0},
		{testkit.Here(), "empty fragments", slices.Concat(Frame(1, ""), Frame(0, ""), Frame(0, "hello"), Frame(0, ""), Frame(Fin, "")), 0, hello, 0},
		{testkit.Here(), "nothing but empty fragments", slices.Concat(Frame(1, ""), Frame(0, ""), Frame(Fin, "")), 0, []Item{{ws.OpText, ""}}, 0},
		{testkit.Here(), "binary fragments", slices.Concat(Frame(2, "\xff"), Frame(Fin, "\x00")), 0, []Item{{ws.OpBinary, "\xff\x00"}}, 0},
		{testkit.Here(), "two fragmented messages", slices.Concat(Frame(1, "a"), Frame(Fin, "b"), Frame(2, "c"), Frame(Fin, "d")), 0, []Item{{ws.OpText, "ab"}, {ws.OpBinary, "cd"}}, 0},
		{testkit.Here(), "a whole message behind a fragmented one", slices.Concat(Frame(1, "a"), Frame(Fin, "b"), Frame(Fin|1, "c")), 0, []Item{{ws.OpText, "ab"}, {ws.OpText, "c"}}, 0},
		{testkit.Here(), "unfinished", slices.Concat(Frame(1, "a"), Frame(0, "b")), 0, nil, 0},
		{testkit.Here(), "continuation without a start", Frame(Fin, "a"), 0, nil, 1002},
		{testkit.Here(), "continuation without a start or an end", Frame(0, "a"), 0, nil, 1002},
		{testkit.Here(), "continuation behind a whole message", slices.Concat(Frame(Fin|1, "a"), Frame(Fin, "b")), 0, []Item{{ws.OpText, "a"}}, 1002},
		{testkit.Here(), "continuation behind a fragmented message", slices.Concat(Frame(1, "a"), Frame(Fin, "b"), Frame(Fin, "c")), 0, []Item{{ws.OpText, "ab"}}, 1002},
		{testkit.Here(), "text within a message", slices.Concat(Frame(1, "a"), Frame(Fin|1, "b")), 0, nil, 1002},
		{testkit.Here(), "binary within a message", slices.Concat(Frame(1, "a"), Frame(2, "b")), 0, nil, 1002},
		{testkit.Here(), "text within a message that is empty so far", slices.Concat(Frame(1, ""), Frame(1, "b")), 0, nil, 1002},
		{testkit.Here(), "text within a message, behind a ping", slices.Concat(Frame(1, "a"), Frame(Fin|9, ""), Frame(Fin|1, "b")), 0, []Item{{ws.OpPing, ""}}, 1002},
	}
}

func limitRows() []Row {
	ten := strings.Repeat("a", 10)
	return []Row{
		{testkit.Here(), "as large as may be", Frame(Fin|1, ten), 10, []Item{{ws.OpText, ten}}, 0},
		{testkit.Here(), "one byte more", Frame(Fin|1, ten+"a"), 10, nil, 1009},
		{testkit.Here(), "too large, by the header alone", Frame(Fin|1, ten+"a")[:6], 10, nil, 1009},
		{testkit.Here(), "fragments as large as may be", slices.Concat(Frame(1, "aaaaa"), Frame(0, "aaaa"), Frame(Fin, "a")), 10, []Item{{ws.OpText, ten}}, 0},
		{testkit.Here(), "fragments of one byte more", slices.Concat(Frame(1, "aaaaa"), Frame(0, "aaaaa"), Frame(Fin, "a")), 10, nil, 1009},
		{testkit.Here(), "unfinished and already too large", slices.Concat(Frame(1, ten), Frame(0, "a")), 10, nil, 1009},
		{testkit.Here(), "full, and empty fragments behind", slices.Concat(Frame(1, ten), Frame(0, ""), Frame(Fin, "")), 10, []Item{{ws.OpText, ten}}, 0},
		{testkit.Here(), "the limit is of each message", slices.Concat(Frame(Fin|1, ten), Frame(1, ten), Frame(Fin, ""), Frame(Fin|1, ten)), 10, []Item{{ws.OpText, ten}, {ws.OpText, ten}, {ws.OpText, ten}}, 0},
		{testkit.Here(), "a ping is no part of the message", slices.Concat(Frame(1, ten), Frame(Fin|9, ten), Frame(Fin, "")), 10, []Item{{ws.OpPing, ten}, {ws.OpText, ten}}, 0},
	}
}

func textRows() []Row {
	const han = "世界 𝄞"
	return []Row{
		{testkit.Here(), "Chinese and a clef", Frame(Fin|1, han), 0, []Item{{ws.OpText, han}}, 0},
		{testkit.Here(), "a rune over two fragments", slices.Concat(Frame(1, han[:1]), Frame(Fin, han[1:])), 0, []Item{{ws.OpText, han}}, 0},
		{testkit.Here(), "a rune over four fragments", slices.Concat(Frame(1, "\xf0"), Frame(0, "\x9d"), Frame(0, "\x84"), Frame(Fin, "\x9e")), 0, []Item{{ws.OpText, "𝄞"}}, 0},
		{testkit.Here(), "a byte that is none", Frame(Fin|1, "a\xffb"), 0, nil, 1007},
		{testkit.Here(), "half a rune at the end", Frame(Fin|1, han[:1]), 0, nil, 1007},
		{testkit.Here(), "a surrogate", Frame(Fin|1, "\xed\xa0\x80"), 0, nil, 1007},
		{testkit.Here(), "an overlong slash", Frame(Fin|1, "\xc0\xaf"), 0, nil, 1007},
		{testkit.Here(), "above the last rune", Frame(Fin|1, "\xf4\x90\x80\x80"), 0, nil, 1007},
		{testkit.Here(), "half a rune over fragments", slices.Concat(Frame(1, "\xf0\x9d"), Frame(Fin, "\x84")), 0, nil, 1007},
		{testkit.Here(), "binary is not checked", Frame(Fin|2, "a\xff\xc0"), 0, []Item{{ws.OpBinary, "a\xff\xc0"}}, 0},
		{testkit.Here(), "a NUL is text", Frame(Fin|1, "\x00"), 0, []Item{{ws.OpText, "\x00"}}, 0},
	}
}
