package consumertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// TestConflationModel compares the queue with a list that is searched from end to end,
// over random sends and reads.
func TestConflationModel(t *testing.T) {
	t.Parallel()
	var conflated, full, dropped int
	for seed := range uint64(50) {
		r := newQueueModel(t, seed)
		for i := range 300 {
			r.step(i)
		}
		for len(r.want) > 0 {
			r.next()
		}
		if n := r.counters.Stats().MessagesConflated; n != int64(r.conflated) || r.queue.mu.bytes != 0 || r.queue.mu.unread.Len() != 0 {
			t.Errorf("seed %d: %d conflated, want %d; %d bytes left", seed, n, r.conflated, r.queue.mu.bytes)
		}
		conflated, full, dropped = conflated+r.conflated, full+r.full, dropped+r.dropped
	}
	if conflated < 1000 || full < 1000 || dropped < 1000 {
		t.Errorf("only %d conflated, %d did not fit, %d dropped", conflated, full, dropped)
	}
}

type queueModel struct {
	t                        *testing.T
	seed                     uint64
	random                   *rand.Rand
	queue                    *transport
	counters                 *protocol.Counters
	want                     []protocol.Message
	conflated, full, dropped int
}

func newQueueModel(t *testing.T, seed uint64) *queueModel {
	t.Helper()
	r := &queueModel{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 1)), queue: newTransport(), counters: new(protocol.Counters)}
	limits := protocol.Limits{QueueBytes: 1 + r.random.IntN(3000), Overflow: protocol.OverflowDropNewest} // an exact bound
	r.queue.session = protocol.NewSession(t.Context(), nil, nil, r.queue, &protocol.SessionOptions{Counters: r.counters, Limits: limits})
	r.queue.mu.limit = limits.QueueBytes
	return r
}

func (r *queueModel) step(i int) {
	switch r.random.IntN(10) {
	case 0:
		r.next()
	case 1:
		n := r.queue.DropOldest(1000)
		for ; n > 0 && len(r.want) > 0; n-- {
			r.want = slices.Delete(r.want, 0, 1)
			r.dropped++
		}
		if n > 0 || len(r.want) > 0 && r.bytes()+1000 > r.queue.mu.limit {
			r.t.Fatalf("seed %d: DropOldest dropped too many messages, or too few", r.seed)
		}
	default:
		r.send(i)
	}
}

func (r *queueModel) bytes() (n int) {
	for _, m := range r.want {
		n += len(m.Data)
		if m.Key != "" {
			n += len(m.Key) + plumbing.KeyOverhead
		}
	}
	return n
}

func (r *queueModel) send(i int) {
	m := protocol.Text(fmt.Sprint(i, strings.Repeat(" ", r.random.IntN(300))))
	if n := r.random.IntN(12); n > 0 {
		m.Key = strings.Repeat("k", n)
	}
	before := slices.Clone(r.want)
	at := slices.IndexFunc(r.want, func(o protocol.Message) bool { return m.Key != "" && o.Key == m.Key })
	switch keyless := func(o protocol.Message) bool { return o.Key == "" }; {
	case at < 0:
		r.want = append(r.want, m)
	case slices.ContainsFunc(r.want[at:], keyless):
		r.want = append(slices.Delete(r.want, at, at+1), m)
	default:
		r.want[at] = m
	}
	var err error
	if r.random.IntN(2) == 0 {
		err = r.queue.Send(m)
	} else {
		err = r.queue.SendPrepared(protocol.Prepare(m))
	}
	fits := len(r.want) == 1 || r.bytes() <= r.queue.mu.limit
	switch {
	case err == nil && fits:
		r.conflated += min(at+1, 1)
	case errors.Is(err, protocol.ErrQueueFull) && !fits:
		r.want = before
		r.full++
	default:
		r.t.Fatalf("seed %d: message %d: %v; it fits: %t", r.seed, i, err, fits)
	}
}

func (r *queueModel) next() {
	m, ok, _, _ := r.queue.popMessage()
	if ok != (len(r.want) > 0) || ok && m.Text() != r.want[0].Text() || m.Key != "" {
		r.t.Fatalf("seed %d: popMessage returned %q", r.seed, m.Data)
	}
	if ok {
		r.want = slices.Delete(r.want, 0, 1)
	}
}
