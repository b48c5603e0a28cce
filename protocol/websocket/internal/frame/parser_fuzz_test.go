package frame

import (
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// FuzzParser compares the parser with the reference on the same bytes, whole and in
// pieces.
func FuzzParser(f *testing.F) {
	for i, row := range frametest.Rows() {
		f.Add(row.In, []byte{byte(i), 2, 0}, uint16(min(row.MaxMessage(), 0xffff)))
	}
	for _, in := range frametest.BrokenText() {
		f.Add(in, []byte{0}, uint16(frametest.DefaultLimit))
	}
	long := strings.Repeat("a", 70000)
	f.Add(slices.Concat(frametest.Frame(1, long[:300]), frametest.Frame(frametest.Fin|9, ""), frametest.Frame(frametest.Fin, long[:126])), []byte{254, 1}, uint16(frametest.DefaultLimit))
	f.Add(frametest.Frame(frametest.Fin|2, long), []byte{255}, uint16(65535))
	f.Add(frametest.FrameWithLength(frametest.Fin|2, frametest.Length64(1<<63-1), ""), []byte{9}, uint16(1))
	f.Fuzz(func(t *testing.T, in, cuts []byte, limit uint16) {
		ref := frametest.Reference{In: in, MaxMessage: int(limit), PastClose: true}
		if err := ref.Read(); err != nil {
			t.Fatal(err)
		}
		wantCode := ref.End.Code
		if wantCode == protocol.CloseAbnormal {
			wantCode = 0 // the bytes end without a violation
		}
		for _, how := range [][][]byte{{in}, frametest.Pieces(in, cuts)} {
			items, code := feedAll(int(limit), how...)
			if !slices.Equal(items, ref.Items) || code != wantCode {
				t.Fatalf("in %d pieces: got %q and %d, want %q and %d", len(how), items, code, ref.Items, wantCode)
			}
		}
	})
}
