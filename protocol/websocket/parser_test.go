package websocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// headed is a client's frame with the length bytes that are given: the second
// byte, to which the mask bit is added, and what follows it.
func headed(first byte, length []byte, payload string) []byte {
	mask := [4]byte{0xa1, 0xb2, 0xc3, 0xd4}
	body := []byte(payload)
	ws.Cipher(body, mask, 0)
	return slices.Concat([]byte{first, length[0] | bitMask}, length[1:], mask[:], body)
}

// framed is a client's frame with its length in the shortest form.
func framed(first byte, payload string) []byte {
	switch n := len(payload); {
	case n < 126:
		return headed(first, []byte{byte(n)}, payload)
	case n <= 0xffff:
		return headed(first, length16(uint16(n)), payload)
	default:
		return headed(first, length64(uint64(n)), payload)
	}
}

func length16(n uint16) []byte { return binary.BigEndian.AppendUint16([]byte{126}, n) }
func length64(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{127}, n) }

func stream(frames ...[]byte) []byte { return slices.Concat(frames...) }

// said is an item as the tests compare them.
func said(op ws.OpCode, data string) string { return fmt.Sprintf("%x:%s", byte(op), data) }

// feed gives p a piece of the stream, as a connection does for each read.
func feed(p *parser, piece []byte) (items []string, err error) {
	b := slices.Clone(piece)
	for len(b) > 0 {
		it, rest, ok, err := p.next(b)
		if err != nil {
			return items, err
		}
		if !ok {
			break
		}
		items = append(items, said(it.op, string(it.data)))
		b = rest
	}
	p.rest()
	return items, nil
}

// feedAll gives a new parser all pieces, up to an error. code is the close that
// the error causes, 0 without one.
func feedAll(maxMessage int, pieces ...[]byte) (items []string, code protocol.CloseCode) {
	p := parser{maxMessage: maxMessage}
	for _, piece := range pieces {
		got, err := feed(&p, piece)
		items = append(items, got...)
		if err != nil {
			return items, codeOf(err)
		}
	}
	return items, 0
}

// codeOf is the code in the error of a parser, which always has one.
func codeOf(err error) protocol.CloseCode {
	if ce, ok := errors.AsType[*protocol.CloseError](err); ok {
		return ce.Code
	}
	return protocol.CloseReserved
}

const (
	fin  = bitFin
	limS = 1000 // the limit of rows that choose none
)

type parserRow struct {
	at    testkit.Line
	name  string
	in    []byte
	limit int
	want  []string
	code  protocol.CloseCode
}

func lengthRows() []parserRow {
	var rows []parserRow
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		body := strings.Repeat("a", n)
		rows = append(rows, parserRow{
			testkit.Here(), fmt.Sprintf("binary of %d", n), framed(fin|2, body), 1 << 20,
			[]string{said(ws.OpBinary, body)}, 0,
		}, parserRow{
			testkit.Here(), fmt.Sprintf("text of %d and a ping", n), stream(framed(fin|1, body), framed(fin|9, "p")), 1 << 20,
			[]string{said(ws.OpText, body), said(ws.OpPing, "p")}, 0,
		})
	}
	return append(rows,
		parserRow{testkit.Here(), "16 bits for 0", headed(fin|2, length16(0), ""), 0, nil, 1002},
		parserRow{testkit.Here(), "16 bits for 125", headed(fin|2, length16(125), strings.Repeat("a", 125)), 0, nil, 1002},
		parserRow{testkit.Here(), "64 bits for 0", headed(fin|2, length64(0), ""), 0, nil, 1002},
		parserRow{testkit.Here(), "64 bits for 126", headed(fin|2, length64(126), strings.Repeat("a", 126)), 0, nil, 1002},
		parserRow{testkit.Here(), "64 bits for 65535", headed(fin|2, length64(65535), ""), 1 << 20, nil, 1002},
		parserRow{testkit.Here(), "2^63", headed(fin|2, length64(1<<63), ""), 0, nil, 1002},
		parserRow{testkit.Here(), "2^64-1", headed(fin|2, length64(1<<64-1), ""), 0, nil, 1002},
		parserRow{testkit.Here(), "2^63-1", headed(fin|2, length64(1<<63-1), ""), 0, nil, 1009},
		parserRow{testkit.Here(), "2^32", headed(fin|2, length64(1<<32), ""), 0, nil, 1009},
		parserRow{testkit.Here(), "2^63-1 as a continuation", stream(framed(2, "a"), headed(fin, length64(1<<63-1), "")), 0, nil, 1009},
	)
}

func headerRows() []parserRow {
	rows := []parserRow{
		{testkit.Here(), "unmasked", []byte{fin | 1, 1, 'a'}, 0, nil, 1002},
		{testkit.Here(), "unmasked and empty", []byte{fin | 1, 0}, 0, nil, 1002},
		{testkit.Here(), "unmasked, 16 bits", append([]byte{fin | 1}, length16(126)...), 0, nil, 1002},
		{testkit.Here(), "unmasked close", []byte{fin | 8, 0}, 0, nil, 1002},
		{testkit.Here(), "a good one, then unmasked", stream(framed(fin|1, "a"), []byte{fin | 1, 1, 'a'}), 0, []string{said(ws.OpText, "a")}, 1002},
		{testkit.Here(), "nothing", nil, 0, nil, 0},
		{testkit.Here(), "half a header", []byte{fin | 1}, 0, nil, 0},
		{testkit.Here(), "a header without its mask", []byte{fin | 1, bitMask | 1, 1, 2, 3}, 0, nil, 0},
		{testkit.Here(), "a header without its payload", framed(fin|1, "a")[:6], 0, nil, 0},
		{testkit.Here(), "half a payload", framed(fin|1, "abcd")[:8], 0, nil, 0},
		{testkit.Here(), "a mask of zeros", []byte{fin | 1, bitMask | 2, 0, 0, 0, 0, 'h', 'i'}, 0, []string{said(ws.OpText, "hi")}, 0},
	}
	for _, rsv := range []byte{0x40, 0x20, 0x10, 0x70} {
		rows = append(rows,
			parserRow{testkit.Here(), fmt.Sprintf("reserved bits %#x", rsv), framed(fin|rsv|1, "a"), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("reserved bits %#x in a ping", rsv), framed(fin|rsv|9, "a"), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("reserved bits %#x in a continuation", rsv), stream(framed(1, "a"), framed(fin|rsv, "a")), 0, nil, 1002})
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		rows = append(rows,
			parserRow{testkit.Here(), fmt.Sprintf("opcode %d", op), framed(fin|op, "a"), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("opcode %d without FIN", op), framed(op, ""), 0, nil, 1002})
	}
	return rows
}

func controlRows() []parserRow {
	long := strings.Repeat("a", 125)
	rows := []parserRow{{
		testkit.Here(), "pings between fragments", stream(framed(1, "he"), framed(fin|9, "1"), framed(0, ""), framed(fin|9, "2"), framed(fin|10, "3"), framed(fin, "llo")), 0,
		[]string{said(ws.OpPing, "1"), said(ws.OpPing, "2"), said(ws.OpPong, "3"), said(ws.OpText, "hello")}, 0,
	}, {
		testkit.Here(), "a close within a message", stream(framed(1, "he"), framed(fin|8, "\x03\xe8bye")), 0,
		[]string{said(ws.OpClose, "\x03\xe8bye")}, 0,
	}, {
		testkit.Here(), "control frames in a row", stream(framed(fin|9, "x"), framed(fin|9, ""), framed(fin|10, "yz")), 0,
		[]string{said(ws.OpPing, "x"), said(ws.OpPing, ""), said(ws.OpPong, "yz")}, 0,
	}}
	for _, op := range []ws.OpCode{ws.OpClose, ws.OpPing, ws.OpPong} {
		first := fin | byte(op)
		rows = append(rows,
			parserRow{testkit.Here(), fmt.Sprintf("empty %#x", first), framed(first, ""), 0, []string{said(op, "")}, 0},
			parserRow{testkit.Here(), fmt.Sprintf("%#x of 125", first), framed(first, long), 10, []string{said(op, long)}, 0},
			parserRow{testkit.Here(), fmt.Sprintf("%#x of 126", first), framed(first, long+"a"), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("%#x of 2^63-1", first), headed(first, length64(1<<63-1), ""), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("%#x in 16 bits", first), headed(first, length16(1), "a"), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("%#x without FIN", first), framed(byte(op), "a"), 0, nil, 1002},
			parserRow{testkit.Here(), fmt.Sprintf("%#x that is not UTF-8", first), framed(first, "\xff\xfe\xfd"), 0, []string{said(op, "\xff\xfe\xfd")}, 0})
	}
	return rows
}

func fragmentRows() []parserRow {
	hello := []string{said(ws.OpText, "hello")}
	return []parserRow{
		{testkit.Here(), "two fragments", stream(framed(1, "hel"), framed(fin, "lo")), 0, hello, 0},
		{testkit.Here(), "a fragment for each byte", stream(framed(1, "h"), framed(0, "e"), framed(0, "l"), framed(0, "l"), framed(fin, "o")), 0, hello, 0},
		{testkit.Here(), "empty first fragment", stream(framed(1, ""), framed(fin, "hello")), 0, hello, 0},
		{testkit.Here(), "empty fragments", stream(framed(1, ""), framed(0, ""), framed(0, "hello"), framed(0, ""), framed(fin, "")), 0, hello, 0},
		{testkit.Here(), "nothing but empty fragments", stream(framed(1, ""), framed(0, ""), framed(fin, "")), 0, []string{said(ws.OpText, "")}, 0},
		{testkit.Here(), "binary fragments", stream(framed(2, "\xff"), framed(fin, "\x00")), 0, []string{said(ws.OpBinary, "\xff\x00")}, 0},
		{testkit.Here(), "two fragmented messages", stream(framed(1, "a"), framed(fin, "b"), framed(2, "c"), framed(fin, "d")), 0, []string{said(ws.OpText, "ab"), said(ws.OpBinary, "cd")}, 0},
		{testkit.Here(), "a whole message behind a fragmented one", stream(framed(1, "a"), framed(fin, "b"), framed(fin|1, "c")), 0, []string{said(ws.OpText, "ab"), said(ws.OpText, "c")}, 0},
		{testkit.Here(), "unfinished", stream(framed(1, "a"), framed(0, "b")), 0, nil, 0},
		{testkit.Here(), "continuation without a start", framed(fin, "a"), 0, nil, 1002},
		{testkit.Here(), "continuation without a start or an end", framed(0, "a"), 0, nil, 1002},
		{testkit.Here(), "continuation behind a whole message", stream(framed(fin|1, "a"), framed(fin, "b")), 0, []string{said(ws.OpText, "a")}, 1002},
		{testkit.Here(), "continuation behind a fragmented message", stream(framed(1, "a"), framed(fin, "b"), framed(fin, "c")), 0, []string{said(ws.OpText, "ab")}, 1002},
		{testkit.Here(), "text within a message", stream(framed(1, "a"), framed(fin|1, "b")), 0, nil, 1002},
		{testkit.Here(), "binary within a message", stream(framed(1, "a"), framed(2, "b")), 0, nil, 1002},
		{testkit.Here(), "text within a message that is empty so far", stream(framed(1, ""), framed(1, "b")), 0, nil, 1002},
		{testkit.Here(), "text within a message, behind a ping", stream(framed(1, "a"), framed(fin|9, ""), framed(fin|1, "b")), 0, []string{said(ws.OpPing, "")}, 1002},
	}
}

func limitRows() []parserRow {
	ten := strings.Repeat("a", 10)
	return []parserRow{
		{testkit.Here(), "as large as may be", framed(fin|1, ten), 10, []string{said(ws.OpText, ten)}, 0},
		{testkit.Here(), "one byte more", framed(fin|1, ten+"a"), 10, nil, 1009},
		{testkit.Here(), "too large, by the header alone", framed(fin|1, ten+"a")[:6], 10, nil, 1009},
		{testkit.Here(), "fragments as large as may be", stream(framed(1, "aaaaa"), framed(0, "aaaa"), framed(fin, "a")), 10, []string{said(ws.OpText, ten)}, 0},
		{testkit.Here(), "fragments of one byte more", stream(framed(1, "aaaaa"), framed(0, "aaaaa"), framed(fin, "a")), 10, nil, 1009},
		{testkit.Here(), "unfinished and already too large", stream(framed(1, ten), framed(0, "a")), 10, nil, 1009},
		{testkit.Here(), "full, and empty fragments behind", stream(framed(1, ten), framed(0, ""), framed(fin, "")), 10, []string{said(ws.OpText, ten)}, 0},
		{testkit.Here(), "the limit is of each message", stream(framed(fin|1, ten), framed(1, ten), framed(fin, ""), framed(fin|1, ten)), 10, []string{said(ws.OpText, ten), said(ws.OpText, ten), said(ws.OpText, ten)}, 0},
		{testkit.Here(), "a ping is no part of the message", stream(framed(1, ten), framed(fin|9, ten), framed(fin, "")), 10, []string{said(ws.OpPing, ten), said(ws.OpText, ten)}, 0},
	}
}

func textRows() []parserRow {
	const han = "世界 𝄞"
	return []parserRow{
		{testkit.Here(), "Chinese and a clef", framed(fin|1, han), 0, []string{said(ws.OpText, han)}, 0},
		{testkit.Here(), "a rune over two fragments", stream(framed(1, han[:1]), framed(fin, han[1:])), 0, []string{said(ws.OpText, han)}, 0},
		{testkit.Here(), "a rune over four fragments", stream(framed(1, "\xf0"), framed(0, "\x9d"), framed(0, "\x84"), framed(fin, "\x9e")), 0, []string{said(ws.OpText, "𝄞")}, 0},
		{testkit.Here(), "a byte that is none", framed(fin|1, "a\xffb"), 0, nil, 1007},
		{testkit.Here(), "half a rune at the end", framed(fin|1, han[:1]), 0, nil, 1007},
		{testkit.Here(), "a surrogate", framed(fin|1, "\xed\xa0\x80"), 0, nil, 1007},
		{testkit.Here(), "an overlong slash", framed(fin|1, "\xc0\xaf"), 0, nil, 1007},
		{testkit.Here(), "above the last rune", framed(fin|1, "\xf4\x90\x80\x80"), 0, nil, 1007},
		{testkit.Here(), "half a rune over fragments", stream(framed(1, "\xf0\x9d"), framed(fin, "\x84")), 0, nil, 1007},
		{testkit.Here(), "binary is not checked", framed(fin|2, "a\xff\xc0"), 0, []string{said(ws.OpBinary, "a\xff\xc0")}, 0},
		{testkit.Here(), "a NUL is text", framed(fin|1, "\x00"), 0, []string{said(ws.OpText, "\x00")}, 0},
	}
}

func TestParser(t *testing.T) {
	t.Parallel()
	rows := slices.Concat(lengthRows(), headerRows(), controlRows(), fragmentRows(), limitRows(), textRows())
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.limit == 0 {
				row.limit = limS
			}
			row.check(t, "whole", row.in)
			row.check(t, "byte by byte", slices.Collect(slices.Chunk(row.in, 1))...)
			for i := range row.in {
				if i < 40 || i > len(row.in)-40 || i%4093 == 0 {
					row.check(t, fmt.Sprintf("cut at %d", i), row.in[:i], row.in[i:])
				}
			}
		})
	}
}

func (r *parserRow) check(t *testing.T, how string, pieces ...[]byte) {
	t.Helper()
	items, code := feedAll(r.limit, pieces...)
	if !slices.Equal(items, r.want) || code != r.code {
		t.Fatalf("%s: %s, %s: got %.200q and close code %d, want %.200q and %d", r.at, r.name, how, items, code, r.want, r.code)
	}
}

// TestParserLends makes sure that what was lent stays as it is while the parser
// goes on, once it has been told to abandon it.
func TestParserLends(t *testing.T) {
	t.Parallel()
	p := parser{maxMessage: limS}
	it, rest, ok, err := p.next(stream(framed(1, "first "), framed(fin, "message"), framed(1, "SECOND "), framed(fin, "MESSAGE")))
	if !ok || err != nil {
		t.Fatalf("first message: %v, %v", ok, err)
	}
	p.abandon()
	p.rest()
	second, _, ok, err := p.next(rest)
	if !ok || err != nil || string(second.data) != "SECOND MESSAGE" {
		t.Fatalf("second message: %q, %v, %v", second.data, ok, err)
	}
	if string(it.data) != "first message" {
		t.Errorf("the first message has become %q", it.data)
	}
}

// TestParserTakesLittleOnTrust makes sure that memory follows what has come, and
// not what was announced.
func TestParserTakesLittleOnTrust(t *testing.T) {
	t.Parallel()
	p := parser{maxMessage: 1 << 30}
	if _, err := feed(&p, headed(fin|2, length64(1<<30), "a")); err != nil {
		t.Fatal(err)
	}
	if n := cap(p.body.b); n > 256<<10 {
		t.Errorf("one byte of a message of 1 GiB has taken %d bytes", n)
	}
}

// TestParserBounds counts the frames of a message and the control frames within
// one, or since it was told to forget them.
func TestParserBounds(t *testing.T) {
	t.Parallel()
	begin, more, end, ping := framed(0x01, "a"), framed(0x00, ""), framed(0x80, "z"), framed(0x89, "")
	many := func(frame []byte, n int) []byte { return slices.Concat(slices.Repeat([][]byte{frame}, n)...) }
	rows := []struct {
		at   testkit.Line
		in   [][]byte // between which calm is called
		err  error
		says int // items
	}{
		{testkit.Here(), [][]byte{stream(begin, many(more, 8), end, begin, many(more, 8), end)}, nil, 2},
		{testkit.Here(), [][]byte{stream(begin, many(more, 9), end)}, errFragments, 0},
		{testkit.Here(), [][]byte{stream(begin, many(more, 20))}, errFragments, 0},
		{testkit.Here(), [][]byte{stream(begin, many(ping, 5), end, many(ping, 5))}, nil, 11},
		{testkit.Here(), [][]byte{stream(begin, many(ping, 6))}, errControls, 5},
		{testkit.Here(), [][]byte{many(ping, 6)}, errControls, 5},
		{testkit.Here(), [][]byte{many(framed(0x8a, "pong"), 6)}, errControls, 5},
		{testkit.Here(), [][]byte{many(ping, 5), many(ping, 5), many(ping, 6)}, errControls, 15},
		{testkit.Here(), [][]byte{stream(begin, many(ping, 3)), many(ping, 3)}, errControls, 5}, // calm does not help within a message
		{testkit.Here(), [][]byte{stream(many(ping, 5), begin, many(ping, 5), end)}, nil, 11},
		{testkit.Here(), [][]byte{stream(many(ping, 3), framed(0x81, "whole"), many(ping, 5))}, nil, 9},
	}
	for _, row := range rows {
		p := newParser(&protocol.Limits{MaxMessage: 100, MaxFragments: 10, MaxControlFrames: 5})
		var said []string
		var err error
		for _, part := range row.in {
			if err == nil {
				var more []string
				more, err = feed(&p, part)
				said = append(said, more...)
			}
			p.calm()
		}
		if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) || len(said) != row.says {
			t.Errorf("%s: %d items and %v, want %d and %v", row.at, len(said), err, row.says, row.err)
		}
	}
}

// TestParserIncomplete names what is incomplete, and each message in another way.
func TestParserIncomplete(t *testing.T) {
	t.Parallel()
	p := newParser(&protocol.Limits{MaxMessage: 100})
	seen := map[uint32]bool{}
	for i, step := range []struct {
		in   []byte
		same bool // as the step before; else it is a new one, or none
		none bool
	}{
		{nil, false, true},
		{framed(0x81, "hello")[:1], false, false},
		{framed(0x81, "hello")[1:8], true, false},
		{framed(0x81, "hello")[8:], false, true},
		{framed(0x01, "a"), false, false},
		{framed(0x89, "ping"), true, false},
		{framed(0x00, ""), true, false},
		{framed(0x80, ""), false, true},
		{framed(0x89, "ping")[:7], false, false},
		{framed(0x89, "ping")[7:], false, true},
		{append(framed(0x81, "whole"), framed(0x82, "begun")[:3]...), false, false},
	} {
		if _, err := feed(&p, step.in); err != nil {
			t.Fatal(err)
		}
		m := p.incomplete()
		if (m == 0) != step.none || !step.none && seen[m] != step.same {
			t.Errorf("step %d: incomplete is %d, seen before: %v", i, m, seen[m])
		}
		seen[m] = true
	}
}
