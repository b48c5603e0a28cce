package engine

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// BenchmarkEcho is what a read of messages costs up to the write of their
// echoes, socket and consumer excepted.
func BenchmarkEcho(b *testing.B) {
	reads := map[string]struct {
		messages int
		in       []byte
	}{
		"1x64":   {1, frametest.Frame(frametest.Fin|1, strings.Repeat("x", 64))},
		"16x64":  {16, bytes.Repeat(frametest.Frame(frametest.Fin|1, strings.Repeat("x", 64)), 16)},
		"1x16Ki": {1, frametest.Frame(frametest.Fin|1, strings.Repeat("x", 16<<10))},

		"1x64 Chinese":   {1, frametest.Frame(frametest.Fin|1, strings.Repeat("世", 21)+"x")},
		"1x16Ki Chinese": {1, frametest.Frame(frametest.Fin|1, strings.Repeat("世", 16<<10/3)+"x")},
	}
	for name, read := range reads {
		b.Run(name, func(b *testing.B) {
			c, nc := alone(b)
			buf := make([]byte, len(read.in))
			before := nc.Bytes.Load()
			b.SetBytes(int64(len(read.in)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, read.in)
				handleRead(b, c, buf)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*read.messages), "ns/msg")
			b.ReportMetric(float64(nc.Bytes.Load()-before)/float64(b.N), "written/op")
		})
	}
}
