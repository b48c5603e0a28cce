package versus

import (
	"testing"

	"github.com/wye-go/wye/bench/internal/cputime"
)

// BenchmarkEcho is a message over the loopback and back, one at a time.
func BenchmarkEcho(b *testing.B) {
	for _, m := range []message{
		text(64, "ascii", english),
		text(16<<10, "ascii", english),
		text(16<<10, "chinese", chinese),
	} {
		for _, l := range libraries() {
			b.Run(m.name()+"/server="+l.name, func(b *testing.B) { echo(b, l, m) })
		}
	}
}

func echo(b *testing.B, l library, m message) {
	b.Helper()
	c := dial(b, l)
	out, want := m.masked(nil, [4]byte{0x37, 0xfa, 0x21, 0x3d}), m.unmasked()
	b.SetBytes(int64(len(m.payload)))
	b.ReportAllocs()
	used := cputime.Start(b)
	for b.Loop() {
		if err := c.exchange(out, want); err != nil {
			b.Fatal(err)
		}
	}
	used.Report()
}
