package protocol

import (
	"math/rand/v2"
	"testing"
)

// box is a mailbox beside the simplest thing that does the same.
type box struct {
	mailbox
	want []letter
}

func (b *box) add(l letter) {
	b.want = append(b.want, l)
	if l.event != nil {
		b.addEvent(l.event)
	} else {
		b.addMessage(l.msg)
	}
}

// taken takes a letter from both, and reports whether they agree on it and on
// whether there are more.
func (b *box) taken() bool {
	got, want := b.take(), b.want[0]
	b.want = b.want[1:]
	return got.event == want.event && len(got.msg.Data) == len(want.msg.Data) && b.empty() == (len(b.want) == 0)
}

// counts are what the mailbox must say of itself.
func (b *box) counts() (events, bytes int) {
	for _, l := range b.want {
		if l.event != nil {
			events++
		} else {
			bytes += len(l.msg.Data) + messageOverhead
		}
	}
	return events, bytes
}

func (b *box) check(t *testing.T) {
	t.Helper()
	if events, bytes := b.counts(); b.events != events || b.bytes != bytes {
		t.Fatalf("counts %d events and %d bytes, want %d and %d", b.events, b.bytes, events, bytes)
	}
	if b.head > keptLetters && b.head > len(b.queue)/2 {
		t.Fatalf("%d of %d places are behind", b.head, len(b.queue))
	}
}

func TestMailboxAgainstASlice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var b box
		for i := range 600 {
			switch n := rnd.IntN(100); {
			case n < 30:
				b.add(letter{event: &Event{typ: "x"}})
			case n < 60-i/20: // it grows, and then shrinks
				b.add(letter{msg: Message{Data: make([]byte, rnd.IntN(20))}})
			case len(b.want) > 0 && !b.taken():
				t.Fatalf("seed %d: letter %d is not the oldest", seed, i)
			}
			b.check(t)
		}
		events, _ := b.counts()
		gone, unread := b.discard()
		if gone != events || gone+unread != len(b.want) {
			t.Fatalf("seed %d: discarded %d events and %d messages, want %d together", seed, gone, unread, len(b.want))
		}
		if !b.empty() || b.bytes != 0 || b.events != 0 {
			t.Fatalf("seed %d: something is left", seed)
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
