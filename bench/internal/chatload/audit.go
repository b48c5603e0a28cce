package chatload

import (
	"errors"
	"fmt"
)

// most is how many complaints are made.
const most = 20

// ledger finds what does not add up.
type ledger struct {
	people   []*record
	times    map[id]int // how often a message is stored
	problems []error
	left     int // out of problems
}

// audit returns what does not add up: each message that was said has to be
// acknowledged, be stored once, as it was said, and be received once by each whom it
// is for, in the order of its room.
func audit(people []*record, rows []row) error {
	l := &ledger{people: people, times: make(map[id]int)}
	rooms := make(map[string][]entry)
	for i := range rows {
		what, err := l.entry(&rows[i], int64(len(rooms[rows[i].room])+1))
		if err != nil {
			l.complainf("%s, %d: %w", rows[i].room, rows[i].seq, err)
		}
		rooms[rows[i].room] = append(rooms[rows[i].room], entry{&rows[i], what})
	}
	for who, p := range people {
		for n := range p.said {
			l.said(id{who, n}, &p.said[n])
		}
		l.heard(who, p, rooms[p.room])
	}
	if l.left > 0 {
		l.problems = append(l.problems, fmt.Errorf("and %d more", l.left))
	}
	return errors.Join(l.problems...)
}

// entry is a message that is stored and known.
type entry struct {
	*row

	id id
}

func (l *ledger) complainf(format string, args ...any) {
	if len(l.problems) < most {
		l.problems = append(l.problems, fmt.Errorf(format, args...))
	} else {
		l.left++
	}
}

// entry returns which message is stored, in the place that it should have.
func (l *ledger) entry(r *row, place int64) (what id, err error) {
	if what, err = parse(r.text); err != nil {
		return what, err
	}
	l.times[what]++
	if what.who >= len(l.people) || what.n >= len(l.people[what.who].said) {
		return what, fmt.Errorf("message %v is stored, and nobody has said it", what)
	}
	p := l.people[what.who]
	s := &p.said[what.n]
	want := row{room: p.room, seq: place, from: p.id, text: r.text}
	if s.to != everybody {
		want.to = l.people[s.to].id
	}
	if !p.lines {
		want.tag = what.String()
	}
	switch {
	case *r != want:
		return what, fmt.Errorf("%+v is stored, want %+v", *r, want)
	case s.acked == 0:
		return what, fmt.Errorf("message %v is stored, and was not acknowledged", what)
	case s.seq != r.seq && !p.lines:
		return what, fmt.Errorf("message %v was acknowledged with %d", what, s.seq)
	}
	return what, nil
}

// said sees to it that a message is stored once.
func (l *ledger) said(what id, s *said) {
	switch n := l.times[what]; {
	case n == 0 && s.acked == 0:
		l.complainf("message %v is neither acknowledged nor stored", what)
	case n == 0:
		l.complainf("message %v was acknowledged, and is not stored", what)
	case n > 1:
		l.complainf("message %v is stored %d times", what, n)
	}
}

// heard sees to it that a person has received what the room has for him.
func (l *ledger) heard(who int, p *record, room []entry) {
	got := p.heard
	for _, e := range room {
		if !visible(e.row, p) {
			continue
		}
		if len(got) == 0 {
			l.complainf("person %d has not received message %v, %d of %s", who, e.id, e.seq, p.room)
			return
		}
		if got[0].id != e.id || !p.lines && got[0].seq != e.seq {
			l.complainf("person %d received message %v as %d, where %s has message %v as %d", who, got[0].id, got[0].seq, p.room, e.id, e.seq)
			return
		}
		got = got[1:]
	}
	if len(got) > 0 {
		l.complainf("person %d received message %v, and more, when the room had no more", who, got[0].id)
	}
}

// visible tells whether a message is for somebody in its room.
func visible(r *row, p *record) bool { return r.to == "" || r.to == p.id || r.from == p.id }

// due is how many messages each person is to receive.
func (c *crowd) due(rows []row) []int64 {
	rooms := make(map[string][]*row)
	for i := range rows {
		rooms[rows[i].room] = append(rooms[rows[i].room], &rows[i])
	}
	due := make([]int64, len(c.people))
	for i, p := range c.people {
		for _, r := range rooms[p.room] {
			if visible(r, &p.record) {
				due[i]++
			}
		}
	}
	return due
}

// missing is how many of those have not been received, or have been by somebody who
// is away.
func (c *crowd) missing(due []int64) (n int64) {
	for i, p := range c.people {
		n += max(due[i]-p.count.Load(), 0)
		if !p.here() {
			n++
		}
	}
	return n
}

// records are what everybody knows, when everything is over.
func (c *crowd) records() []*record {
	all := make([]*record, len(c.people))
	for i, p := range c.people {
		all[i] = &p.record
	}
	return all
}
