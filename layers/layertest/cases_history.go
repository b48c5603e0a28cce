package layertest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// historyCases are for drivers that are layers.Historian.
func historyCases() []testCase {
	all := []testCase{
		{
			name: "history-order",
			rule: "What is appended reaches every node that has subscribed, the sender too, once and in the order of the offsets, " +
				"which are 1, 2, 3 and so on in each group; each event has the position that Append has returned.",
			run: historyOrder,
		},
		{
			name: "history-read",
			rule: "Read returns, on any node, what is behind a position, oldest first and at most Limit, the last ones if it is to be the Newest; " +
				"Last is the newest event's position; " +
				"a position that is not known is like none at all, but then it is not Complete.",
			run: historyRead,
		},
		{
			name: "history-keep-events",
			rule: "The last Keep.Events are kept and no more, as the latest Append says; " +
				"a page is Complete if nothing is missing between the position and its events.",
			run: historyKeepEvents,
		},
		{
			name: "history-keep-age",
			rule: "What is older than Keep.For is no longer read, but offsets go on, and a reader that had seen everything has missed nothing.",
			run:  historyKeepAge,
		},
		{
			name: "history-ctx",
			rule: "Append and Read with a ctx that has ended return its error, and nothing is appended.",
			run:  historyCtx,
		},
		{
			name: "history-restart",
			rule: "While the back end is down Append and Read return ErrDown; when it is back a history goes on where it was, " +
				"or begins anew with an epoch that there never was, and old positions are not Complete.",
			needs: needsStop,
			run:   historyRestart,
		},
		{
			name: "history-join",
			rule: "Layer.JoinFrom leaves no gap and makes no double between what it has read and what is delivered, " +
				"while several nodes record.",
			run: historyJoin,
		},
	}
	for i := range all {
		all[i].asks = asksHistory
	}
	return all
}

// historian is the driver, which is one, or the case is skipped.
func (p *peer) historian() layers.Historian {
	d, ok := p.driver.(layers.Historian)
	if !ok {
		p.env.fatalf("%T is no layers.Historian, although another driver of New's was", p.driver)
	}
	return d
}

// plenty keeps all of what a case appends.
func plenty() layers.Retention { return layers.Retention{MaxEvents: 1000, MaxAge: time.Hour} }

func (p *peer) tryAppend(group string, n int, k layers.Retention) (at protocol.Position, err error) {
	e := newNote(p.name, n)
	p.env.must("Sealing an event", events.Seal(e))
	err = p.env.call("Append", func(ctx context.Context) error {
		at, err = p.historian().Append(ctx, group, e, k)
		return err
	})
	return at, err
}

// append appends note n, or fails.
func (p *peer) append(group string, n int, k layers.Retention) protocol.Position {
	at, err := p.tryAppend(group, n, k)
	p.env.must("Append", err)
	return at
}

func (p *peer) tryRead(group string, r layers.Range) (h layers.History, err error) {
	err = p.env.call("Read", func(ctx context.Context) error {
		h, err = p.historian().Read(ctx, group, r)
		return err
	})
	return h, err
}

// read reads behind after, or fails.
func (p *peer) read(group string, after protocol.Position, limit int) layers.History {
	return p.readRange(group, layers.Range{After: after, Limit: limit})
}

func (p *peer) readRange(group string, r layers.Range) layers.History {
	h, err := p.tryRead(group, r)
	p.env.must("Read", err)
	return h
}

// span is from, from+1, ... to; empty if to is less.
func span(from, to int) []int {
	var all []int
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

// offsets are those of events, which must be of one epoch and notes that have their
// offsets for numbers.
func (s *env) offsets(what, epoch string, events []*protocol.Event) []int {
	all := make([]int, len(events))
	for i, e := range events {
		at := e.Position()
		all[i] = int(at.Offset) //nolint:gosec // there are few
		if at.Epoch != epoch {
			s.fatalf("%s: an event is at %q, want the epoch %q", what, at, epoch)
		}
		if n := s.oneNote(e); n != all[i] {
			s.fatalf("%s: note %d is at %q", what, n, at)
		}
	}
	return all
}

// wantPage wants notes of a history whose numbers are their offsets.
func (s *env) wantPage(what string, h layers.History, last protocol.Position, complete bool, want ...int) {
	if got := s.offsets(what, last.Epoch, h.Events); !slices.Equal(got, want) {
		s.fatalf("%s: read the offsets %s, want %s", what, shorten(got), shorten(want))
	}
	if h.Last != last || h.Complete != complete {
		s.fatalf("%s: read Last %q, Complete %t; want %q, %t", what, h.Last, h.Complete, last, complete)
	}
}

func historyOrder(s *env) {
	const each = 25
	g, other, all, stranger := s.name("record"), s.name("other"), s.peers(3), s.peer()
	for _, p := range all {
		p.subscribe(g)
	}
	stranger.subscribe(other)
	var mu sync.Mutex
	placed := map[protocol.Position]note{}
	s.parallel(2, func(i int) {
		for n := range each {
			at := all[i].append(g, n, plenty())
			mu.Lock()
			placed[at] = note{From: all[i].name, N: n}
			mu.Unlock()
		}
	})
	stranger.append(other, 1, plenty())
	for _, p := range append(all, stranger) {
		group, count := g, 2*each
		if p == stranger {
			group, count = other, 1
		}
		for i, e := range p.events(group, count) {
			at := e.Position()
			if at.Offset != uint64(i+1) {
				s.fatalf("event %d that came to a node is at %q", i+1, at)
			}
			if got, err := noteOf(e); p != stranger && (err != nil || got.From != placed[at].From || got.N != placed[at].N) {
				s.fatalf("note %d came at %q, where Append has put note %d", got.N, at, placed[at].N)
			}
		}
		p.only(group, count)
	}
	if n := stranger.total(); n != 1 {
		s.fatalf("a node that has subscribed to another group got %d events, want 1", n)
	}
}

// only says how many events of a group there must ever be.
func (p *peer) only(group string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.expected[group] = n
}

func historyRead(s *env) {
	g, a, b := s.name("read"), s.peer(), s.peer()
	var first, last protocol.Position
	for _, after := range []protocol.Position{{}, {Epoch: "layertest", Offset: 3}} {
		s.wantPage("no history", b.read(g, after, 0), last, after.IsZero())
	}
	for n := range 10 {
		last = a.append(g, n+1, plenty())
		if n == 0 {
			first = last
		}
	}
	if first.Epoch == "" || first.Offset != 1 || last.Offset != 10 || first.Epoch != last.Epoch {
		s.fatalf("the first of 10 events is at %q and the last at %q", first, last)
	}
	at := func(offset uint64) protocol.Position { return protocol.Position{Epoch: last.Epoch, Offset: offset} }
	for _, p := range []*peer{a, b} {
		s.wantPage("from the beginning", p.read(g, protocol.Position{}, 0), last, true, span(1, 10)...)
		s.wantPage("behind the first", p.read(g, at(1), 0), last, true, span(2, 10)...)
		s.wantPage("behind the 7th", p.read(g, at(7), 0), last, true, span(8, 10)...)
		s.wantPage("behind the last", p.read(g, last, 0), last, true)
		s.wantPage("3 from the beginning", p.read(g, protocol.Position{}, 3), last, true, span(1, 3)...)
		s.wantPage("3 behind the 5th", p.read(g, at(5), 3), last, true, span(6, 8)...)
		newest := func(n int, after protocol.Position) layers.History {
			return p.readRange(g, layers.Range{After: after, Limit: n, Newest: true})
		}
		s.wantPage("the newest 3", newest(3, protocol.Position{}), last, false, span(8, 10)...)
		s.wantPage("the newest 3 behind the 5th", newest(3, at(5)), last, false, span(8, 10)...)
		s.wantPage("the newest 5 behind the 8th, of which there are 2", newest(5, at(8)), last, true, 9, 10)
		s.wantPage("5 behind the 8th", p.read(g, at(8), 5), last, true, 9, 10)
		s.wantPage("behind what has not been yet", p.read(g, at(11), 0), last, false, span(1, 10)...)
		s.wantPage("behind another epoch", p.read(g, protocol.Position{Epoch: "layertest", Offset: 3}, 0), last, false, span(1, 10)...)
	}
}

func historyKeepEvents(s *env) {
	g, a, b := s.name("keep"), s.peer(), s.peer()
	var last protocol.Position
	put := func(from, to, events int) {
		for _, n := range span(from, to) {
			last = a.append(g, n, layers.Retention{MaxEvents: events, MaxAge: time.Hour})
		}
	}
	behind := func(offset uint64) layers.History {
		return b.read(g, protocol.Position{Epoch: last.Epoch, Offset: offset}, 0)
	}
	put(1, 12, 5)
	s.wantPage("from the beginning of 12 of which 5 are kept", b.read(g, protocol.Position{}, 0), last, false, span(8, 12)...)
	s.wantPage("behind the 6th, and the 7th is not kept", behind(6), last, false, span(8, 12)...)
	s.wantPage("behind the 7th", behind(7), last, true, span(8, 12)...)
	s.wantPage("behind the 10th", behind(10), last, true, 11, 12)
	s.wantPage("behind the last", behind(12), last, true)
	put(13, 13, 2)
	s.wantPage("fewer are kept from now on", behind(9), last, false, 12, 13)
	put(14, 16, 3)
	s.wantPage("more are kept from now on", behind(13), last, true, 14, 15, 16)
}

func historyKeepAge(s *env) {
	g, long, a, b := s.name("short"), s.name("long"), s.peer(), s.peer()
	brief := layers.Retention{MaxEvents: 1000, MaxAge: s.suite.patience() / 10}
	began := time.Now()
	var last, longLast protocol.Position
	for _, n := range span(1, 3) {
		longLast = a.append(long, n, plenty())
		last = a.append(g, n, brief)
	}
	if h := b.read(g, protocol.Position{}, 0); time.Since(began) < brief.MaxAge {
		s.wantPage("at once", h, last, true, 1, 2, 3)
	}
	<-time.After(brief.MaxAge)
	first := protocol.Position{Epoch: last.Epoch, Offset: 1}
	s.wantPage("from the beginning, all too old", b.read(g, protocol.Position{}, 0), last, false)
	s.wantPage("behind the first, all too old", b.read(g, first, 0), last, false)
	s.wantPage("behind the last, all too old", b.read(g, last, 0), last, true)
	s.wantPage("kept for longer", b.read(long, protocol.Position{}, 0), longLast, true, 1, 2, 3)
	after := a.append(g, 4, plenty())
	s.wantPage("behind the last, and one more has come", b.read(g, last, 0), after, true, 4)
	s.wantPage("from the beginning, and one is kept", b.read(g, protocol.Position{}, 0), after, false, 4)
}

func historyCtx(s *env) {
	g, a := s.name("ended"), s.peer()
	d := a.historian()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	e := newNote(a.name, 1)
	s.must("Sealing an event", events.Seal(e))
	s.wantErr("Append with a ctx that has ended", s.watch("Append", func() error {
		_, err := d.Append(ctx, g, e, plenty())
		return err
	}), context.Canceled)
	s.wantErr("Read with a ctx that has ended", s.watch("Read", func() error {
		_, err := d.Read(ctx, g, layers.Range{})
		return err
	}), context.Canceled)
	if h := a.read(g, protocol.Position{}, 0); len(h.Events) > 0 {
		s.fatalf("%d events are kept of an Append whose ctx had ended", len(h.Events))
	}
}

func historyRestart(s *env) {
	g, a, b := s.name("restart"), s.peer(), s.peer()
	b.subscribe(g)
	n, last := 0, protocol.Position{}
	seen := map[string]bool{}
	for round := range 3 {
		before := last
		n++
		last = a.append(g, n, plenty())
		h := b.read(g, before, 0)
		switch {
		case before.IsZero() || last.Epoch == before.Epoch:
			s.wantPage("the same epoch", h, last, true, n)
		case seen[last.Epoch] || last.Offset != 1:
			s.fatalf("after restart %d, the first event of another epoch is at %q", round, last)
		default:
			if h.Complete || len(h.Events) != 1 || h.Last != last {
				s.fatalf("behind %q, of another epoch: read %d events, Complete %t, Last %q; want 1, false, %q",
					before, len(h.Events), h.Complete, h.Last, last)
			}
			n = 1
		}
		if events := b.events(g, round+1); events[round].Position() != last {
			s.fatalf("what has been appended at %q came at %q", last, events[round].Position())
		}
		seen[last.Epoch] = true
		s.goDown(a, b)
		_, appended := a.tryAppend(g, 99, plenty())
		_, read := a.tryRead(g, layers.Range{After: last})
		s.goUp(a, b)
		s.wantErr("Append while the back end is down", appended, layers.ErrDown)
		s.wantErr("Read while the back end is down", read, layers.ErrDown)
	}
}

// reader is a member that writes down the offsets of what it gets.
type reader struct {
	env  *env
	read []int // from the history
	mu   struct {
		sync.Mutex
		offsets []int
		news    chan struct{}
	}
}

func (r *reader) Deliver(e *protocol.Event) (yield bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.offsets = append(r.mu.offsets, int(e.Position().Offset)) //nolint:gosec // there are few
	select {
	case r.mu.news <- struct{}{}:
	default: // it is there
	}
	return false
}

func (*reader) Offer(*protocol.Prepared) (yield bool) { return false }

func (r *reader) gotten() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.mu.offsets)
}

// want waits until what was read and what came is everything, once.
func (r *reader) want(count int) {
	over, stop := r.env.patience()
	defer stop()
	for len(r.read)+len(r.gotten()) < count {
		select {
		case <-r.mu.news:
		case <-over:
			r.env.fatalf("a member read the offsets %s and got %s, want 1 to %d in all", shorten(r.read), shorten(r.gotten()), count)
		}
	}
	if got := r.gotten(); !slices.Equal(slices.Concat(r.read, got), span(1, count)) {
		r.env.fatalf("a member read the offsets %s and got %s, want 1 to %d without a gap or a double",
			shorten(r.read), shorten(got), count)
	}
}

func historyJoin(s *env) {
	const each, joinEvery = 60, 6
	g, nodes := s.name("join"), []*layers.Layer{s.layer(), s.layer(), s.layer()}
	s.parallel(2, func(i int) {
		joined := make(chan struct{})
		close(joined)
		for n := range each {
			if n%joinEvery == 0 {
				<-joined // so that there are joins all the time, each while others record
				done := make(chan struct{})
				joined = done
				s.background(func() { s.joinFrom(nodes[(i+n/joinEvery)%len(nodes)], g, done).want(2 * each) })
			}
			s.must("Record", s.call("Record", func(ctx context.Context) error {
				_, err := nodes[i].Record(ctx, g, newNote("r", n), plenty())
				return err
			}))
		}
	})
}

// joinFrom has a member join from the beginning, and closes joined when it has.
func (s *env) joinFrom(l *layers.Layer, group string, joined chan struct{}) *reader {
	defer close(joined)
	r := &reader{env: s}
	r.mu.news = make(chan struct{}, 1)
	s.must("JoinFrom", s.call("JoinFrom", func(ctx context.Context) error {
		h, err := l.JoinFrom(ctx, group, r, layers.Range{})
		for _, e := range h.Events {
			r.read = append(r.read, int(e.Position().Offset)) //nolint:gosec // there are few
		}
		return err
	}))
	return r
}
