package websocket

import (
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestPulse plays looks: each letter of seen is one, and the same letter of done
// what has to follow.
//
//	.  nothing has come    r  some bytes    b  we do not read    u  it does not read
//	p  of a message that is incomplete, nothing    s  5 bytes    f  100 bytes
//	n  5 bytes of another one    o  100 bytes of others: headers, pings
func TestPulse(t *testing.T) {
	t.Parallel()
	// Ping after three looks, cut after two more; 30 bytes in four looks.
	keep := rhythm{idle: 3, pong: 2, window: 4, least: 30}
	none := rhythm{window: 4, least: 30}
	rows := []struct {
		at         testkit.Line
		rhythm     rhythm
		seen, done string
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
		var p pulse
		var payload uint32
		var done strings.Builder
		for _, c := range row.seen {
			seen := sightOf(c)
			payload += seen.payload
			seen.payload = payload
			done.WriteString(map[verdict]string{fine: ".", quiet: "q", silent: "x", slow: "S"}[p.look(seen, &row.rhythm)])
		}
		if done.String() != row.done {
			t.Errorf("%s: %s: got %s, want %s", row.at, row.seen, done.String(), row.done)
		}
	}
}

func sightOf(c rune) sight {
	return map[rune]sight{
		'r': {received: 1}, 'b': {stalled: true, message: 7}, 'u': {unread: true, message: 7}, 'p': {message: 7},
		's': {received: 5, message: 7, payload: 5}, 'U': {received: 5, message: 7, payload: 5, unread: true},
		'f': {received: 100, message: 7, payload: 100}, 'n': {received: 5, message: 8, payload: 5},
		'o': {received: 100, message: 7},
	}[c]
}

func TestRhythm(t *testing.T) {
	t.Parallel()
	const s = time.Second
	rows := []struct {
		at   testkit.Line
		o    Options
		want rhythm
	}{
		{testkit.Here(), Options{}, rhythm{turn: 5 * s, idle: 5, pong: 4, window: 14, least: 16320}},
		{testkit.Here(), Options{PingInterval: -1}, rhythm{turn: 5 * s, window: 14, least: 16320}},
		{testkit.Here(), Options{PingInterval: 2 * s}, rhythm{turn: s / 2, idle: 4, pong: 40, window: 136, least: 16320}},
		{testkit.Here(), Options{PongTimeout: 4 * s}, rhythm{turn: s, idle: 25, pong: 4, window: 68, least: 16320}},
		{testkit.Here(), Options{PingInterval: time.Hour, PongTimeout: time.Minute}, rhythm{turn: 5 * s, idle: 720, pong: 12, window: 14, least: 16320}},
		{testkit.Here(), Options{PingInterval: -1, Limits: protocol.Limits{MinRate: 1 << 40}}, rhythm{turn: 5 * s, window: 2, least: 2147483640}},
		{testkit.Here(), Options{PingInterval: -1, Limits: protocol.Limits{MinRate: 2000}}, rhythm{turn: 5 * s, window: 2, least: 20000}},
		{testkit.Here(), Options{PingInterval: -1, Limits: protocol.Limits{MinRate: 1}}, rhythm{turn: 5 * s, window: 3277, least: 16384}},
	}
	for _, row := range rows {
		o := row.o.withDefaults()
		if got := newRhythm(&o); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.at, got, row.want)
		}
	}
}
