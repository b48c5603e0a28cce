package engine

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// feed is a kernel for benchmarks: each poll reports that its one socket has something to
// read, which is always the same, and writes are counted.
type feed struct {
	kernel
	in      []byte
	written int
	polls   int
	stopAt  int
	done    chan struct{}
	once    sync.Once
	woken   chan struct{}
}

func (f *feed) take(net.Conn) (int, error) { return 7, nil }
func (f *feed) add(int, uint64) error      { return nil }
func (f *feed) poll(events []change) int {
	if f.polls >= f.stopAt {
		return 0
	}
	f.polls++
	events[0] = change{0, nowReadable}
	return 1
}
func (f *feed) sleep(events []change) int {
	if f.polls >= f.stopAt && f.stopAt > 0 {
		f.once.Do(func() { close(f.done) })
	}
	<-f.woken
	return f.poll(events)
}
func (f *feed) wake() {
	select {
	case f.woken <- struct{}{}:
	default:
	}
}
func (f *feed) read(_ int, b []byte) (int, error) { return copy(b, f.in), nil }
func (f *feed) write(_ int, pieces [][]byte, size int) (int, error) {
	f.written += size
	return size, nil
}
func (f *feed) close(int)     {}
func (f *feed) stop()         {}
func (f *feed) shutWrite(int) {}

// BenchmarkLoopEcho is what a read of messages costs on a loop up to the write of their
// echoes, the system calls excepted.
func BenchmarkLoopEcho(b *testing.B) {
	small := frametest.Frame(frametest.Fin|1, strings.Repeat("x", 64))
	for name, in := range map[string][]byte{"1x64": small, "16x64": bytes.Repeat(small, 16), "1x16Ki": frametest.Frame(frametest.Fin|1, strings.Repeat("x", 16<<10))} {
		b.Run(name, func(b *testing.B) {
			e := newTestEngine(Config{})
			f := &feed{in: in, woken: make(chan struct{}, 1), done: make(chan struct{})}
			e.loops = e.newLoops(func() (kernel, error) { return f, nil })[:1]
			c := e.NewConn(&Opening{Handshake: handover{&net.TCPConn{}}}, "")
			e.loops[0].driving.watched.Store(true) // the watcher does not sample it
			c.Open(e.session(fakes.Echo(), c))
			b.ReportAllocs()
			b.ResetTimer()
			f.stopAt = b.N
			f.wake()
			<-f.done
			b.StopTimer()
			n := len(in) / max(len(small), 1)
			if n == 0 || name == "1x16Ki" {
				n = 1
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/msg")
			c.fail(net.ErrClosed)
			e.finish()
		})
	}
}
