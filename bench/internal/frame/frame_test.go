package frame_test

import (
	"testing"

	"github.com/wye-go/wye/bench/internal/frame"
)

func TestHeaderRoundTrip(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, frame.MaxPayload} {
		for _, m := range []*[4]byte{nil, &mask} {
			roundTrip(t, n, m)
		}
	}
}

func roundTrip(t *testing.T, n int, mask *[4]byte) {
	t.Helper()
	b := frame.AppendHeader(nil, frame.Fin|frame.OpText, n, mask)
	for cut := range b {
		if _, ok, err := frame.Parse(b[:cut]); ok || err != nil {
			t.Errorf("n=%d: the first %d of %d bytes: ok=%v err=%v, want incomplete", n, cut, len(b), ok, err)
		}
	}
	want := frame.Header{First: frame.Fin | frame.OpText, Masked: mask != nil, Len: len(b), Payload: n}
	if mask != nil {
		want.Mask = *mask
	}
	if got, ok, err := frame.Parse(b); !ok || err != nil || got != want {
		t.Errorf("n=%d: got %+v ok=%v err=%v, want %+v", n, got, ok, err, want)
	}
}

func TestParseRefusesGiants(t *testing.T) {
	b := frame.AppendHeader(nil, frame.Fin|frame.OpText, frame.MaxPayload+1, nil)
	if _, ok, err := frame.Parse(b); ok || err == nil {
		t.Errorf("ok=%v err=%v, want an error", ok, err)
	}
}

// The key and its answer are the example of RFC 6455, section 1.3.
func TestAppendAccept(t *testing.T) {
	got := frame.AppendAccept([]byte("x"), []byte("dGhlIHNhbXBsZSBub25jZQ=="))
	if want := "xs3pPLMBiTxaQ9kYGzzhZRbK+xOo="; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
