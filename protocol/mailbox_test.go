package protocol

import (
	"math/rand/v2"
	"testing"
)

// TestMailboxAgainstASlice compares a mailbox with the simplest thing that does
// the same, over random adds and takes.
func TestMailboxAgainstASlice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var box mailbox
		var want []letter
		events, bytes := 0, 0
		for i := range 2000 {
			switch n := rnd.IntN(100); {
			case n < 30:
				e := &Event{typ: "x"}
				box.addEvent(e)
				want, events = append(want, letter{event: e}), events+1
			case n < 50+i/100: // grows, and then shrinks
				m := Message{Data: make([]byte, rnd.IntN(20))}
				box.addMessage(m)
				want, bytes = append(want, letter{msg: m}), bytes+len(m.Data)+messageOverhead
			case len(want) > 0:
				got := box.take()
				if got.event != want[0].event || len(got.msg.Data) != len(want[0].msg.Data) {
					t.Fatalf("seed %d: letter %d is not the oldest", seed, i)
				}
				if want[0].event != nil {
					events--
				} else {
					bytes -= len(want[0].msg.Data) + messageOverhead
				}
				want = want[1:]
			}
			if box.events != events || box.bytes != bytes || box.empty() != (len(want) == 0) {
				t.Fatalf("seed %d: counts %d events and %d bytes, want %d and %d", seed, box.events, box.bytes, events, bytes)
			}
			if box.head > keptLetters && box.head > len(box.queue)/2 {
				t.Fatalf("seed %d: %d of %d places are behind", seed, box.head, len(box.queue))
			}
		}
		gone, unread := box.discard()
		if gone != events || gone+unread != len(want) || !box.empty() || box.bytes != 0 || box.events != 0 {
			t.Fatalf("seed %d: discarded %d events and %d messages, want %d together", seed, gone, unread, len(want))
		}
	}
}

// TestMailboxLetsGo: an empty mailbox keeps little memory, and nothing that was
// in it.
func TestMailboxLetsGo(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, keptLetters, keptLetters + 1, 1000} {
		var box mailbox
		for range n {
			box.addMessage(Message{Data: []byte("x")})
		}
		for range n {
			box.take()
		}
		if cap(box.queue) > keptLetters {
			t.Errorf("after %d letters it keeps room for %d", n, cap(box.queue))
		}
		for _, l := range box.queue[:cap(box.queue)] {
			if l.event != nil || l.msg.Data != nil {
				t.Fatalf("after %d letters it keeps one of them", n)
			}
		}
	}
}
