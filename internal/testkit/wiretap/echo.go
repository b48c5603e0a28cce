package wiretap

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// Message is one that a client sends, and that the server sends back.
type Message struct {
	Binary bool
	Random bool // cannot be compressed
	Data   string
	Pieces int // in which it is sent, by clients that can
}

// The messages of [Messages] that are the same.
const (
	first = 3
	again = 4
)

// Threshold is the size in bytes from which the server must compress.
const Threshold = 256

// Messages returns what a client and a server echo to show that they understand each
// other: text and binary messages, empty ones, fragments, a MiB, and what cannot be
// compressed. Some follow a similar one.
//
//nolint:gochecknoglobals // made once
var Messages = sync.OnceValue(func() []Message {
	r := rand.New(rand.NewPCG(18, 7692)) //nolint:gosec // a test
	text := json(r, 2000)
	last := json(r, 2000)
	return []Message{
		{Pieces: 1},
		{Binary: true, Pieces: 1},
		{Data: "small", Pieces: 1},
		first: {Data: text, Pieces: 1},
		again: {Data: text, Pieces: 1},
		{Data: strings.Repeat("Grüße, 你好, שלום, 🙋🏽‍♀️. ", 150), Pieces: 7}, //nolint:gosmopolitan // a test
		{Binary: true, Data: noise(r, 20_000), Random: true, Pieces: 1},
		{Binary: true, Data: json(r, 20_000), Pieces: 3},
		{Data: json(r, 1<<20), Pieces: 5},
		{Binary: true, Data: noise(r, 1<<20), Random: true, Pieces: 4},
		{Data: last, Pieces: 2},
		{Pieces: 1},
		{Data: last, Pieces: 2},
	}
})

// json returns about n bytes, which are compressed to less than half.
func json(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, `{"id":%d,"user":"user%d","text":"天地 number %d"}`, r.IntN(1e6), r.IntN(50), r.IntN(1000)) //nolint:gosmopolitan // a test
	}
	return b.String()
}

func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32()) //nolint:gosec // the lowest byte
	}
	return string(b)
}

// Want is what the traffic of an echo of all [Messages] must be.
type Want struct {
	Answer string // Sec-WebSocket-Extensions

	// Whether a message gets much smaller by following the same one.
	ServerRefers, ClientRefers bool
	// Fragments says that the client sends large messages in several frames.
	Fragments bool
}

// Check compares t with want: all messages from which something can be gained must be
// compressed, both ways.
func (t *Traffic) Check(tb testing.TB, want Want) {
	tb.Helper()
	if t.Err != nil {
		tb.Fatalf("the traffic cannot be parsed: %v", t.Err)
	}
	if t.Answer != want.Answer {
		tb.Errorf("%q was answered with %q, want %q", t.Offer, t.Answer, want.Answer)
	}
	in, out := data(t.In), data(t.Out)
	if n := len(Messages()); len(in) != n || len(out) != n {
		tb.Fatalf("%d messages went in and %d out, want %d", len(in), len(out), n)
	}
	for i, m := range Messages() {
		m.check(tb, i, in[i], out[i])
		if want.Fragments && len(m.Data) >= 1<<20 && in[i].Frames == 1 {
			tb.Errorf("message %d, of %d bytes, was sent in one frame", i, len(m.Data))
		}
	}
	if last := t.Out[len(t.Out)-1]; last.Opcode != 8 || last.Wire != 2 {
		tb.Errorf("the last frame of the server was %+v, want a close without a reason", last)
	}
	checkRefers(tb, "server", out, want.ServerRefers)
	checkRefers(tb, "client", in, want.ClientRefers)
}

// check checks the traffic of m, which is message i.
func (m *Message) check(tb testing.TB, i int, in, out Sent) {
	tb.Helper()
	worth := len(m.Data) >= Threshold && !m.Random
	if out.Compressed != worth || out.Frames != 1 {
		tb.Errorf("message %d, of %d bytes, was sent to the client as %+v; compressed must be %v", i, len(m.Data), out, worth)
	}
	if worth && !in.Compressed {
		tb.Errorf("message %d, of %d bytes, was not compressed by the client: %+v", i, len(m.Data), in)
	}
	if worth && max(in.Wire, out.Wire)*2 > len(m.Data) {
		tb.Errorf("message %d, of %d bytes, came in %d and went out in %d", i, len(m.Data), in.Wire, out.Wire)
	}
}

func checkRefers(tb testing.TB, who string, sent []Sent, want bool) {
	tb.Helper()
	before, after := sent[first].Wire, sent[again].Wire
	if refers := after*3 < before; refers != want {
		tb.Errorf("the %s sent a message in %d bytes, and again in %d: refers back: %v, want %v", who, before, after, refers, want)
	}
}

// data returns what is no control frame.
func data(sent []Sent) (messages []Sent) {
	for _, s := range sent {
		if !s.IsControl() {
			messages = append(messages, s)
		}
	}
	return messages
}
