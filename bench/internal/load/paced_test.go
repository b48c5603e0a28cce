//go:build linux

package load

import (
	"math"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/chore"
	"github.com/wye-go/wye/bench/internal/floortest"
)

// TestPaced holds the rate against an idle machine's floor.
func TestPaced(t *testing.T) {
	cfg := Config{
		Scenario: Paced, URL: "ws://" + floortest.Start(t, false), Conns: 20, Size: 64, Rate: 2000, SleepEvery: 10, Duration: short,
	}
	r, err := perform(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var sent, seen uint32
	for _, c := range r.cl.conns {
		sent, seen = sent+c.sent, seen+c.seen
	}
	want := float64(cfg.Rate) * r.result.Seconds
	if got := float64(sent); sent != seen || math.Abs(got-want) > want/2 {
		t.Errorf("sent %d, received %d, want about %.0f", sent, seen, want)
	}
	// Those with a mark are not counted, and all of the first answers may have come late.
	if n := r.result.Messages; n == 0 || n > uint64(sent)*9/10+1 {
		t.Errorf("%d of %d messages are counted, want at most nine of ten", n, sent)
	}
}

// TestPacedCountsFromWhenAMessageWasDue has a server that stops once.
func TestPacedCountsFromWhenAMessageWasDue(t *testing.T) {
	const stop = 50 * time.Millisecond
	url := serve(t, func(n int, s string) []ws.Frame {
		if n == 5 {
			<-time.After(stop)
		}
		return []ws.Frame{text(s)}
	})
	cfg := Config{Scenario: Paced, URL: url, Conns: 1, Size: 64, Rate: 1000, Duration: 2 * short}
	r, err := perform(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if long := r.cl.counts.Above(int64(stop) / 5); long < 20 {
		t.Errorf("%d messages were held up, want at least 20", long)
	}
}

func TestMarkedMold(t *testing.T) {
	m, calm := newMarkedMold(64), newMold(64, 1, ASCII, false)
	frame := m.make(7, 9, 1)
	payload := append([]byte(nil), frame[len(frame)-64:]...)
	ws.Cipher(payload, mask, 0)
	if payload[chore.MarkAt] != chore.Mark {
		t.Errorf("no mark in %q", payload)
	}
	if err := m.check(payload, 7, 9); err != nil {
		t.Error(err)
	}
	if calm.check(payload, 7, 9) == nil || calm.want[chore.MarkAt] == chore.Mark {
		t.Error("a message without a mark looks like one with it")
	}
}
