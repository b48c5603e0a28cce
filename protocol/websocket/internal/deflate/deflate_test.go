package deflate

import (
	"bytes"
	"sync"
	"testing"

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
		d.Deflate(texts()["json"][:800], nil, MaxBits)
		return false
	}
	for range cap(d.slots) {
		if !panics() {
			t.Fatal("a level that does not exist does not panic")
		}
	}
	if n := len(d.slots); n > 0 {
		t.Errorf("%d slots are not free after as many panics", n)
	}
}
