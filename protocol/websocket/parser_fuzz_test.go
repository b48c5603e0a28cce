package websocket

import (
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// pieces cuts in: each byte of cuts is the size of a piece, and they repeat.
func pieces(in, cuts []byte) (out [][]byte) {
	for i := 0; len(in) > 0 && len(cuts) > 0; i++ {
		n := min(len(in), int(cuts[i%len(cuts)])+1)
		out = append(out, in[:n])
		in = in[n:]
	}
	return append(out, in)
}

// FuzzParser compares the parser with the naive reading of the same bytes, whole
// and in pieces.
func FuzzParser(f *testing.F) {
	for i, row := range slices.Concat(lengthRows(), headerRows(), controlRows(), fragmentRows(), limitRows(), textRows()) {
		limit := row.limit
		if limit == 0 {
			limit = limS
		}
		f.Add(row.in, []byte{byte(i), 2, 0}, uint16(min(limit, 0xffff)))
	}
	for _, in := range brokenText() {
		f.Add(in, []byte{0}, uint16(limS))
	}
	long := strings.Repeat("a", 70000)
	f.Add(stream(framed(1, long[:300]), framed(fin|9, ""), framed(fin, long[:126])), []byte{254, 1}, uint16(limS))
	f.Add(framed(fin|2, long), []byte{255}, uint16(65535))
	f.Add(headed(fin|2, length64(1<<63-1), ""), []byte{9}, uint16(1))
	f.Fuzz(func(t *testing.T, in, cuts []byte, limit uint16) {
		ref := reading{in: in, limit: int(limit), pastClose: true}
		if err := ref.read(); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, it := range ref.items {
			want = append(want, said(it.op, it.data))
		}
		wantCode := ref.end.Code
		if wantCode == protocol.CloseAbnormal {
			wantCode = 0 // it only ends
		}
		for _, how := range [][][]byte{{in}, pieces(in, cuts)} {
			items, code := feedAll(int(limit), how...)
			if !slices.Equal(items, want) || code != wantCode {
				t.Fatalf("in %d pieces: got %q and %d, want %q and %d", len(how), items, code, want, wantCode)
			}
		}
	})
}

// mayClose are the codes that a client may close with, as the RFC and the
// registry of IANA say.
func mayClose(code uint16) bool {
	allowed := []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
	return slices.Contains(allowed, code) || code >= 3000 && code <= 4999
}
