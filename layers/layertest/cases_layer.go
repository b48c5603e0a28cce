package layertest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// layerCases use drivers through layers, as programs do.
func layerCases() []testCase {
	return []testCase{
		{
			name: "layer-join",
			rule: "When Join has returned a member receives what is sent on every node from then on; when Leave has, it receives nothing more.",
			run:  layerJoin,
		},
		{
			name: "layer-storm",
			rule: "After many have joined and left groups at once on several nodes, what is sent reaches exactly the members, once.",
			run:  layerStorm,
		},
		{
			name: "layer-broadcast",
			rule: "Layer.Broadcast reaches the members of all nodes as the same message, text or binary, and each once.",
			run:  layerBroadcast,
		},
		{
			name: "layer-send",
			rule: "Layer.Send reaches a consumer's channel on another node, and a named channel is pulled on any.",
			run:  layerSend,
		},
	}
}

// layer opens the layer of another node.
func (s *env) layer() *layers.Layer {
	var l *layers.Layer
	s.must("Start", s.call("Start", func(ctx context.Context) (err error) {
		l, err = layers.Open(ctx, s.suite.New(s.t))
		return err
	}))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.layers = append(s.mu.layers, l)
	return l
}

// member is a layer's member that records what it receives.
type member struct {
	env *env
	mu  struct {
		sync.Mutex
		notes    []note
		messages []protocol.Message
		news     chan struct{}
	}
}

func (s *env) member() *member {
	m := &member{env: s}
	m.mu.news = make(chan struct{}, 1)
	return m
}

func (m *member) Deliver(e *protocol.Event) (yield bool) {
	n, err := noteOf(e)
	if err != nil {
		m.env.errorf("A member got what nobody sent: %w", err)
	}
	m.record(func() { m.mu.notes = append(m.mu.notes, n) })
	return false
}

func (m *member) Offer(p *protocol.Prepared) (yield bool) {
	m.record(func() { m.mu.messages = append(m.mu.messages, p.Message()) })
	return false
}

func (m *member) record(write func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	write()
	select {
	case m.mu.news <- struct{}{}:
	default: // it is there
	}
}

// numbers returns the numbers of the notes that one sender has sent.
func (m *member) numbers(from string) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []int
	for _, n := range m.mu.notes {
		if n.From == from {
			all = append(all, n.N)
		}
	}
	return all
}

// wantFrom waits for the notes of one sender, and wants these and no others.
func (m *member) wantFrom(from string, want ...int) {
	over, stop := m.env.patience()
	defer stop()
	for len(m.numbers(from)) < len(want) {
		select {
		case <-m.mu.news:
		case <-over:
			m.env.fatalf("a member got %s of what was sent, want %s", shorten(m.numbers(from)), shorten(want))
		}
	}
	if got := m.numbers(from); !slices.Equal(got, want) {
		m.env.fatalf("a member got %s of what was sent, want %s", shorten(got), shorten(want))
	}
}

func (s *env) join(l *layers.Layer, group string, m layers.Member) {
	s.must("Join", s.call("Join", func(ctx context.Context) error { return l.Join(ctx, group, m) }))
}

func (s *env) groupSend(l *layers.Layer, group, from string, n int) {
	s.must("GroupSend", s.call("GroupSend", func(ctx context.Context) error { return l.GroupSend(ctx, group, newNote(from, n)) }))
}

func layerJoin(s *env) {
	g, here, there, m, stays := s.name("join"), s.layer(), s.layer(), s.member(), s.member()
	s.join(there, g, stays)
	for n := range 30 {
		s.join(there, g, m)
		s.groupSend(here, g, "in", n)
		s.groupSend(there, g, "by", n)
		m.wantFrom("in", upTo(n+1)...)
		there.Leave(g, m)
		s.groupSend(here, g, "out", n)
		stays.wantFrom("out", upTo(n+1)...)
	}
	stays.wantFrom("in", upTo(30)...)
	stays.wantFrom("by", upTo(30)...)
	m.wantFrom("by", upTo(30)...)
	m.wantFrom("out")
}

// randomMember is a member that joins and leaves at random.
type randomMember struct {
	*member
	layer *layers.Layer
	kept  []bool // in which groups it is at the end
}

func layerStorm(s *env) {
	const perNode, groups = 8, 6
	all := []*layers.Layer{s.layer(), s.layer(), s.layer()}
	names := make([]string, groups)
	for g := range names {
		names[g] = s.name(fmt.Sprintf("storm%d", g))
	}
	members := make([]*randomMember, len(all)*perNode)
	s.parallel(len(members), func(i int) {
		random := rand.New(rand.NewPCG(uint64(i), 2)) //nolint:gosec // repeatable
		members[i] = &randomMember{s.member(), all[i%len(all)], make([]bool, groups)}
		members[i].joinAtRandom(names, random)
	})
	calm := func(group, from int) string { return fmt.Sprintf("group %d from %d", group, from) }
	for g, name := range names {
		for i, l := range all {
			s.groupSend(l, name, calm(g, i), g)
		}
	}
	for _, m := range members {
		for at := range groups * len(all) {
			var want []int
			if g := at % groups; m.kept[g] {
				want = []int{g}
			}
			m.wantFrom(calm(at%groups, at/groups), want...)
		}
	}
}

// joinAtRandom joins and leaves groups, and sends to them.
func (m *randomMember) joinAtRandom(names []string, random *rand.Rand) {
	s := m.env
	for n := range 25 * len(names) {
		g := random.IntN(len(names))
		m.kept[g] = random.IntN(2) == 0
		if m.kept[g] {
			s.join(m.layer, names[g], m)
		} else {
			m.layer.Leave(names[g], m)
		}
		if n%6 == 0 {
			s.groupSend(m.layer, names[random.IntN(len(names))], "storm", 0)
		}
	}
}

func layerBroadcast(s *env) {
	g, here, there := s.name("broadcast"), s.layer(), s.layer()
	near, far := s.member(), s.member()
	s.join(here, g, near)
	s.join(there, g, far)
	all := []protocol.Message{
		protocol.Text("text"), protocol.Binary([]byte{0, 0xff}), protocol.Text(""), protocol.Binary(nil), protocol.Text("end"),
	}
	for _, m := range all {
		s.must("Broadcast", s.call("Broadcast", func(ctx context.Context) error { return here.Broadcast(ctx, g, m) }))
	}
	near.wantMessages(all)
	far.wantMessages(all)
	s.groupSend(there, g, "there", 0)
	near.wantFrom("there", 0)
	far.wantFrom("there", 0)
	near.wantMessages(all)
}

// wantMessages waits for messages, and wants these and no others.
func (m *member) wantMessages(want []protocol.Message) {
	over, stop := m.env.patience()
	defer stop()
	got := m.gotten()
	for ; len(got) < len(want); got = m.gotten() {
		select {
		case <-m.mu.news:
		case <-over:
			m.env.fatalf("a member got %d of %d messages that were broadcast", len(got), len(want))
		}
	}
	same := func(a, b protocol.Message) bool { return a.Kind == b.Kind && bytes.Equal(a.Data, b.Data) }
	if !slices.EqualFunc(got, want, same) {
		m.env.fatalf("a member got the messages %q, want %q", texts(got), texts(want))
	}
}

// texts are the messages for the text of a failure.
func texts(messages []protocol.Message) []string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.Kind.String() + " " + m.Text()
	}
	return all
}

func (m *member) gotten() []protocol.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mu.messages)
}

func layerSend(s *env) {
	c, here, there, m := s.name("jobs"), s.layer(), s.layer(), s.member()
	own := there.NewChannel()
	unbind, err := there.Bind(own, m)
	s.must("Bind", err)
	defer unbind()
	send := func(channel string, n int) {
		s.must("Send", s.call("Send", func(ctx context.Context) error { return here.Send(ctx, channel, newNote("here", n)) }))
	}
	for n := range 10 {
		send(own, n)
	}
	m.wantFrom("here", upTo(10)...)
	if !asksQueues.isOf(s.suite.New(s.t)) { // not to be started
		return
	}
	for n := range 10 {
		send(c, n)
	}
	for n := range 10 {
		var e *protocol.Event
		s.must("Pull", s.call("Pull", func(ctx context.Context) (err error) {
			e, err = there.Pull(ctx, c)
			return err
		}))
		if got := s.oneNote(e); got != n {
			s.fatalf("note %d was pulled, want %d", got, n)
		}
	}
}
