package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Hub is the layer of a node.
type Hub interface {
	// Join makes a new member join a group. m counts what the member receives.
	Join(ctx context.Context, group string, m *Member) error
	// Send sends a message with this time to a group, and returns when the layer has
	// accepted it.
	Send(ctx context.Context, group string, sentAt int64) error
}

// Text is what every message has beside its time.
const Text = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

// server is a node that is being driven.
type server struct {
	hub   Hub
	meter *Meter
	pipe  *os.File // nil in the node that sends
	sends atomic.Int64
	send  *sender

	mu struct {
		sync.Mutex
		err error // of a send
	}
	sending atomic.Pointer[sender]
}

// Serve answers the requests on the standard input until it ends. sends says which of the
// two nodes this is.
func Serve(ctx context.Context, hub Hub, sends bool) error {
	pipe := os.NewFile(Pipe, "pipe")
	defer pipe.Close()
	s := &server{hub: hub, meter: newMeter()}
	if sends {
		go s.acknowledged(pipe)
	} else {
		s.pipe = pipe
	}
	go s.acknowledge()
	return s.serve(ctx, os.Stdin, os.Stdout)
}

func (s *server) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q Request
		if err := requests.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		found, err := s.do(ctx, q)
		r := s.reply(q, err)
		r.Found = found
		if err := replies.Encode(r); err != nil {
			return err
		}
	}
}

func (s *server) do(ctx context.Context, q Request) (found int, err error) {
	switch q.Do {
	case Join:
		return 0, s.join(ctx, q)
	case Expect:
		s.sends.Store(0)
		s.meter.latencies()
		s.meter.expect(int64(q.Acknowledge) * int64(q.Members))
	case Start:
		return 0, s.start(q)
	case Stop:
		s.sending.Store(nil)
		s.send.end()
	case Send:
		return 0, s.hub.Send(ctx, GroupName(q.First), time.Now().UnixNano())
	case Stats:
	default:
		return s.stored(ctx, q)
	}
	return 0, nil
}

// start starts to send.
func (s *server) start(q Request) error {
	send := s.hub.Send
	if q.Record {
		store, ok := s.hub.(Store)
		if !ok {
			return fmt.Errorf("request %q: this node keeps nothing", q.Do)
		}
		send = store.Record
	}
	s.send = &sender{deliver: send, group: GroupName(q.First), request: q, sends: &s.sends, failed: s.failed}
	s.send.start()
	s.sending.Store(s.send)
	return nil
}

// GroupName is the name of a group by its number.
func GroupName(n int) string { return fmt.Sprintf("g%d", n) }

// join makes the members join. In a group, those that look at the clock are spread evenly.
func (s *server) join(ctx context.Context, q Request) error {
	for i := range q.Groups {
		for j := range q.Members {
			step := max(q.Members/sampled, 1)
			m := &Member{meter: s.meter, sampled: j%step == step/2}
			if err := s.hub.Join(ctx, GroupName(q.First+i), m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.err = err
}

// reply returns the figures, and the error of the request or of a send.
func (s *server) reply(q Request, err error) Reply {
	user, system := used()
	r := Reply{
		At: time.Now().UnixNano(), User: user, System: system, Sends: s.sends.Load(), Deliveries: s.meter.deliveries.Load(),
		Heard: int(s.meter.heard.Load()), HeardAt: s.meter.heardAt.Load(),
	}
	if q.Do == Stats {
		r.Latencies = s.meter.latencies()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = errors.Join(err, s.mu.err); err != nil {
		r.Error = err.Error()
	}
	s.mu.err = nil
	return r
}

// acknowledge passes on this node's own acknowledgements.
func (s *server) acknowledge() {
	for range s.meter.acks {
		if s.pipe == nil {
			s.acknowledgedBy(own)
			continue
		}
		if _, err := s.pipe.Write([]byte{0}); err != nil {
			return // the other node has ended
		}
	}
}

// acknowledged takes in those of the other node.
func (s *server) acknowledged(pipe *os.File) {
	var b [64]byte
	for {
		n, err := pipe.Read(b[:])
		for range n {
			s.acknowledgedBy(other)
		}
		if err != nil {
			return
		}
	}
}

func (s *server) acknowledgedBy(p peer) {
	if now := s.sending.Load(); now != nil {
		now.acknowledge(p)
	}
}
