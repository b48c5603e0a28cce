package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// inflateAll inflates a whole message in pieces of so many bytes.
func inflateAll(payload, window []byte, most, pieces int) ([]byte, error) {
	z := NewInflater()
	defer z.Release()
	var out []byte
	var err error
	for len(payload) > 0 && err == nil {
		n := min(pieces, len(payload))
		out, err = z.Inflate(out, payload[:n], window, most)
		payload = payload[n:]
	}
	if err == nil {
		out, err = z.Finish(out, window, most)
	}
	if len(out) > most || cap(out) > most && cap(out) > minMessage {
		return nil, fmt.Errorf("%d bytes in memory of %d, want at most %d", len(out), cap(out), most)
	}
	return out, err
}

const anySize = 1 << 30

// maxReference is how much reference inflates.
const maxReference = 1 << 17

// reference inflates a message with package compress/flate.
func reference(payload, window []byte) ([]byte, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	all := bytes.NewReader(append(bytes.Clone(payload), tail...))
	var out []byte
	for {
		start := all.Len()
		r := flate.NewReaderDict(all, append(bytes.Clone(window), out...))
		part, err := io.ReadAll(io.LimitReader(r, maxReference))
		out = append(out, part...)
		switch {
		case len(out) >= maxReference:
			return out, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && all.Len() == 0 && endsInBlock(payload, window, len(out)):
			return out, nil // as if another block followed
		case err != nil:
			return nil, err
		case all.Len() == len(tail) || all.Len() == 0: // a final block, at the end of the payload
			return out, nil
		case start == all.Len():
			return nil, errors.New("no progress")
		}
	}
}

// endsInBlock reports whether an empty final block may follow the message.
func endsInBlock(payload, window []byte, length int) bool {
	b := append(append(bytes.Clone(payload), tail...), 0x01, 0x00, 0x00, 0xff, 0xff)
	all := bytes.NewReader(b)
	n := 0
	var history []byte
	for all.Len() > 0 {
		out, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(all, append(bytes.Clone(window), history...)), maxReference))
		if len(history) > maxReference {
			return false
		}
		history = append(history, out...)
		n += len(out)
		if err != nil {
			return false
		}
	}
	return n == length
}

// texts are messages of many kinds.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 70_000)
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	var json strings.Builder
	for json.Len() < 60_000 {
		fmt.Fprintf(&json, `{"id":%d,"user":"user%d","text":"hello number %d","price":%.2f},`, r.IntN(1e6), r.IntN(100), r.IntN(1000), r.Float64())
	}
	return map[string][]byte{
		"one byte": {7}, "short": []byte("Hello"), "random": random, "skewed": skewed, "zeros": make([]byte, 200_000),
		"json": []byte(json.String()), "period": bytes.Repeat([]byte("abcdefghijk"), 9000),
	}
}

// deflated returns message as compress/flate deflates it, at the end of window.
func deflated(message, window []byte, level int, final bool) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, level, window)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(message)
	if final {
		w.Close()
		return b.Bytes()
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), tail)
}

func TestInflate(t *testing.T) {
	t.Parallel()
	for name, text := range texts() {
		for _, level := range []int{-2, 0, 1, 2, 6, 9} {
			for _, final := range []bool{false, true} {
				payload := deflated(text, nil, level, final)
				for _, pieces := range []int{1, 7, 4096, 1 << 20} {
					got, err := inflateAll(payload, nil, len(text), pieces)
					if err != nil || !bytes.Equal(got, text) {
						t.Fatalf("%s, level %d, final %v, in pieces of %d: %v", name, level, final, pieces, err)
					}
				}
				if final { // as in RFC 7692 section 7.2.3.4
					payload = append(payload, 0)
					if got, err := inflateAll(payload, nil, len(text), 3); err != nil || !bytes.Equal(got, text) {
						t.Fatalf("%s, level %d, behind a final block: %v", name, level, err)
					}
				}
				if len(text) > 1 {
					if _, err := inflateAll(payload, nil, len(text)-1, 5); !errors.Is(err, ErrTooBig) {
						t.Fatalf("%s, level %d: got %v for one byte too many, want ErrTooBig", name, level, err)
					}
				}
			}
		}
	}
}

func TestInflateWithWindow(t *testing.T) {
	t.Parallel()
	for name, text := range texts() {
		window := text[:len(text)/2]
		if len(window) > 32<<10 {
			window = window[len(window)-32<<10:]
		}
		for _, level := range []int{1, 6, 9} {
			payload := deflated(text, window, level, false)
			for _, pieces := range []int{1, 1 << 20} {
				got, err := inflateAll(payload, window, len(text), pieces)
				if err != nil || !bytes.Equal(got, text) {
					t.Fatalf("%s, level %d, in pieces of %d: %v", name, level, pieces, err)
				}
			}
		}
	}
}

func TestInflateExamples(t *testing.T) {
	t.Parallel()
	const hello = "Hello"
	rows := []struct {
		at      testkit.Line
		payload string
		window  string
		want    string
		err     error
	}{
		// RFC 7692 section 7.2.3.
		{testkit.Here(), "\xf2\x48\xcd\xc9\xc9\x07\x00", "", hello, nil},
		{testkit.Here(), "\xf2\x00\x11\x00\x00", hello, hello, nil},
		{testkit.Here(), "\x00\x05\x00\xfa\xffHello\x00", "", hello, nil},
		{testkit.Here(), "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "", hello, nil},
		{testkit.Here(), "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "", hello, nil},
		{testkit.Here(), "\x00", "", "", nil},
		// Without what RFC 7692 asks for behind a final block.
		{testkit.Here(), "\xf3\x48\xcd\xc9\xc9\x07\x00", "", hello, nil},
		{testkit.Here(), "", "", "", nil},
		// Empty blocks.
		{testkit.Here(), strings.Repeat("\x00\x00\x00\xff\xff", 1000) + "\x00", "", "", nil},
		{testkit.Here(), strings.Repeat("\x01\x00\x00\xff\xff", 1000) + "\x00", "", "", nil},
		{testkit.Here(), strings.Repeat("\x03\x00", 1000), "", "", nil},
		// Two streams.
		{testkit.Here(), "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "", hello + hello, nil},
		// The end was not removed, or too much of it was.
		{testkit.Here(), "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", "", hello, ErrCorrupt},
		{testkit.Here(), "\xf2\x48\xcd\xc9\xc9\x07", "", hello, ErrCorrupt},
		{testkit.Here(), "\xf2\x48\xcd", "", "", ErrCorrupt},
		// A distance behind the start, and a reserved block.
		{testkit.Here(), "\xf2\x00\x11\x00\x00", "Hel", "", ErrCorrupt},
		{testkit.Here(), "\x06", "", "", ErrCorrupt},
		{testkit.Here(), "\xff\xff\xff", "", "", ErrCorrupt},
		{testkit.Here(), "\x00\x05\x00\xfa\xfeHello\x00", "", "", ErrCorrupt},
		{testkit.Here(), "Hello", "", "", ErrCorrupt},
		{testkit.Here(), "\xf3\x48\xcd\xc9\xc9\x07\x00garbage", "", "", ErrCorrupt},
	}
	for _, row := range rows {
		for pieces := 1; pieces <= len(row.payload)+1; pieces += 1 + pieces/8 {
			got, err := inflateAll([]byte(row.payload), []byte(row.window), anySize, pieces)
			if !errors.Is(err, row.err) || row.err == nil && string(got) != row.want {
				t.Errorf("%s: in pieces of %d: got %q, %v, want %q, %v", row.at, pieces, got, err, row.want, row.err)
			}
		}
	}
}

// TestInflateBomb inflates a million zeros of each piece: the memory stays within the bound.
func TestInflateBomb(t *testing.T) {
	t.Parallel()
	bomb := deflated(make([]byte, 32<<20), nil, 9, false)
	for _, most := range []int{0, 1, 511, 512, 513, 1 << 20} {
		if _, err := inflateAll(bomb, nil, most, 1000); !errors.Is(err, ErrTooBig) {
			t.Errorf("at most %d bytes: got %v, want ErrTooBig", most, err)
		}
	}
}

// TestInflateAlloc makes sure that a message in memory that has room allocates nothing.
func TestInflateAlloc(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	text := texts()["json"][:4000]
	payload := deflated(text, nil, 6, false)
	out := make([]byte, 0, 8<<10)
	if got := testing.AllocsPerRun(100, func() {
		z := NewInflater()
		b, err := z.Inflate(out, payload, nil, 1<<20)
		if err == nil {
			b, err = z.Finish(b, nil, 1<<20)
		}
		z.Release()
		if err != nil || len(b) != len(text) {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{256, 1024, 32 << 10} {
		var w Window
		var all []byte
		for range 300 {
			message := make([]byte, r.IntN(size/3+1)*r.IntN(5))
			for i := range message {
				message[i] = byte(r.Uint32())
			}
			w.Add(message, size)
			all = append(all, message...)
			if want := all[max(len(all)-size, 0):]; !bytes.Equal(w.Bytes(), want) || w.Size() > size {
				t.Fatalf("a window of %d bytes has %d in memory of %d, want %d", size, len(w.Bytes()), w.Size(), len(want))
			}
		}
		w.Clear()
		if w.Size() != 0 || len(w.Bytes()) != 0 {
			t.Error("an empty window has memory")
		}
	}
}

// FuzzInflate compares the inflater with compress/flate: for any bytes of a peer.
func FuzzInflate(f *testing.F) {
	for _, text := range texts() {
		if len(text) > 1000 {
			text = text[:1000]
		}
		for _, level := range []int{-2, 0, 1, 6, 9} {
			f.Add(deflated(text, nil, level, level == 6), []byte{}, 7)
			f.Add(deflated(text, text[len(text)/2:], level, false), text[len(text)/2:], 1)
		}
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []byte{}, 1)
	f.Fuzz(func(t *testing.T, payload, window []byte, pieces int) {
		if pieces = min(max(pieces, 1), 1<<10); len(window) > 1<<10 || len(payload) > 1<<10 {
			t.Skip("too large")
		}
		want, wantErr := reference(payload, window)
		if len(want) >= maxReference {
			t.Skip("larger than a message")
		}
		got, err := inflateAll(payload, window, maxReference, pieces)
		if errors.Is(err, ErrTooBig) && wantErr != nil {
			return // it was found to be invalid later
		}
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%x in pieces of %d: got %d bytes, %v, want %d bytes, %v", payload, pieces, len(got), err, len(want), wantErr)
		}
		if err == nil && len(want) > 0 {
			if _, err = inflateAll(payload, window, len(want)-1, pieces); !errors.Is(err, ErrTooBig) {
				t.Fatalf("%x: got %v for one byte too many, want ErrTooBig", payload, err)
			}
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{512, 1 << 10, 16 << 10} {
		text := texts()["json"][:n]
		payload := deflated(text, nil, 6, false)
		out := make([]byte, 0, 32<<10)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				z := NewInflater()
				o, err := z.Inflate(out, payload, nil, 1<<20)
				if err == nil {
					_, err = z.Finish(o, nil, 1<<20)
				}
				z.Release()
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
