package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
)

func jsonText(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"user":"user%d","text":"hello number %d","price":%d.%02d},`, i*7919%100000, i%50, i, i*31%100, i%100)
	}
	return b.String()[:n]
}

// BenchmarkSendDeflated is a message through compression and the queue to the socket.
func BenchmarkSendDeflated(b *testing.B) {
	for _, takeover := range []bool{false, true} {
		for _, size := range []int{512, 1 << 10, 16 << 10} {
			b.Run(fmt.Sprint(size, " takeover ", takeover), func(b *testing.B) {
				c := deflatingConn(b, deflate.Params{ServerBits: 15, ClientBits: 15, ServerTakeover: takeover})
				text := jsonText(size + 5000)
				n := 0
				for b.Loop() {
					m := protocol.Message{Data: []byte(text[n%5000 : n%5000+size])}
					n += 613
					c.out.startBatch()
					if err := c.Send(m); err != nil {
						b.Fatal(err)
					}
					c.endBatch()
				}
				b.ReportMetric(float64(c.engine.Stats().Deflate.WireBytesOut)/float64(b.N), "B")
			})
		}
	}
}
