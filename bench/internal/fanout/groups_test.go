package fanout

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/bench/internal/cputime"
)

// BenchmarkGroups is what many goroutines do to many groups of ten, to one after
// the other, each from another place on. It is for -cpu 1,2,4.
func BenchmarkGroups(b *testing.B) {
	const groups, each = 1024, 10
	for _, mixed := range []bool{false, true} {
		op := "send"
		if mixed {
			op = "join-send-leave"
		}
		for _, made := range hubs() {
			b.Run(fmt.Sprintf("op=%s/hub=%s", op, made.name), func(b *testing.B) {
				h := made.make(b)
				names := groupNames(groups)
				for _, name := range names {
					h.enter(b, name, each)
				}
				work(b, h, names, mixed)
			})
		}
	}
}

func work(b *testing.B, h *hub, names []string, mixed bool) {
	b.Helper()
	send := h.sends[broadcast]
	var workers atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	used := cputime.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		guest, err := h.member()
		at := int(workers.Add(1)) * 131
		for err == nil && pb.Next() {
			at++
			name := names[at%len(names)]
			if mixed {
				err = h.join(name, guest)
			}
			if err == nil {
				err = send(name)
			}
			if mixed {
				h.leave(name, guest)
			}
		}
		if err != nil {
			b.Error(err)
		}
	})
	used.Report()
}
