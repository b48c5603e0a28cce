package redis_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// TestHistoryLeavesOutWhatIsTooMuch: Redis may have a few more events than are kept, which are not
// read.
func TestHistoryLeavesOutWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	var epoch string
	for i := range 34 {
		epoch = record(t, l, "room", fmt.Sprint("e", i), layers.Retention{MaxEvents: 32}).Epoch
	}
	if n := s.CLI(t, "LLEN", "asgi:wye:{room}:events"); n != "34" {
		t.Errorf("Redis has %s events, want 34", n)
	}
	for _, row := range []struct {
		at          testkit.Line
		r           layers.Range
		first, last uint64
		complete    bool
	}{
		{testkit.Here(), layers.Range{}, 3, 34, false},
		{testkit.Here(), layers.Range{Limit: 2}, 3, 4, false},
		{testkit.Here(), layers.Range{Limit: 2, Newest: true}, 33, 34, false},
		{testkit.Here(), layers.Range{After: protocol.Position{Epoch: epoch, Offset: 1}}, 3, 34, false},
		{testkit.Here(), layers.Range{After: protocol.Position{Epoch: epoch, Offset: 2}}, 3, 34, true},
		{testkit.Here(), layers.Range{After: protocol.Position{Epoch: epoch, Offset: 30}, Limit: 3}, 31, 33, true},
		{testkit.Here(), layers.Range{After: protocol.Position{Epoch: epoch, Offset: 33}}, 34, 34, true},
	} {
		h, err := l.History(t.Context(), "room", row.r)
		if err != nil || len(h.Events) != int(row.last-row.first)+1 {
			t.Errorf("%s: %d events (%v)", row.at, len(h.Events), err)
			continue
		}
		first, last := h.Events[0].Position().Offset, h.Events[len(h.Events)-1].Position().Offset
		if first != row.first || last != row.last || row.r.Limit == 0 && h.Complete != row.complete {
			t.Errorf("%s: from %d to %d, complete: %v", row.at, first, last, h.Complete)
		}
	}
	record(t, l, "room", "e34", layers.Retention{MaxEvents: 32})
	if n := s.CLI(t, "LLEN", "asgi:wye:{room}:events"); n != "32" {
		t.Errorf("Redis has %s events, want 32", n)
	}
	record(t, l, "room", "e35", layers.Retention{MaxEvents: 2})
	wantHistory(t, testkit.Here(), l, protocol.Position{}, false, "e3435", "e3536")
}

// TestHistoryRemovesWhatIsTooOld: while events are recorded, those that are too old go.
func TestHistoryRemovesWhatIsTooOld(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	over := time.After(30 * time.Second)
	for i, most := 0, 0; ; i++ {
		record(t, l, "room", "a", layers.Retention{MaxAge: 100 * time.Millisecond, MaxEvents: 10_000})
		n, err := strconv.Atoi(s.CLI(t, "LLEN", "asgi:wye:{room}:events"))
		if err != nil {
			t.Fatal(err)
		}
		if most = max(most, n); n > 0 && n < most && i > 16 {
			return
		}
		select {
		case <-over:
			t.Fatalf("%d events, of which the oldest has never been removed", n)
		default:
		}
	}
}
