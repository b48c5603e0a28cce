package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// box is a mailbox beside the simplest thing that does the same.
type box struct {
	mailbox
	want []entry
}

// add adds l to both. A message with a key takes the place of one with its key, if
// there are only messages with keys and messages of the peer behind that.
func (b *box) add(l entry) (agreed bool) {
	switch {
	case l.event != nil:
		b.addEvent(l)
	case l.prepared != nil:
		replaced, old := b.addPrepared(l.prepared), b.replaceable(l.prepared.Key())
		if old >= 0 {
			b.want[old] = l
		}
		if old >= 0 || replaced {
			return replaced == (old >= 0)
		}
	default:
		b.addMessage(l.message())
	}
	b.want = append(b.want, l)
	return true
}

// replaceable is the index of the message that one with that key replaces, or -1.
func (b *box) replaceable(key string) int {
	for i, l := range slices.Backward(b.want) {
		switch {
		case l.isMessage():
		case l.event != nil, key == "", l.prepared.Key() == "":
			return -1
		case l.prepared.Key() == key:
			return i
		}
	}
	return -1
}

func same(a, b entry) bool {
	return a.event == b.event && a.prepared == b.prepared && len(a.data) == len(b.data)
}

// taken takes a entry from both, and reports whether they agree on it and on
// whether there are more.
func (b *box) taken() bool {
	got, want := b.dequeue(), b.want[0]
	b.want = b.want[1:]
	return same(got, want) && b.empty() == (len(b.want) == 0)
}

// dropped drops the oldest event of both, if there is one.
func (b *box) dropped() bool {
	i := slices.IndexFunc(b.want, func(l entry) bool { return !l.isMessage() })
	if i < 0 {
		return true
	}
	want := b.want[i]
	b.want = slices.Delete(slices.Clone(b.want), i, i+1)
	return same(b.dropEvent(), want)
}

// counts are what the mailbox must say of itself.
func (b *box) counts() (events, eventBytes, bytes int) {
	for _, l := range b.want {
		if l.isMessage() {
			bytes += l.size()
		} else {
			events++
			eventBytes += l.size()
		}
	}
	return events, eventBytes, bytes
}

func (b *box) check(t *testing.T) {
	t.Helper()
	if events, eventBytes, bytes := b.counts(); b.events != events || b.eventBytes != eventBytes || b.bytes != bytes {
		t.Fatalf("counts %d events of %d bytes and %d bytes, want %d, %d and %d", b.events, b.eventBytes, b.bytes, events, eventBytes, bytes)
	}
}

// randomLetter is a entry of any kind.
func randomLetter(rnd *rand.Rand) entry {
	switch rnd.IntN(4) {
	case 0:
		return entry{event: &Event{typ: "x", body: make([]byte, rnd.IntN(20))}}
	case 1:
		return entry{data: make([]byte, rnd.IntN(20))}
	}
	m := Message{Data: make([]byte, rnd.IntN(20))}
	if n := rnd.IntN(8); n > 0 {
		m.Key = fmt.Sprint("key", n)
	}
	return entry{prepared: Prepare(m)}
}

func TestMailboxAgainstASlice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var b box
		for i := range 600 {
			switch n := rnd.IntN(100); {
			case n < 60-i/20: // it grows, and then shrinks
				if !b.add(randomLetter(rnd)) {
					t.Fatalf("seed %d: entry %d has replaced another, or should have", seed, i)
				}
			case n < 65:
				if !b.dropped() {
					t.Fatalf("seed %d: entry %d is not the oldest event", seed, i)
				}
			case len(b.want) > 0 && !b.taken():
				t.Fatalf("seed %d: entry %d is not the oldest", seed, i)
			}
			b.check(t)
		}
		events, _, _ := b.counts()
		was := b.discard()
		if was.events+was.sent != events || was.events+was.sent+was.messages != len(b.want) {
			t.Fatalf("seed %d: discarded %+v, want %d together", seed, was, len(b.want))
		}
		b.want = nil
		b.check(t)
		if !b.empty() || b.queue.HasKeys() {
			t.Fatalf("seed %d: something is left", seed)
		}
	}
}
