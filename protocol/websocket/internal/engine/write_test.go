package engine

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// TestWriteOut has own and shared messages of all sizes go out: whole, in order,
// and small ones in one write.
func TestWriteOut(t *testing.T) {
	t.Parallel()
	const small, large = 100, minShared
	rows := []struct {
		at     testkit.Line
		sizes  []int // of messages, own and shared ones in turn
		writes int64 // 0: any
	}{
		{testkit.Here(), []int{small}, 1},
		{testkit.Here(), []int{small, small, small}, 1},
		{testkit.Here(), []int{small, large, small}, 1},
		{testkit.Here(), []int{small, large, small, large, small, large, small}, 1},
		{testkit.Here(), []int{gatherBelow / 2, gatherBelow, small, large}, 0},
		{testkit.Here(), []int{small, 60 << 10, small, 60 << 10, small}, 0},
		{testkit.Here(), []int{small, 90 << 10, small, 90 << 10, small}, 0},
		{testkit.Here(), []int{300 << 10, 300 << 10, 1}, 0},
		{testkit.Here(), []int{maxPeek}, 0},
		{testkit.Here(), []int{2*maxPeek + 1}, 0},
		{testkit.Here(), []int{maxLockedCopy - 4, minShared - 1, maxLockedCopy - 3, minShared}, 0},
	}
	for _, row := range rows {
		c, nc := alone(t)
		nc.Got = new(bytes.Buffer)
		before := nc.Writes.Load()
		var want []byte
		c.out.mu.owned = true // nobody else writes, however much it is
		for i, n := range row.sizes {
			m := protocol.Text(strings.Repeat(string(rune('a'+i)), n))
			want = frame.Append(want, frame.OpCodeOf(m.Kind), m.Data)
			var err error
			if i%2 == 0 {
				err = c.Send(m)
			} else {
				err = c.SendPrepared(protocol.Prepare(m))
			}
			if err != nil {
				t.Fatalf("%s: %v", row.at, err)
			}
		}
		threadOf(c).writeAll()
		if !bytes.Equal(nc.Got.Bytes(), want) {
			t.Errorf("%s: %d bytes were written and should have been others, %d of them", row.at, nc.Got.Len(), len(want))
		}
		if n := nc.Writes.Load() - before; row.writes != 0 && n != row.writes {
			t.Errorf("%s: took %d writes, want %d", row.at, n, row.writes)
		}
	}
}

// TestWriteDeadlinesMoveRarely makes sure that it is not done for each write, and
// that there is always one ahead.
func TestWriteDeadlinesMoveRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine(Config{WriteTimeout: 30 * time.Second})
		c := e.NewConn(&Opening{}, "")
		e.place(c, enginetest.NewSink())
		moves, last := 0, time.Duration(0)
		for range 300 { // within 30 seconds
			threadOf(c).startWrite()
			threadOf(c).endWrite()
			at, _ := e.deadlines.mu.wheel.Has(c)
			if left := at - e.now(); left < 20*time.Second {
				t.Fatalf("%v are left, want 20s at least", left)
			}
			if at != last {
				moves, last = moves+1, at
			}
			<-time.After(100 * time.Millisecond)
		}
		if moves < 2 || moves > 4 {
			t.Errorf("moved %d times in 30s, want about three", moves)
		}
		c.removeDeadline()
	})
}

// TestBrokenKeepsNothing makes sure that what was queued for a peer that has gone
// takes no memory while the consumer says farewell.
func TestBrokenKeepsNothing(t *testing.T) {
	t.Parallel()
	c, _ := alone(t)
	c.out.startBatch()
	if err := c.Send(protocol.Text("never written")); err != nil {
		t.Fatal(err)
	}
	c.fail(errors.New("the cable was pulled"))
	c.out.mu.Lock()
	left := c.out.mu.queue.Memory()
	c.out.mu.Unlock()
	if err := c.Send(protocol.Text("too late")); left != 0 || !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("%d bytes are left, and a send returns %v, want none and ErrClosed", left, err)
	}
	threadOf(c).writeAll()
}
