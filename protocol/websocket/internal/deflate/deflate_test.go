package deflate

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
)

// inflateInWindow inflates a message byte by byte, and forgets what lies more than size
// bytes back.
func inflateInWindow(payload, window []byte, size int) ([]byte, error) {
	z := NewInflater()
	defer z.Release()
	var all []byte
	near := append(make([]byte, 0, 2*size+4096), window[max(len(window)-size, 0):]...)
	for i := range payload {
		n := len(near)
		next, err := z.Inflate(near, payload[i:i+1], nil, anySize)
		if err != nil {
			return nil, err
		}
		all = append(all, next[n:]...)
		near = near[:copy(near[:size], next[max(len(next)-size, 0):])]
	}
	_, err := z.Finish(near, nil, anySize)
	return all, err
}

func TestDeflate(t *testing.T) {
	t.Parallel()
	for _, level := range []int{1, 6, 9} {
		d := NewDeflaters(level)
		for name, text := range texts() {
			text = text[:min(len(text), 3000)]
			if name == "zeros" || name == "period" { // one byte may be thousands: the window cannot be checked
				text = text[:200]
			}
			for _, bits := range []uint8{8, 9, 10, 12, 15} {
				for _, window := range [][]byte{nil, text[:len(text)/2]} {
					z := d.Deflate(text, window, bits)
					if z == nil {
						if name == "json" {
							t.Fatalf("%s, level %d, %d bits: is not smaller", name, level, bits)
						}
						continue
					}
					got, err := inflateInWindow(z.Payload, window, 1<<bits)
					if err != nil || !bytes.Equal(got, text) {
						t.Fatalf("%s, level %d, %d bits, behind %d bytes: %v", name, level, bits, len(window), err)
					}
					if len(z.Payload) >= len(text) {
						t.Fatalf("%s, level %d: %d bytes of %d", name, level, len(z.Payload), len(text))
					}
					z.Release()
				}
			}
		}
	}
}

// TestDeflateStaysInTheWindow has messages around the sizes from which another deflater is used,
// or another part of the window: no distance is larger than the peer's window.
func TestDeflateStaysInTheWindow(t *testing.T) {
	t.Parallel()
	text := texts()["json"]
	for _, level := range []int{1, 6} {
		d := NewDeflaters(level)
		for _, bits := range []uint8{8, 9, 11} {
			size := 1 << bits
			for _, n := range []int{size / 8, size / 2, size / 4 * 3, size/4*3 + 1, size - 1, size, size + 1, 3 * size} {
				for _, before := range []int{0, size / 4, size, 2 * size} {
					window, message := text[:before], text[before:before+n]
					z := d.Deflate(message, window, bits)
					if z == nil {
						continue // a short one
					}
					got, err := inflateInWindow(z.Payload, window, size)
					if err != nil || !bytes.Equal(got, message) {
						t.Errorf("level %d, %d bits, %d bytes behind %d: %v", level, bits, n, before, err)
					}
					z.Release()
				}
			}
		}
	}
}

// TestDeflateRefersBack makes sure that what came before makes a message smaller.
func TestDeflateRefersBack(t *testing.T) {
	t.Parallel()
	d := NewDeflaters(1)
	text := texts()["json"][:800]
	alone := d.Deflate(text, nil, MaxBits)
	n := len(alone.Payload)
	alone.Release()
	again := d.Deflate(text, text, MaxBits)
	defer again.Release()
	if len(again.Payload) > n/4 {
		t.Errorf("%d bytes, and %d behind the same text, want a quarter at most", n, len(again.Payload))
	}
}

// TestDeflateRefersBackInSmallWindow: messages that leave some of a small window refer to it.
func TestDeflateRefersBackInSmallWindow(t *testing.T) {
	t.Parallel()
	d := NewDeflaters(1)
	const size = 1 << 10
	text := texts()["json"]
	for _, n := range []int{size / 4, size / 2, size / 4 * 3, size} {
		message, window := text[size:size+n], text[:size]
		alone := d.Deflate(message, nil, 10)
		without := len(alone.Payload)
		alone.Release()
		behind := d.Deflate(message, window, 10)
		if with := len(behind.Payload); with > without*9/10 {
			t.Errorf("%d bytes became %d, and %d behind others, want a tenth less at least", n, without, with)
		}
		behind.Release()
	}
}

// TestDeflateNothingRepeated has texts of few different bytes, in which nothing is repeated. They
// get smaller by the codes of the bytes alone, in front of any window.
func TestDeflateNothingRepeated(t *testing.T) {
	t.Parallel()
	random := texts()["random"]
	for _, level := range []int{1, 6, 9} {
		d := NewDeflaters(level)
		for _, n := range []int{300, 1000, 20_000} {
			for _, window := range [][]byte{nil, random[:300]} {
				text := hex.AppendEncode(nil, random[:n/2])
				z := d.Deflate(text, window, MaxBits)
				if z == nil {
					t.Errorf("level %d: %d digits were not made smaller", level, n)
					continue
				}
				got, err := inflateAll(z.Payload, window, anySize, anySize)
				if err != nil || !bytes.Equal(got, text) || len(z.Payload) > n*2/3 {
					t.Errorf("level %d: %d digits became %d, want two thirds at most: %v", level, n, len(z.Payload), err)
				}
				z.Release()
			}
		}
	}
}

func TestDeflateIncompressible(t *testing.T) {
	t.Parallel()
	d := NewDeflaters(1)
	for _, n := range []int{0, 1, 100, 5000, 100_000} {
		if z := d.Deflate(texts()["random"][:n], nil, MaxBits); z != nil {
			t.Errorf("%d random bytes became %d", n, len(z.Payload))
			z.Release()
		}
	}
}

// TestDeflateConcurrently has more callers than deflaters.
func TestDeflateConcurrently(t *testing.T) {
	t.Parallel()
	d := NewDeflaters(1)
	text := texts()["json"]
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for n := range 20 {
				message := text[i*100 : i*100+n*200]
				z := d.Deflate(message, text[:i], MaxBits-uint8(n%8))
				if z == nil {
					continue
				}
				got, err := inflateAll(z.Payload, text[:i], anySize, anySize)
				if err != nil || !bytes.Equal(got, message) {
					t.Errorf("a message of %d: %v", len(message), err)
				}
				z.Release()
			}
		})
	}
	wg.Wait()
}

// TestDeflateLargeAside has as many large messages as may be deflated at once: another one
// waits, and a small one does not.
func TestDeflateLargeAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := NewDeflaters(1)
		large := bytes.Repeat(texts()["json"], 2)[:Large+1]
		var held []*Deflated
		for range cap(d.large) {
			held = append(held, d.Deflate(large, nil, MaxBits))
		}
		over := make(chan struct{})
		go func() {
			d.Deflate(large, nil, MaxBits).Release()
			close(over)
		}()
		synctest.Wait()
		d.Deflate(large[:Large], nil, MaxBits).Release()
		select {
		case <-over:
			t.Errorf("more than %d large messages were deflated at once", cap(d.large))
		default:
		}
		for _, z := range held {
			z.Release()
		}
		<-over
		if n := len(d.slots) + len(d.large); n > 0 {
			t.Errorf("%d slots are not free in the end", n)
		}
	})
}

func TestDeflateAlloc(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	d := NewDeflaters(1)
	text := texts()["json"]
	for _, n := range []int{200, 4000, 40_000} {
		if got := testing.AllocsPerRun(100, func() { d.Deflate(text[:n], text[:1000], MaxBits).Release() }); got > 0 {
			t.Errorf("%d bytes: %v allocations, want none", n, got)
		}
	}
}

// TestDeflatePanics makes sure that deflaters that panic do not keep others from being used.
func TestDeflatePanics(t *testing.T) {
	t.Parallel()
	d := NewDeflaters(MaxLevel + 1)
	panics := func() (is bool) {
		defer func() { is = recover() != nil }()
		d.Deflate(bytes.Repeat([]byte("x"), Large+1), nil, MaxBits)
		return false
	}
	for range cap(d.slots) {
		if !panics() {
			t.Fatal("a level that does not exist does not panic")
		}
	}
	if n := len(d.slots) + len(d.large); n > 0 {
		t.Errorf("%d slots are not free after as many panics", n)
	}
}

// BenchmarkDeflate has messages behind others, in windows of 4 KiB, as many clients ask for, and
// of 32 KiB.
func BenchmarkDeflate(b *testing.B) {
	text := texts()["json"]
	for _, bits := range []uint8{12, MaxBits} {
		for _, before := range []int{0, 4 << 10} {
			for _, n := range []int{1 << 10, 3 << 10, 16 << 10} {
				b.Run(fmt.Sprintf("%d bits, %d behind %d", bits, n, before), func(b *testing.B) {
					d := NewDeflaters(1)
					total, rounds, at := 0, 0, before
					for b.Loop() {
						z := d.Deflate(text[at:at+n], text[at-before:at], bits)
						total, rounds = total+len(z.Payload), rounds+1
						z.Release()
						if at += 611; at+n > len(text) {
							at = before
						}
					}
					b.ReportMetric(float64(total)/float64(rounds), "B")
				})
			}
		}
	}
}
