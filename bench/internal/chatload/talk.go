package chatload

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gobwas/ws"
)

// talk says something every now and then, until ctx ends.
func (p *person) talk(ctx context.Context) {
	var typed time.Duration
	for {
		pause := p.pause()
		if !wait(ctx, pause/2) {
			return
		}
		if now := p.crowd.now(); !p.lines && now-typed > 3*time.Second && rand.Float64() < typingShare {
			typed = now
			p.tell(request{Type: "typing"})
		}
		if !wait(ctx, pause/2) {
			return
		}
		p.speak()
	}
}

// pause is how long to be silent: an interval of a Poisson process, though none
// that would outlast the run.
func (p *person) pause() time.Duration {
	return time.Duration(min(rand.ExpFloat64(), 5) * float64(p.crowd.Every))
}

// tell asks for something, if the person is there. That the connection is over is
// for the listener to see.
func (p *person) tell(r request) {
	p.mu.Lock()
	c := p.conn
	p.mu.Unlock()
	if c != nil {
		_ = c.ask(r) //nolint:errcheck // see above
	}
}

// speak says something new.
func (p *person) speak() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.said); p.conn == nil || p.lines && n > 0 && p.said[n-1].acked == 0 {
		return // away; or has to wait, because lines do not tell what has been refused
	}
	to := everybody
	if !p.lines && rand.Float64() < directShare {
		to = p.crowd.neighbour(p)
	}
	p.said = append(p.said, said{to: to, at: p.crowd.now()})
	p.crowd.owed.Add(1)
	p.say(len(p.said) - 1)
	if p.cookie != "" && rand.Float64() < dropShare {
		p.drop()
	}
}

// say says something, or says it again. mu is held.
func (p *person) say(n int) {
	s := &p.said[n]
	if p.conn == nil || s.acked != 0 {
		return // it is said on coming back, or has arrived by now
	}
	s.tries++
	what := id{p.number, n}
	if p.lines {
		_ = p.conn.send(ws.NewTextFrame([]byte(what.text()))) //nolint:errcheck // the listener sees it
		return
	}
	r := request{Type: "say", Tag: what.String(), Text: what.text()}
	if s.to != everybody {
		r.To = p.crowd.people[s.to].id
	}
	_ = p.conn.ask(r) //nolint:errcheck // the listener sees it
}

// drop ends the connection, in place of waiting for what is under way. mu is held.
func (p *person) drop() {
	p.dropping = true
	p.crowd.drops.Add(1)
	_ = p.conn.Close()
	p.conn = nil
}

// here tells whether the person is connected.
func (p *person) here() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn != nil
}

// last is the last thing that was said.
func (p *person) last() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.said) - 1
}

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
