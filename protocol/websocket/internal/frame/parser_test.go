package frame

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// feed parses a piece of the stream, as a connection does after each read.
func feed(p *Parser, piece []byte) (items []frametest.Item, err error) {
	b := slices.Clone(piece)
	for len(b) > 0 {
		it, rest, ok, err := p.Next(b)
		if err != nil {
			return items, err
		}
		if !ok {
			break
		}
		items = append(items, frametest.Item{OpCode: it.OpCode, Data: string(it.Data)})
		b = rest
	}
	p.ReleaseBuffer()
	return items, nil
}

// feedAll parses all pieces with a new parser, up to an error. code is the close that
// the error causes, 0 without one.
func feedAll(maxMessage int, pieces ...[]byte) (items []frametest.Item, code protocol.CloseCode) {
	p := NewParser(newRules(bounds{maxMessage: maxMessage}))
	for _, piece := range pieces {
		got, err := feed(&p, piece)
		items = append(items, got...)
		if err != nil {
			return items, codeOf(err)
		}
	}
	return items, 0
}

// codeOf returns the close code in an error of this package.
func codeOf(err error) protocol.CloseCode {
	if ce, ok := errors.AsType[*protocol.CloseError](err); ok {
		return ce.Code
	}
	return protocol.CloseCode(1004)
}

func TestParser(t *testing.T) {
	t.Parallel()
	for _, row := range frametest.Rows() {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			checkRow(t, &row, "whole", row.In)
			checkRow(t, &row, "byte by byte", slices.Collect(slices.Chunk(row.In, 1))...)
			for i := range row.In {
				if i < 40 || i > len(row.In)-40 || i%4093 == 0 {
					checkRow(t, &row, fmt.Sprintf("cut at %d", i), row.In[:i], row.In[i:])
				}
			}
		})
	}
}

func checkRow(t *testing.T, r *frametest.Row, how string, pieces ...[]byte) {
	t.Helper()
	items, code := feedAll(r.MaxMessage(), pieces...)
	if !slices.Equal(items, r.Want) || code != r.Code {
		t.Fatalf("%s: %s, %s: got %.200q and close code %d, want %.200q and %d", r.At, r.Name, how, items, code, r.Want, r.Code)
	}
}

// TestParserLends makes sure that lent data stays valid while the parser goes on, once
// the parser has disowned it.
func TestParserLends(t *testing.T) {
	t.Parallel()
	p := NewParser(newRules(bounds{maxMessage: frametest.DefaultLimit}))
	it, rest, ok, err := p.Next(slices.Concat(frametest.Frame(1, "first "), frametest.Frame(frametest.Fin, "message"), frametest.Frame(1, "SECOND "), frametest.Frame(frametest.Fin, "MESSAGE")))
	if !ok || err != nil {
		t.Fatalf("first message: %v, %v", ok, err)
	}
	p.DisownBuffer()
	p.ReleaseBuffer()
	second, _, ok, err := p.Next(rest)
	if !ok || err != nil || string(second.Data) != "SECOND MESSAGE" {
		t.Fatalf("second message: %q, %v, %v", second.Data, ok, err)
	}
	if string(it.Data) != "first message" {
		t.Errorf("the first message has become %q", it.Data)
	}
}

// TestParserTakesLittleOnTrust makes sure that the parser reserves memory for what has
// come, not for what a header announces.
func TestParserTakesLittleOnTrust(t *testing.T) {
	t.Parallel()
	p := NewParser(newRules(bounds{maxMessage: 1 << 30}))
	if _, err := feed(&p, frametest.FrameWithLength(frametest.Fin|2, frametest.Length64(1<<30), "a")); err != nil {
		t.Fatal(err)
	}
	if n := p.BufferSize(); n > 256<<10 {
		t.Errorf("one byte of a message of 1 GiB has taken %d bytes", n)
	}
}

// TestParserHoldsNothing makes sure that a parser is small, and has memory only while
// something is incomplete.
func TestParserHoldsNothing(t *testing.T) {
	t.Parallel()
	if size := reflect.TypeFor[Parser]().Size(); size > 24 {
		t.Errorf("a parser has %d bytes, want at most 24", size)
	}
	for _, row := range frametest.Rows() {
		p := NewParser(newRules(bounds{maxMessage: row.MaxMessage()}))
		for i, c := range row.In[:min(len(row.In), 1000)] {
			if _, err := feed(&p, []byte{c}); err != nil {
				break
			}
			if held, incomplete := p.partial != nil, p.Incomplete() != 0; held != incomplete {
				t.Fatalf("%s: %s: behind byte %d: memory is held: %v, want %v", row.At, row.Name, i, held, incomplete)
			}
		}
	}
}

// TestParserBounds counts the frames of a message, and the control frames within one or
// since ResetControls.
func TestParserBounds(t *testing.T) {
	t.Parallel()
	begin, more, end, ping := frametest.Frame(0x01, "a"), frametest.Frame(0x00, ""), frametest.Frame(0x80, "z"), frametest.Frame(0x89, "")
	many := func(frame []byte, n int) []byte { return slices.Concat(slices.Repeat([][]byte{frame}, n)...) }
	rows := []struct {
		at    testkit.Line
		in    [][]byte // ResetControls is called after each
		err   error
		items int
	}{
		{testkit.Here(), [][]byte{slices.Concat(begin, many(more, 8), end, begin, many(more, 8), end)}, nil, 2},
		{testkit.Here(), [][]byte{slices.Concat(begin, many(more, 9), end)}, ErrFragments, 0},
		{testkit.Here(), [][]byte{slices.Concat(begin, many(more, 20))}, ErrFragments, 0},
		{testkit.Here(), [][]byte{slices.Concat(begin, many(ping, 5), end, many(ping, 5))}, nil, 11},
		{testkit.Here(), [][]byte{slices.Concat(begin, many(ping, 6))}, ErrControls, 5},
		{testkit.Here(), [][]byte{many(ping, 6)}, ErrControls, 5},
		{testkit.Here(), [][]byte{many(frametest.Frame(0x8a, "pong"), 6)}, ErrControls, 5},
		{testkit.Here(), [][]byte{many(ping, 5), many(ping, 5), many(ping, 6)}, ErrControls, 15},
		{testkit.Here(), [][]byte{slices.Concat(begin, many(ping, 3)), many(ping, 3)}, ErrControls, 5}, // ResetControls has no effect within a message
		{testkit.Here(), [][]byte{slices.Concat(many(ping, 5), begin, many(ping, 5), end)}, nil, 11},
		{testkit.Here(), [][]byte{slices.Concat(many(ping, 3), frametest.Frame(0x81, "whole"), many(ping, 5))}, nil, 9},
	}
	for _, row := range rows {
		p := NewParser(NewRules(&protocol.Limits{MaxMessage: 100, MaxFragments: 10, MaxControlFrames: 5}))
		var items []frametest.Item
		var err error
		for _, part := range row.in {
			if err == nil {
				var more []frametest.Item
				more, err = feed(&p, part)
				items = append(items, more...)
			}
			p.ResetControls()
		}
		if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) || len(items) != row.items {
			t.Errorf("%s: %d items and %v, want %d and %v", row.at, len(items), err, row.items, row.err)
		}
	}
}

// TestParserIncomplete makes sure that each incomplete message has a number of its own.
func TestParserIncomplete(t *testing.T) {
	t.Parallel()
	p := NewParser(NewRules(&protocol.Limits{MaxMessage: 100}))
	seen := map[uint32]bool{}
	for i, step := range []struct {
		in   []byte
		same bool // as the step before; else it is a new one, or none
		none bool
	}{
		{nil, false, true},
		{frametest.Frame(0x81, "hello")[:1], false, false},
		{frametest.Frame(0x81, "hello")[1:8], true, false},
		{frametest.Frame(0x81, "hello")[8:], false, true},
		{frametest.Frame(0x01, "a"), false, false},
		{frametest.Frame(0x89, "ping"), true, false},
		{frametest.Frame(0x00, ""), true, false},
		{frametest.Frame(0x80, ""), false, true},
		{frametest.Frame(0x89, "ping")[:7], false, false},
		{frametest.Frame(0x89, "ping")[7:], false, true},
		{append(frametest.Frame(0x81, "whole"), frametest.Frame(0x82, "begun")[:3]...), false, false},
	} {
		if _, err := feed(&p, step.in); err != nil {
			t.Fatal(err)
		}
		m := p.Incomplete()
		if (m == 0) != step.none || !step.none && seen[m] != step.same {
			t.Errorf("step %d: incomplete is %d, seen before: %v", i, m, seen[m])
		}
		seen[m] = true
	}
}
