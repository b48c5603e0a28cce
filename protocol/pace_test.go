package protocol

import (
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// TestPace plays messages of sizes over time: after each it says how long the next one
// has to wait.
func TestPace(t *testing.T) {
	t.Parallel()
	const s, ms = time.Second, time.Millisecond
	type message struct {
		after time.Duration // since the one before
		size  int
		wait  time.Duration // then
	}
	for _, test := range []struct {
		at       testkit.Line
		rate     Rate
		messages []message
	}{
		{testkit.Here(), Rate{Messages: 1}, []message{{0, 9, s}, {s, 9, s}, {s / 2, 9, 3 * s / 2}}},
		{testkit.Here(), Rate{Messages: 10, MessageBurst: 3}, []message{{0, 9, 0}, {0, 9, 0}, {0, 9, 100 * ms}, {100 * ms, 9, 100 * ms}, {s, 9, 0}, {0, 9, 0}, {0, 9, 100 * ms}}},
		{testkit.Here(), Rate{Messages: 10, MessageBurst: 2}, []message{{time.Hour, 9, 0}, {0, 9, 100 * ms}, {50 * ms, 9, 150 * ms}}}, // an hour fills it once
		{testkit.Here(), Rate{Bytes: 100}, []message{{0, 50, 0}, {0, 49, 0}, {0, 1, 10 * ms}, {10 * ms, 1, 10 * ms}}},
		{testkit.Here(), Rate{Bytes: 100, ByteBurst: 1000}, []message{{0, 5000, 40*s + 10*ms}, {40*s + 10*ms, 1, 10 * ms}}}, // larger than the burst
		{testkit.Here(), Rate{Bytes: 100}, []message{{0, 0, 0}, {0, 0, 0}}},
		{testkit.Here(), Rate{Messages: 1, MessageBurst: 2, Bytes: 1000}, []message{{0, 2000, 1001 * ms}, {1001 * ms, 1, 1 * ms}, {s, 1, 0}}}, // whichever takes longer
	} {
		p := newPace(test.rate.withDefaults())
		now := time.Now()
		if got := p.wait(now); got > 0 {
			t.Errorf("%s: the first message waits for %v", test.at, got)
		}
		for i, m := range test.messages {
			now = now.Add(m.after)
			p.spend(m.size, now)
			if got := max(p.wait(now), 0).Round(ms / 100); got != m.wait {
				t.Errorf("%s: message %d: the next one waits for %v, want %v", test.at, i, got, m.wait)
			}
		}
	}
}
