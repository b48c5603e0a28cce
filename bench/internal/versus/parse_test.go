package versus

import (
	"testing"

	"github.com/wye-go/wye/bench/internal/cputime"
)

func parsed() []message {
	return []message{
		text(64, "ascii", english),
		text(16<<10, "ascii", english),
		text(16<<10, "chinese", chinese),
		bytesOf(16 << 10),
	}
}

// BenchmarkParse is reading: a message from the socket's bytes to the user's
// function, which does not look at it. One copy per byte is that of the read.
func BenchmarkParse(b *testing.B) {
	for _, m := range parsed() {
		for _, l := range libraries() {
			b.Run(m.name()+"/server="+l.name, func(b *testing.B) { parse(b, l, m) })
		}
	}
}

func parse(b *testing.B, l library, m message) {
	b.Helper()
	var seen, size int
	stream, n := stream(m)
	conn := feed(b, l, func(message []byte) {
		seen++
		size += len(message)
	}, stream, len(stream)/n*b.N)
	b.SetBytes(int64(len(m.payload)))
	b.ReportAllocs()
	b.ResetTimer()
	used := cputime.Start(b)
	close(conn.begin)
	<-conn.over
	used.Report()
	b.StopTimer()
	if seen != b.N || size != b.N*len(m.payload) {
		b.Errorf("%d messages of %d bytes, want %d of %d", seen, size, b.N, b.N*len(m.payload))
	}
}

// stream is m some times over, n times, with a mask of its own each.
func stream(m message) (b []byte, n int) {
	const enough = 256 << 10 // more than any reader asks for
	for len(b) < enough {
		n++
		b = m.masked(b, [4]byte{byte(n), byte(n * 7), byte(n * 31), byte(n * 127)})
	}
	return b, n
}
