package layers_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/wye-go/wye/layers"
)

// BenchmarkGroupSend is one event to a group of members that take it for nothing,
// in groups that nothing is recorded in: encoded by the send, and encoded before.
func BenchmarkGroupSend(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		l := new(layers.Layer)
		for range n {
			if err := l.Join(b.Context(), "g", &idle{}); err != nil {
				b.Fatal(err)
			}
		}
		sealed := noted().New(note{"x", 1})
		b.Run(fmt.Sprintf("new/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := l.GroupSend(context.Background(), "g", noted().New(note{"x", 1})); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("sealed/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := l.GroupSend(context.Background(), "g", sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
