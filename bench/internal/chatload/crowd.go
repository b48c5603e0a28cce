package chatload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// crowd is all the people, and what they count together.
type crowd struct {
	Config

	addr   string
	people []*person
	began  time.Time
	owed   atomic.Int64 // messages that were said and not acknowledged
	ending atomic.Bool  // the chat has been asked to end

	mu      sync.Mutex
	killed  time.Duration   // when a node was killed
	returns []time.Duration // when people came back whose connections were lost

	drops, slow, busy        atomic.Int64 // connections dropped, refusals
	caughtUp, typing, visits atomic.Int64 // welcomes after the first one, notices
}

// newCrowd decides who is where, and who does what.
func newCrowd(cfg *Config, addr string) *crowd {
	c := &crowd{Config: *cfg, addr: addr, people: make([]*person, cfg.People), began: time.Now()}
	for i, place := range rand.Perm(cfg.People) {
		room := fmt.Sprintf("room-%d", place%cfg.Rooms)
		c.people[i] = &person{
			record: record{room: room, lines: i >= cfg.Named && i < cfg.Named+cfg.Lines},
			crowd:  c, number: i, url: "ws://" + addr + "/ws/" + room + "/",
		}
	}
	return c
}

func (c *crowd) now() time.Duration { return time.Since(c.began) }

// neighbour is somebody else in the same room.
func (c *crowd) neighbour(p *person) int {
	for {
		if n := rand.IntN(len(c.people)); n != p.number && c.people[n].room == p.room {
			return n
		}
	}
}

// name gives those a name who are to have one, as fast as the chat does.
func (c *crowd) name(ctx context.Context) error {
	for _, p := range c.people[:c.Named] {
		for p.cookie == "" {
			retry, err := p.choose(ctx)
			if err != nil {
				return fmt.Errorf("person %d: %w", p.number, err)
			}
			if retry && !wait(ctx, 50*time.Millisecond) {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// choose asks for a name. retry means that too many do at the moment.
func (p *person) choose(ctx context.Context) (retry bool, err error) {
	body, err := json.Marshal(who{Name: fmt.Sprintf("Person %d", p.number)})
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.crowd.addr+"/me", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header = p.header()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		for _, cookie := range resp.Cookies() {
			p.cookie = cookie.Name + "=" + cookie.Value
		}
		return false, require(p.cookie != "", "a name and no cookie")
	case http.StatusTooManyRequests:
		return true, nil
	default:
		return false, fmt.Errorf("choosing a name: %s", resp.Status)
	}
}

// enter brings everybody in, some at a time, and returns when all have been
// welcomed. Those who leave without wanting to end ctx, with the reason.
func (c *crowd) enter(ctx context.Context, all *sync.WaitGroup, fail context.CancelCauseFunc) error {
	const atOnce = 32
	free := make(chan struct{}, atOnce)
	for _, p := range c.people {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		all.Go(func() {
			if err := p.listen(ctx, func() { <-free }); !c.expected(err) {
				fail(fmt.Errorf("person %d: %w", p.number, err))
			}
		})
	}
	for range atOnce { // until nobody is under way
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// expected tells whether a connection may end like this: at the end, when the chat
// goes.
func (c *crowd) expected(err error) bool {
	if c.Nodes > 0 {
		return c.ending.Load() // nginx cuts them
	}
	end := closed{}
	return c.ending.Load() && errors.As(err, &end) && end.code == ws.StatusGoingAway
}

// talk has everybody talk for the duration.
func (c *crowd) talk(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	var all sync.WaitGroup
	for _, p := range c.people {
		all.Go(func() { p.talk(ctx) })
	}
	all.Wait()
}

// until waits until something is so that does not tell when it becomes so.
func until(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it takes too long"))
	defer cancel()
	for !so() {
		if !wait(ctx, 10*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// close cuts whatever connections there are.
func (c *crowd) close() {
	for _, p := range c.people {
		p.mu.Lock()
		if p.conn != nil {
			_ = p.conn.Close()
		}
		p.mu.Unlock()
	}
}
