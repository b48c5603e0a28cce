package chatload

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// subprotocol is that of the page.
const subprotocol = "wye.chat.json"

// person is one of the crowd. One goroutine listens, and one talks.
type person struct {
	record // said is guarded by mu, the rest is the listener's

	crowd  *crowd
	number int
	cookie string // of those with a name
	url    string // of the room
	seen   int64  // the last message that was received
	holes  []hole
	asked  bool          // for what the first hole lacks, on this connection
	count  atomic.Int64  // of heard
	away   bool          // the last connection was lost
	limit  time.Duration // of the next backoff

	mu       sync.Mutex
	conn     *conn // nil: away
	dropping bool  // conn ends because the person wants it to
}

// hole is where messages are missing, because there were more than fit a page. Those
// at its edges are there.
type hole struct{ after, before int64 }

// listen opens the connection, and receives until it ends. Those who have dropped
// it come back. met is called when the chat has said hello for the first time.
func (p *person) listen(ctx context.Context, met func()) error {
	for {
		wanted, opened, err := p.visit(ctx, met)
		pause := rand.N(away)
		switch {
		case wanted:
		case p.mayLose(err):
			p.away = p.away || opened > 0
			pause = p.backoff(opened, err)
		default:
			return err
		}
		if p.id != "" {
			met = func() {}
		}
		if !wait(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// visit opens the connection, and receives until it ends. wanted tells whether the person
// has dropped it, and opened since when it was open, or 0.
func (p *person) visit(ctx context.Context, met func()) (wanted bool, opened time.Duration, err error) {
	c, err := p.dial(ctx)
	if err != nil {
		return false, 0, lost{err}
	}
	opened = p.crowd.now()
	if p.id != "" && rand.N(2) == 0 {
		p.enter(c) // some cannot wait
	}
	err = p.receive(c, met)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = nil
	wanted = p.dropping
	p.dropping = false
	_ = c.Close()
	return wanted, opened, err
}

// mayLose tells whether one comes back after an error: when a connection was lost that
// several nodes serve.
func (p *person) mayLose(err error) bool {
	gone := lost{}
	return p.crowd.Nodes > 0 && !p.crowd.ending.Load() && errors.As(err, &gone)
}

func (p *person) dial(ctx context.Context) (*conn, error) {
	if p.lines {
		return dial(ctx, p.url, "", p.header())
	}
	return dial(ctx, p.url+"?after="+strconv.FormatInt(p.seen, 10), subprotocol, p.header())
}

// header is that of every request of the person: the cookie, if there is one, and
// what a proxy would say. The chat bounds what is had at one address.
func (p *person) header() http.Header {
	const near = 20 // people at one address
	n := p.number / near
	h := http.Header{"X-Forwarded-For": {fmt.Sprintf("198.18.%d.%d", n/250, n%250)}}
	if p.cookie != "" {
		h.Set("Cookie", p.cookie)
	}
	return h
}

// receive receives until the connection ends.
func (p *person) receive(c *conn, met func()) error {
	first := true
	p.asked = false
	for {
		b, err := c.read()
		if err != nil {
			return lost{err}
		}
		if p.lines {
			err = p.text(string(b))
		} else {
			var a answer
			if err = json.Unmarshal(b, &a); err == nil {
				err = p.answer(c, &a, first)
			}
		}
		if err != nil {
			return err
		}
		if first {
			first = false
			if p.away {
				p.away = false
				p.crowd.comeback()
			}
			p.enter(c)
			met()
		}
	}
}

// enter begins to talk over a connection: what was said before and not
// acknowledged is said again.
func (p *person) enter(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == c || p.dropping {
		return
	}
	p.conn = c
	for n := range p.said {
		if p.said[n].acked == 0 {
			p.say(n)
		}
	}
}

// answer takes in what the chat sends to those who talk JSON.
func (p *person) answer(c *conn, a *answer, first bool) error {
	if first && a.Type != "welcome" {
		return fmt.Errorf("%q came before the welcome", a.Type)
	}
	switch a.Type {
	case "welcome":
		if !first {
			p.crowd.caughtUp.Add(1)
		}
		return p.welcome(c, a)
	case "older":
		return p.older(c, a)
	case "message":
		return p.message(&a.line, true)
	case "refused":
		return p.refused(c, a)
	case "typing":
		p.crowd.typing.Add(1)
	case "join", "leave":
		p.crowd.visits.Add(1)
	default:
		return fmt.Errorf("unexpected answer of type %q", a.Type)
	}
	return nil
}

func (p *person) welcome(c *conn, a *answer) error {
	if p.id != "" && p.id != a.You.ID {
		return fmt.Errorf("came back as %q, was %q", a.You.ID, p.id)
	}
	if p.id == "" { // others read it later
		p.id = a.You.ID
	}
	if a.Fresh && a.More && len(a.Messages) > 0 {
		p.holes = append(p.holes, hole{after: p.seen, before: a.Messages[0].Seq})
	}
	for i := range a.Messages {
		if err := p.message(&a.Messages[i], false); err != nil {
			return err
		}
	}
	return p.fill(c)
}

// fill asks for what is missing, a page at a time, if it has not been asked for.
func (p *person) fill(c *conn) error {
	if len(p.holes) == 0 || p.asked {
		return nil
	}
	p.asked = true
	return c.ask(request{Type: "older", Before: p.holes[0].before})
}

// older puts a page into the hole that it was asked for, at its end.
func (p *person) older(c *conn, a *answer) error {
	if !p.asked {
		return errors.New("messages came that were not asked for")
	}
	p.asked = false
	h := &p.holes[0]
	for i := range a.Messages {
		l := &a.Messages[i]
		if err := p.acknowledged(l, false); err != nil {
			return err
		}
		if l.Seq > h.after && l.Seq < h.before {
			if err := p.hear(l.Text, l.Seq, false); err != nil {
				return err
			}
		}
	}
	if a.More && len(a.Messages) > 0 && a.Messages[0].Seq > h.after+1 {
		h.before = a.Messages[0].Seq
	} else {
		p.holes = p.holes[1:]
	}
	return p.fill(c)
}

// message takes in a message, as the page does: none that is not behind the last
// one. The chat sends such a one only to acknowledge what was repeated.
func (p *person) message(l *line, live bool) error {
	if err := p.acknowledged(l, live); err != nil {
		return err
	}
	switch {
	case l.Seq > p.seen:
		p.seen = l.Seq
		return p.hear(l.Text, l.Seq, live)
	case l.Tag == "":
		return fmt.Errorf("message %d came after message %d", l.Seq, p.seen)
	default:
		return nil
	}
}

// hear takes in a message that is new, where it belongs.
func (p *person) hear(text string, seq int64, live bool) error {
	what, err := parse(text)
	if err != nil {
		return err
	}
	at := len(p.heard)
	if !p.lines && at > 0 && p.heard[at-1].seq > seq {
		at, _ = slices.BinarySearchFunc(p.heard, seq, func(h heard, seq int64) int { return cmp.Compare(h.seq, seq) })
	}
	p.heard = slices.Insert(p.heard, at, heard{id: what, seq: seq, at: p.crowd.now(), live: live})
	p.count.Add(1)
	return nil
}

// acknowledged notes that a message is stored, if it is one's own.
func (p *person) acknowledged(l *line, live bool) error {
	if l.Tag == "" {
		return nil
	}
	what, err := parse(l.Text)
	if err != nil {
		return err
	}
	if what.who != p.number || what.String() != l.Tag || l.From.ID != p.id {
		return fmt.Errorf("message %v of %v came with the tag %q", what, l.From, l.Tag)
	}
	return p.stored(what.n, l.Seq, live)
}

// stored notes that the chat has what was said.
func (p *person) stored(n int, seq int64, live bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n >= len(p.said) {
		return fmt.Errorf("message %v has not been said", id{p.number, n})
	}
	s := &p.said[n]
	switch {
	case s.acked == 0:
		s.acked, s.seq, s.live = p.crowd.now(), seq, live
		p.crowd.owed.Add(-1)
	case s.seq != seq:
		return fmt.Errorf("message %v was acknowledged with %d, and then with %d", id{p.number, n}, s.seq, seq)
	}
	return nil
}

// refused says again later what the chat could not take.
func (p *person) refused(c *conn, a *answer) error {
	if a.Retry == 0 {
		return fmt.Errorf("%q was refused: %s", a.Tag, a.Reason)
	}
	if a.Reason == "pages" {
		again := request{Type: "older", Before: p.holes[0].before}
		time.AfterFunc(time.Duration(a.Retry)*time.Millisecond, func() {
			_ = c.ask(again) //nolint:errcheck // the listener sees it
		})
		return nil
	}
	_, count, _ := strings.Cut(a.Tag, "/")
	n, err := strconv.Atoi(count)
	if err != nil {
		return fmt.Errorf("refused was %q: %w", a.Tag, err)
	}
	p.refuse(n, a.Reason == "slow", time.Duration(a.Retry)*time.Millisecond)
	return nil
}

func (p *person) refuse(n int, slow bool, retry time.Duration) {
	if slow {
		p.crowd.slow.Add(1)
	} else {
		p.crowd.busy.Add(1)
	}
	time.AfterFunc(retry, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.say(n)
	})
}

// text takes in what the chat sends to those who talk in lines.
func (p *person) text(s string) error {
	name, text, ok := spoken(s)
	switch {
	case strings.HasPrefix(s, "* You are "):
		if p.id == "" {
			p.id, _, _ = strings.Cut(strings.TrimPrefix(s, "* You are "), " ")
		}
		return nil
	case strings.HasPrefix(s, "* Slow down"), strings.HasPrefix(s, "* Much is said"), strings.HasPrefix(s, "* The chat cannot store"):
		// Somebody who talks in lines waits for one before he says the next.
		p.refuse(p.last(), strings.HasPrefix(s, "* Slow"), time.Second)
		return nil
	case !ok:
		p.crowd.visits.Add(1)
		return nil
	}
	if err := p.hear(text, 0, true); err != nil {
		return err
	}
	if name != p.id {
		return nil
	}
	return p.stored(p.heard[len(p.heard)-1].id.n, 0, true)
}
