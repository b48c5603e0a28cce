package frame

import (
	"bytes"
	"compress/flate"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

const (
	fin  = frametest.Fin
	rsv1 = bitRsv1
)

// deflated returns text compressed, at the end of window.
func deflated(text, window string) string {
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, 9, []byte(window))
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(text))
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// inflating returns a parser that inflates messages of up to most bytes.
func inflating(most int, i Inflate) Parser {
	i.On = true
	return NewParser(newRules(bounds{maxMessage: most, inflate: i}))
}

// feedSlowly is feed for compressed messages, with the largest amount of work that one call
// of Next has done, and the largest memory.
func feedSlowly(p *Parser, piece []byte) (items []frametest.Item, work, memory int, err error) {
	for b := slices.Clone(piece); len(b) > 0; {
		it, rest, ok, err := p.Next(b)
		w, long := p.TakeWork()
		work = max(work, w.Inflated)
		memory = max(memory, p.BufferSize())
		if err != nil {
			return items, work, memory, err
		}
		if !ok && len(rest) > 0 && !long {
			return items, work, memory, errors.New("stopped without much work")
		}
		if ok {
			items = append(items, frametest.Item{OpCode: it.OpCode, Data: string(it.Data)})
		}
		b = rest
	}
	p.ReleaseBuffer()
	return items, work, memory, nil
}

func TestParserInflates(t *testing.T) {
	t.Parallel()
	hello, long := deflated("Hello", ""), deflated(strings.Repeat("天地", 50), "")
	again := deflated("Hello, Hello", "Hello")
	broken := deflated("ab\xffcd", "")
	split := func(payload string) []byte {
		return slices.Concat(frametest.Frame(1|rsv1, payload[:2]), frametest.Frame(fin|9, "ping"), frametest.Frame(0, ""), frametest.Frame(fin, payload[2:]))
	}
	const window = 1 << 15
	rows := []struct {
		at     testkit.Line
		window int
		in     []byte
		want   []string
		code   protocol.CloseCode
	}{
		{testkit.Here(), 0, frametest.Frame(fin|1|rsv1, hello), []string{"Hello"}, 0},
		{testkit.Here(), 0, frametest.Frame(fin|2|rsv1, broken), []string{"ab\xffcd"}, 0},
		{testkit.Here(), 0, split(hello), []string{"ping", "Hello"}, 0},
		{testkit.Here(), 0, split(long), []string{"ping", strings.Repeat("天地", 50)}, 0},
		{testkit.Here(), 0, slices.Concat(frametest.Frame(fin|1|rsv1, hello), frametest.Frame(fin|1, "plain"), frametest.Frame(fin|1|rsv1, hello)),
			[]string{"Hello", "plain", "Hello"}, 0},
		{testkit.Here(), 0, slices.Concat(frametest.Frame(fin|1|rsv1, "\x00"), frametest.Frame(fin|1|rsv1, ""), frametest.Frame(fin|1, "")), []string{"", "", ""}, 0},
		{testkit.Here(), 0, slices.Concat(frametest.Frame(1|rsv1, ""), frametest.Frame(0, ""), frametest.Frame(fin, hello)), []string{"Hello"}, 0},
		// Takeover.
		{testkit.Here(), window, slices.Concat(frametest.Frame(fin|1|rsv1, hello), frametest.Frame(fin|1, "plain"), frametest.Frame(fin|2|rsv1, again)),
			[]string{"Hello", "plain", "Hello, Hello"}, 0},
		{testkit.Here(), 0, slices.Concat(frametest.Frame(fin|1|rsv1, hello), frametest.Frame(fin|1|rsv1, again)), []string{"Hello"}, 1007},
		// Where the bit must not be.
		{testkit.Here(), 0, slices.Concat(frametest.Frame(1, "x"), frametest.Frame(fin|rsv1, "y")), nil, 1002},
		{testkit.Here(), 0, slices.Concat(frametest.Frame(1|rsv1, hello[:2]), frametest.Frame(fin|rsv1, hello[2:])), nil, 1002},
		{testkit.Here(), 0, frametest.Frame(fin|9|rsv1, ""), nil, 1002},
		{testkit.Here(), 0, frametest.Frame(fin|8|rsv1, ""), nil, 1002},
		{testkit.Here(), 0, frametest.Frame(fin|rsv1, hello), nil, 1002},
		{testkit.Here(), 0, frametest.Frame(fin|3|rsv1, hello), nil, 1002},
		{testkit.Here(), 0, frametest.Frame(fin|1|rsv1|0x20, hello), nil, 1002},
		{testkit.Here(), 0, frametest.Frame(fin|1|0x20, hello), nil, 1002},
		{testkit.Here(), 0, slices.Concat(frametest.Frame(1|rsv1, hello[:2]), frametest.Frame(fin|1|rsv1, hello)), nil, 1002},
		// What the bytes are.
		{testkit.Here(), 0, frametest.Frame(fin|1|rsv1, "Hello"), nil, 1007},
		{testkit.Here(), 0, frametest.Frame(fin|1|rsv1, hello[:3]), nil, 1007},
		{testkit.Here(), 0, frametest.Frame(fin|1|rsv1, broken), nil, 1007},
		{testkit.Here(), 0, frametest.Frame(1|rsv1, broken), nil, 1007}, // at once
		{testkit.Here(), 0, frametest.Frame(fin|1|rsv1, deflated("天"[:2], "")), nil, 1007},
	}
	for _, row := range rows {
		for _, size := range []int{1, 2, 5, 1000} {
			p := inflating(1000, Inflate{Window: row.window})
			var got []string
			var code protocol.CloseCode
			for piece := range slices.Chunk(row.in, size) {
				items, _, _, err := feedSlowly(&p, piece)
				for _, it := range items {
					got = append(got, it.Data)
				}
				if err != nil {
					code = codeOf(err)
					break
				}
			}
			if !slices.Equal(got, row.want) || code != row.code {
				t.Errorf("%s: in pieces of %d: got %q and %d, want %q and %d", row.at, size, got, code, row.want, row.code)
			}
			if row.window == 0 && code == 0 && p.partial != nil {
				t.Errorf("%s: memory is left", row.at)
			}
		}
	}
	p := NewParser(newRules(bounds{maxMessage: 1000}))
	if _, err := feed(&p, frametest.Frame(fin|1|rsv1, hello)); codeOf(err) != 1002 || !errors.Is(err, errReserved) {
		t.Errorf("without the extension: got %v, want 1002 and %v", err, errReserved)
	}
}

// TestParserInflateBounds has peers send what is much larger, or takes much longer, than it
// looks.
func TestParserInflateBounds(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	bomb := strings.Repeat(deflated(strings.Repeat("\x00", 1<<26), "")+"\x00\x00\xff\xff", 16) // 1 GiB in 1 MiB
	zeros := deflated(strings.Repeat("\x00", 1<<19), "")
	rows := []struct {
		at    testkit.Line
		ratio int
		in    []byte
		err   error
	}{
		{testkit.Here(), 0, frametest.Frame(fin|2|rsv1, bomb), ErrTooBig},
		{testkit.Here(), 0, frametest.Frame(2|rsv1, bomb[:4000]), ErrTooBig},
		{testkit.Here(), 0, frametest.Frame(fin|2|rsv1, deflated(strings.Repeat("\x00", most), "")), nil},
		{testkit.Here(), 0, frametest.Frame(fin|2|rsv1, deflated(strings.Repeat("\x00", most+1), "")), ErrTooBig},
		{testkit.Here(), 200, frametest.Frame(fin|2|rsv1, zeros), ErrTooBig},
		{testkit.Here(), 2000, frametest.Frame(fin|2|rsv1, zeros), nil},
		{testkit.Here(), 200, frametest.Frame(fin|2|rsv1, deflated(strings.Repeat("\x00", freeInflated), "")), nil},
		// Endless empty blocks, stored and dynamic, in one frame and in many.
		{testkit.Here(), 0, frametest.Frame(fin|2|rsv1, strings.Repeat("\x00\x00\x00\xff\xff", most/4)), ErrTooBig},
		{testkit.Here(), 0, endless(strings.Repeat("\x00\x00\x00\xff\xff", 1000), 1000), ErrTooBig},
		{testkit.Here(), 0, frametest.Frame(2|rsv1, strings.Repeat("\x00\x00\x00\xff\xff", most/5)), nil},
		{testkit.Here(), 0, frametest.Frame(2|rsv1, strings.Repeat("\x05\xc0\x81\x00\x00\x00\x00\x00\x90\xff\x6b\x04", 10_000)), nil},
	}
	for _, row := range rows {
		p := inflating(most, Inflate{MaxRatio: row.ratio})
		var err error
		for piece := range slices.Chunk(row.in, 64<<10) {
			var work, memory int
			_, work, memory, err = feedSlowly(&p, piece)
			if work > maxCost+maxPiece*1040 {
				t.Errorf("%s: %d bytes were inflated at once", row.at, work)
			}
			if memory > most+64<<10 {
				t.Errorf("%s: %d bytes of memory", row.at, memory)
			}
			if err != nil {
				break
			}
		}
		if !errors.Is(err, row.err) {
			t.Errorf("%s: got %v, want %v", row.at, err, row.err)
		}
	}
}

// endless returns n frames of a compressed message that does not end.
func endless(payload string, n int) []byte {
	return append(frametest.Frame(2|rsv1, payload), bytes.Repeat(frametest.Frame(0, payload), n-1)...)
}

// TestParserWindowIsSmall makes sure that a window takes memory only for what is in it, and
// that it survives what a connection does between messages.
func TestParserWindowIsSmall(t *testing.T) {
	t.Parallel()
	p := inflating(1<<20, Inflate{Window: 32 << 10})
	window := ""
	for i := range 100 {
		text := strings.Repeat(string(rune('a'+i%26)), i%7)
		items, _, _, err := feedSlowly(&p, frametest.Frame(fin|1|rsv1, deflated(text, window)))
		if err != nil || len(items) != 1 || items[0].Data != text {
			t.Fatalf("message %d: %q, %v", i, items, err)
		}
		window += text
		if i%10 == 3 {
			p.DisownBuffer()
		}
		if size := p.WindowSize(); size > 2*len(window)+64 {
			t.Fatalf("a window of %d bytes takes %d", len(window), size)
		}
		if n := p.BufferSize(); n != 0 {
			t.Fatalf("%d bytes are held between messages", n)
		}
	}
	p.DiscardMessages()
	if p.WindowSize() != 0 {
		t.Error("a closing connection keeps its window")
	}
	if _, err := feed(&p, frametest.Frame(fin|1|rsv1, "anything")); err != nil {
		t.Errorf("a dropped message is an error: %v", err)
	}
	p.ReleaseBuffer()
	if p.partial != nil {
		t.Error("memory is left")
	}
}

func TestAllocParseCompressed(t *testing.T) {
	payload := deflated(strings.Repeat("hello ", 500), "")
	in := slices.Concat(frametest.Frame(fin|1|rsv1, payload), frametest.Frame(1|rsv1, payload[:5]), frametest.Frame(fin|9, "ping"), frametest.Frame(fin, payload[5:]))
	p := inflating(1<<20, Inflate{})
	b := make([]byte, len(in))
	wantNoAllocs(t, "compressed messages", func() {
		copy(b, in)
		for rest := b; len(rest) > 0; {
			_, r, ok, err := p.Next(rest)
			if !ok || err != nil {
				t.Fatal("not parsed")
			}
			p.TakeWork()
			rest = r
		}
		p.ReleaseBuffer()
	})
}

// TestInflateAfterLargeMessages: a large buffer in the pool is not taken for a message that
// may not use it.
func TestInflateAfterLargeMessages(t *testing.T) {
	for range 100 { // the pool of the race detector drops some
		large := bytespool.Get()
		large.B = make([]byte, 0, bytespool.MaxRecycled)
		large.Release()
		p := inflating(100, Inflate{})
		frames := frametest.Frame(1|rsv1, deflated("Hello", ""))
		if _, _, memory, err := feedSlowly(&p, frames); err != nil || memory > 2<<10+64<<10 {
			t.Fatalf("%d bytes of memory were used (%v)", memory, err)
		}
	}
}

// FuzzParserInflate compares a stream in one piece with the same in many, and what is
// inflated with compress/flate where the stream is one message.
func FuzzParserInflate(f *testing.F) {
	hello := deflated("Hello", "")
	f.Add(slices.Concat(frametest.Frame(fin|1|rsv1, hello), frametest.Frame(fin|1, "plain"), frametest.Frame(fin|1|rsv1, hello)), []byte{3, 0}, uint16(100), true)
	f.Add(slices.Concat(frametest.Frame(1|rsv1, hello[:2]), frametest.Frame(fin|9, ""), frametest.Frame(fin, hello[2:])), []byte{0}, uint16(100), false)
	f.Add(frametest.Frame(fin|2|rsv1, deflated(strings.Repeat("x", 70000), "")), []byte{9}, uint16(65535), true)
	f.Add([]byte("A\x872800\x80\x00\x00\x002"), []byte{4}, uint16(40), true) // too big, and before that not UTF-8
	f.Fuzz(func(t *testing.T, in, cuts []byte, limit uint16, takeover bool) {
		if len(in) > 4<<10 {
			t.Skip("too large")
		}
		var i Inflate
		if takeover {
			i.Window = 1 << deflate.MaxBits
		}
		var want []frametest.Item
		var wantCode protocol.CloseCode
		for n, how := range [][][]byte{{in}, frametest.Pieces(in, cuts)} {
			p := inflating(int(limit), i)
			var items []frametest.Item
			var code protocol.CloseCode
			for _, piece := range how {
				got, work, memory, err := feedSlowly(&p, piece)
				items = append(items, got...)
				if work > maxCost+maxPiece*1040 || memory > max(int(limit), 2<<10)+64<<10 {
					t.Fatalf("%d bytes were inflated at once, in %d bytes of memory", work, memory)
				}
				if err != nil {
					code = codeOf(err)
					break
				}
			}
			if n == 0 {
				want, wantCode = items, code
			} else if !slices.Equal(items, want) || code != wantCode {
				t.Fatalf("in %d pieces: %q and %d, want %q and %d", len(how), items, code, want, wantCode)
			}
		}
	})
}
