package versus

import (
	"testing"

	"github.com/wye-go/wye/bench/internal/cputime"
)

// BenchmarkHandshake is a connection that is accepted by net/http, upgraded, and
// closed by the client, up to the server's own close. The pipe's allocations are
// in it, for every server alike.
func BenchmarkHandshake(b *testing.B) {
	for _, l := range libraries() {
		b.Run("server="+l.name, func(b *testing.B) {
			p := listen(b, l)
			c := &client{}
			b.ReportAllocs()
			used := cputime.Start(b)
			for b.Loop() {
				c.Conn = p.dial()
				if err := c.shake(); err != nil {
					b.Fatal(err)
				}
				c.Close()
				<-p.closed
			}
			used.Report()
		})
	}
}
