package layertest

import (
	"bytes"
	"crypto/rand"
	"math"
	"strings"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// payloadCases are about what arrives.
func payloadCases() []testCase {
	return []testCase{
		{
			name: "payloads",
			rule: "The bytes of driver.Payload arrive as they are, whatever they hold: a driver does not read them.",
			run:  payloads,
		},
		{
			name: "types",
			rule: "The type of an event arrives as it is; the driver need not know it, nor need anybody else.",
			run:  types,
		},
		{
			name: "megabyte",
			rule: "A payload of a megabyte arrives, through groups and channels.",
			run:  megabyte,
		},
		{
			name: "messages",
			rule: "Events of protocol.SendType that hold a ready message, text or binary, empty or not, " +
				"arrive as the same message: driver.Payload has their bytes too.",
			run: messages,
		},
		{
			name: "own-bytes",
			rule: "driver.NewEvent keeps the bytes it is given, so each event needs its own: " +
				"a buffer that is read into again changes events that have been delivered before.",
			run: ownBytes,
		},
	}
}

func payloads(s *env) {
	g, a, b := s.name("payload"), s.peer(), s.peer()
	b.subscribe(g)
	type thing = map[string]any
	all := []thing{
		{},
		{"text": "\x00 é 𝄞 \n\"<>&\r", "": "no name", "nil": nil},
		{"min": int64(math.MinInt64), "max": uint64(math.MaxUint64), "small": -1, "pi": math.Pi, "inf": math.Inf(1)},
		{"bytes": []byte{0, 1, 0xff}, "none": []byte{}, "yes": true},
		{"deep": thing{"list": []any{thing{"a": []any{1, "2", nil}}}}},
	}
	sent := make([]*protocol.Event, len(all))
	for i, v := range all {
		sent[i] = protocol.EventType[thing]{Name: "layertest.any"}.New(v)
		a.publishEvent(g, sent[i])
	}
	for i, e := range b.events(g, len(sent)) {
		s.sameWire(e, sent[i])
	}
}

// sameWire fails if two events are not the same, byte by byte.
func (s *env) sameWire(got, want *protocol.Event) {
	g, err := events.Payload(got)
	s.must("driver.Payload of what has arrived", err)
	w, err := events.Payload(want)
	s.must("driver.Payload", err)
	if got.Type() != want.Type() || !bytes.Equal(g, w) {
		s.fatalf("an event of type %q and the payload %.60q has arrived, want %q and %.60q", got.Type(), g, want.Type(), w)
	}
}

func types(s *env) {
	g, a, b := s.name("type"), s.peer(), s.peer()
	b.subscribe(g)
	all := []string{"a", "chat.message", "a.b.c.d", "No_Such.Type", "websocket.close", strings.Repeat("t", 300)}
	sent := make([]*protocol.Event, len(all))
	for i, typ := range all {
		sent[i] = protocol.EventType[note]{Name: typ}.New(note{N: i})
		a.publishEvent(g, sent[i])
	}
	for i, e := range b.events(g, len(sent)) {
		s.sameWire(e, sent[i])
	}
}

func megabyte(s *env) {
	g, c, a, b := s.name("big"), s.name("big"), s.peer(), s.peer()
	b.subscribe(g)
	data := make([]byte, 1<<20)
	_, err := rand.Read(data)
	s.must("Reading chance", err)
	big := protocol.EventType[note]{Name: noteType}.New(note{From: a.name, Data: data})
	a.publishEvent(g, big)
	a.publish(g, 1) // what comes behind it is not torn
	all := b.events(g, 2)
	s.sameWire(all[0], big)
	if n := s.oneNote(all[1]); n != 1 {
		s.fatalf("behind a megabyte came note %d, want 1", n)
	}
	s.must("Send", a.trySendEvent(b.own("big"), big))
	s.sameWire(b.sent(b.own("big"), 1)[0], big)
	if a.hasQueues() {
		s.must("Push", a.trySendEvent(c, big))
		s.sameWire(b.pull(c), big)
	}
}

func messages(s *env) {
	g, a, b := s.name("message"), s.peer(), s.peer()
	b.subscribe(g)
	all := []protocol.Message{
		protocol.Text("hello"), protocol.Text(""), protocol.Text("é 𝄞\x00"), protocol.Text(strings.Repeat("long ", 20000)),
		protocol.Binary([]byte("hello")), protocol.Binary([]byte{}), protocol.Binary([]byte{0xff, 0, 0xfe}),
	}
	for i, m := range all {
		e := protocol.SendType.New(m)
		if i%2 == 1 {
			e = protocol.Prepare(m).Event() // as Layer.Broadcast makes it
		}
		a.publishEvent(g, e)
	}
	for i, e := range b.events(g, len(all)) {
		p := e.Prepared()
		if e.Type() != protocol.SendType.Name || p == nil {
			s.fatalf("an event of type %q that holds no message has arrived, want one of %q that does", e.Type(), protocol.SendType.Name)
		}
		if m := p.Message(); m.Kind != all[i].Kind || !bytes.Equal(m.Data, all[i].Data) {
			s.fatalf("a message of kind %v, %.40q, has arrived, want one of kind %v, %.40q", m.Kind, m.Data, all[i].Kind, all[i].Data)
		}
	}
}

func ownBytes(s *env) {
	g, all := s.name("bytes"), s.peers(3)
	for _, p := range all[1:] {
		p.subscribe(g)
	}
	const many = 50
	sent := make([]*protocol.Event, many)
	for n := range sent {
		sent[n] = newNote(all[0].name, n)
		all[0].publishEvent(g, sent[n])
	}
	// None is read before all are there.
	first, second := all[1].events(g, many), all[2].events(g, many)
	for n := range many {
		s.sameWire(first[n], sent[n])
		s.sameWire(second[n], sent[n])
		if first[n] == sent[n] || first[n] == second[n] || s.shared(first[n], sent[n]) || s.shared(first[n], second[n]) {
			s.fatalf("two nodes share the bytes of an event")
		}
	}
}

// shared reports whether the payloads of two events are in the same memory.
func (s *env) shared(a, b *protocol.Event) bool {
	x, err := events.Payload(a)
	s.must("driver.Payload of what has arrived", err)
	y, err := events.Payload(b)
	s.must("driver.Payload", err)
	return len(x) > 0 && len(y) > 0 && &x[0] == &y[0]
}
