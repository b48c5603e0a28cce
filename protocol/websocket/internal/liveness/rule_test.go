package liveness

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// TestState plays checks: each letter of samples is one, and the same letter of verdicts
// its result.
//
//	.  nothing has come    r  some bytes    b  we do not read    u  it does not read
//	p  of a message that is incomplete, nothing    s  5 bytes    f  100 bytes
//	n  5 bytes of another one    o  100 bytes of others: headers, pings
func TestState(t *testing.T) {
	t.Parallel()
	// Ping after three checks, cut after two more; 30 bytes in four checks.
	keep := Rule{idle: 3, pong: 2, window: 4, minBytes: 30}
	none := Rule{window: 4, minBytes: 30}
	rows := []struct {
		at       testkit.Line
		rule     Rule
		samples  string
		verdicts string
	}{
		{testkit.Here(), keep, "rrrrrrr", "......."},
		{testkit.Here(), keep, ".....", "..q.x"},
		{testkit.Here(), keep, "..r...", ".....q"},
		{testkit.Here(), keep, "...r...", "..q...q"},
		{testkit.Here(), keep, "....r....", "..q....q."},
		{testkit.Here(), keep, "..b...", ".....q"},
		{testkit.Here(), keep, "....b....", "..q....q."},
		{testkit.Here(), keep, "bbbbbbbbb", "........."},
		{testkit.Here(), none, "..........", ".........."},
		{testkit.Here(), none, "sssss", "....S"},
		{testkit.Here(), none, "fffffffff", "........."},
		{testkit.Here(), none, "fffffppppp", "........S."}, // the window in which it stopped had enough
		{testkit.Here(), keep, "..u...", ".....q"},
		{testkit.Here(), none, "sssbbbbs", "........"},
		{testkit.Here(), none, "sssbbbbss", "........S"},
		{testkit.Here(), none, "sssuuuuss", "........S"}, // nor while it has to read first
		{testkit.Here(), none, "sUUUUssss", "....S...S"}, // but it does send
		{testkit.Here(), none, "sss.sssss", "........S"},
		{testkit.Here(), none, "sssnnnnsssss", "...........S"},
		{testkit.Here(), keep, "ppppp", "..q.S"},
		{testkit.Here(), none, "sfsssfsssf", ".........."},
		{testkit.Here(), none, "ooooo", "....S"}, // pings and empty fragments complete nothing
		{testkit.Here(), keep, "soooo", "....S"},
		{testkit.Here(), none, "foofooooo", "........S"},
	}
	for _, row := range rows {
		var s State
		var payload uint32
		var got strings.Builder
		for _, c := range row.samples {
			sample := sampleOf(c)
			payload += sample.Payload
			sample.Payload = payload
			got.WriteString(map[Verdict]string{OK: ".", Ping: "q", Dead: "x", TooSlow: "S"}[s.Check(sample, &row.rule)])
		}
		if got.String() != row.verdicts {
			t.Errorf("%s: %s: got %s, want %s", row.at, row.samples, got.String(), row.verdicts)
		}
	}
}

func sampleOf(c rune) Sample {
	return map[rune]Sample{
		'r': {Received: true}, 'b': {ReadPaused: true, Message: 7}, 'u': {Unwritten: true, Message: 7}, 'p': {Message: 7},
		's': {Received: true, Message: 7, Payload: 5}, 'U': {Received: true, Message: 7, Payload: 5, Unwritten: true},
		'f': {Received: true, Message: 7, Payload: 100}, 'n': {Received: true, Message: 8, Payload: 5},
		'o': {Received: true, Message: 7},
	}[c]
}

// TestStateIsSmall makes sure that a connection remembers little, and that its counts do
// not overflow.
func TestStateIsSmall(t *testing.T) {
	t.Parallel()
	if size := reflect.TypeFor[State]().Size(); size > 12 {
		t.Errorf("a state has %d bytes, want at most 12", size)
	}
	var s State
	r := NewRule(1000*time.Hour, maxChecks*5*time.Second, 240)
	for i := range 5 * maxChecks {
		want := OK
		switch {
		case i == maxChecks-1:
			want = Ping
		case i >= 2*maxChecks-1:
			want = Dead
		}
		if got := s.Check(Sample{}, &r); got != want {
			t.Fatalf("check %d: got %d, want %d", i, got, want)
		}
	}
}

func TestNewRule(t *testing.T) {
	t.Parallel()
	const s = time.Second
	rows := []struct {
		at         testkit.Line
		ping, pong time.Duration
		rate       int
		want       Rule
	}{
		{testkit.Here(), 25 * s, 20 * s, 240, Rule{Interval: 5 * s, idle: 5, pong: 4, window: 14, minBytes: 16320}},
		{testkit.Here(), -1, 20 * s, 240, Rule{Interval: 5 * s, window: 14, minBytes: 16320}},
		{testkit.Here(), 2 * s, 20 * s, 240, Rule{Interval: s / 2, idle: 4, pong: 40, window: 136, minBytes: 16320}},
		{testkit.Here(), 25 * s, 4 * s, 240, Rule{Interval: s, idle: 25, pong: 4, window: 68, minBytes: 16320}},
		{testkit.Here(), time.Hour, time.Minute, 240, Rule{Interval: 5 * s, idle: 720, pong: 12, window: 14, minBytes: 16320}},
		{testkit.Here(), time.Nanosecond, time.Minute, 240, Rule{Interval: 16 * time.Millisecond, idle: 1, pong: 3750, window: 4250, minBytes: 16320}},
		{testkit.Here(), -1, 20 * s, 1 << 40, Rule{Interval: 5 * s, window: 2, minBytes: 2147483640}},
		{testkit.Here(), -1, 20 * s, 2000, Rule{Interval: 5 * s, window: 2, minBytes: 20000}},
		{testkit.Here(), -1, 20 * s, 1, Rule{Interval: 5 * s, window: 3277, minBytes: 16384}},
		{testkit.Here(), 1000 * time.Hour, 20 * s, 240, Rule{Interval: 5 * s, idle: maxChecks, pong: 4, window: 14, minBytes: 16320}},
		{testkit.Here(), time.Nanosecond, maxChecks * s, 240, Rule{Interval: s + 1, idle: 1, pong: maxChecks, window: 68, minBytes: 16320}},
		{testkit.Here(), time.Nanosecond, s, 1, Rule{Interval: 16 * time.Millisecond, idle: 1, pong: 63, window: maxChecks, minBytes: 524}},
	}
	for _, row := range rows {
		if got := NewRule(row.ping, row.pong, row.rate); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.at, got, row.want)
		}
	}
}
