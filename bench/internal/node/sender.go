package node

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sender sends to one group.
type sender struct {
	deliver func(ctx context.Context, group string, sentAt int64) error
	group   string
	request Request
	sends   *atomic.Int64
	failed  func(error)

	stop   context.CancelFunc
	tokens chan struct{} // one for each message that may be sent
	all    sync.WaitGroup

	mu struct {
		sync.Mutex
		acks []int // of each peer
		done int   // acks of all peers
	}
}

// peer is a node that acknowledges: this one, or the other one.
type peer int

const (
	other peer = iota
	own
)

func (s *sender) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.tokens = make(chan struct{}, max(s.request.Window, s.request.Senders))
	s.mu.acks = make([]int, s.request.Peers)
	for range s.request.Window {
		s.tokens <- struct{}{}
	}
	if s.request.Rate > 0 {
		s.all.Go(func() { s.pace(ctx) })
	}
	for range s.request.Senders {
		s.all.Go(func() { s.send(ctx) })
	}
}

// end waits until no send is under way.
func (s *sender) end() {
	s.stop()
	s.all.Wait()
}

func (s *sender) send(ctx context.Context) {
	for {
		select {
		case <-s.tokens:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return
		}
		if err := s.deliver(context.Background(), s.group, time.Now().UnixNano()); err != nil {
			s.failed(err)
		}
		s.sends.Add(1)
	}
}

// acknowledge makes room for more messages if all peers have acknowledged.
func (s *sender) acknowledge(p peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(p) >= len(s.mu.acks) || s.request.Window == 0 {
		return
	}
	s.mu.acks[p]++
	if slices.Contains(s.mu.acks, s.mu.done) {
		return
	}
	s.mu.done++
	for range s.request.Acknowledge {
		select {
		case s.tokens <- struct{}{}:
		default: // an acknowledgement of messages before Start
		}
	}
}

// pace hands out the tokens at the rate. If all senders are busy for so long that there is
// no room for another token, messages are left out, which Reply.Sends shows.
func (s *sender) pace(ctx context.Context) {
	period := time.Duration(float64(time.Second) / s.request.Rate)
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case s.tokens <- struct{}{}:
		default:
		}
	}
}
