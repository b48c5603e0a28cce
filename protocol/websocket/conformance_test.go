package websocket_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// The conformance suite asks what the fuzzing client of Autobahn's testsuite
// asks of a server that echoes, in its families and numbers; compression (12 and 13) is in
// TestConformanceCompression. Where RFC 6455 leaves a choice
// it wants the strict one. Numbers that Autobahn does not have say what they add.
//
// Every trial runs over TCP and over net.Pipe. A pipe adds two things: a write
// waits until it is read, and in a bubble of testing/synctest what does not come
// can be told from what is late.

// trial is one case: what is said, what comes back, and how it ends.
type trial struct {
	at     testkit.Line
	number string
	rule   string // of RFC 6455, with its section
	steps  []step
	end    ending
	build  func() []step // instead of steps, where they are large
	quiet  bool          // runs only where silence can be heard
}

// step is something to say, and what has to come back before more is said.
type step struct {
	say   []byte                // frames, or pieces of them
	chop  int                   // how much of it goes into one write; 0 means all
	want  []websockettest.Frame // what comes back, in this order
	still bool                  // and nothing behind it
	early bool                  // the next one does not wait for what comes back, in a bubble
}

// say is a step that says frames in one write.
func say(frames ...[]byte) step {
	if len(frames) == 1 {
		return step{say: frames[0]} // a large one need not be copied
	}
	return step{say: slices.Concat(frames...)}
}

// in chops what is said.
func (s step) in(chop int) step { s.chop = chop; return s }

// hear is s with what has to come back.
func (s step) hear(frames ...websockettest.Frame) step { s.want = frames; return s }

// silence is s with nothing more coming back.
func (s step) silence() step { s.still = true; return s }

// ahead is s with the next step said in the same write, where the order of what
// comes back is certain. Over TCP it is not: on a busy machine the callback of a
// message may look as though it blocked, and then what ends the connection is
// dealt with before the callback has answered. In a bubble no time passes while a
// callback runs, or while Open does, for which reading waits.
func (s step) ahead() step { s.early = true; return s }

// joined is steps with those that are said ahead joined to the next one.
func joined(steps []step) []step {
	var out []step
	for _, s := range steps {
		if n := len(out); n > 0 && out[n-1].early {
			last := out[n-1]
			s.say, s.want = slices.Concat(last.say, s.say), slices.Concat(last.want, s.want)
			out = out[:n-1]
		}
		out = append(out, s)
	}
	return out
}

// eachAlone says every frame in a write of its own.
func eachAlone(frames ...[]byte) []step {
	var steps []step
	for _, f := range frames {
		steps = append(steps, say(f))
	}
	return steps
}

// fragments is a message in frames of size bytes.
func fragments(first byte, payload string, size int) [][]byte {
	var frames [][]byte
	op := first &^ finCont
	for ; len(payload) > size; payload = payload[size:] {
		frames = append(frames, frame(op, payload[:size]))
		op = cont
	}
	return append(frames, frame(op|finCont, payload))
}

// ending is how a trial ends. The zero value has the peer say goodbye with 1000,
// which the server answers.
type ending struct {
	how  byte
	code protocol.CloseCode
}

const (
	byGoodbye byte = iota
	byAnswer       // to the close that the steps have said
	byFailure      // of the connection (section 7.1.7)
)

// answers is an end by a close that is answered with code, or with an empty
// close if that is 0.
func answers(code protocol.CloseCode) ending { return ending{byAnswer, code} }

// fails is an end by the server, which has seen a rule broken.
func fails(code protocol.CloseCode) ending { return ending{byFailure, code} }

// script is what is said up to the end.
func (r trial) script() []step {
	steps := r.steps
	if r.build != nil {
		steps = r.build()
	}
	if r.end.how == byGoodbye {
		return append(slices.Clone(steps), say(closing(1000, "")))
	}
	return steps
}

// conformanceTrials are all families.
func conformanceTrials() []trial {
	return slices.Concat(
		framingTrials(), pingTrials(), reservedBitTrials(), opcodeTrials(), fragmentTrials(),
		textTrials(), failFastTrials(), someTrials(), prefixTrials(), stressTrials(), closeTrials(), closeCodeTrials(),
		limitTrials(), fragmentSizeTrials(), chopTrials(), roundTripTrials(),
	)
}

// soon is how long what has to come may take here. It is a failure's time, and
// shorter than a close may take over TCP. After many failures the rest has less.
const (
	soon = 10 * time.Second
	many = 10
)

// conformanceOptions let the largest messages in. Over TCP, a server that waits
// for closeTimeout where it could close fails.
func conformanceOptions(closeTimeout time.Duration) *websocket.Options {
	return &websocket.Options{Limits: protocol.Limits{MaxMessage: largest}, CloseTimeout: closeTimeout}
}

const pipeCloseTimeout = time.Second

// exactness is how late deadlines of closes may be.
const exactness = 20 * time.Millisecond

// large are numbers of trials that take long even over a pipe.
var large = regexp.MustCompile(`^9\.(?:[12]\.[456]|[46]\.\d)$`)

func TestConformance(t *testing.T) {
	t.Parallel()
	trials := conformanceTrials()
	onSockets(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), conformanceOptions(6*soon))
		var failures atomic.Int32
		for _, r := range trials {
			family := r.number[:strings.IndexByte(r.number, '.')]
			if r.quiet || (via.name == "tls" || via.name == "unix") && (family == "6" || family == "9") {
				continue // these are about text, and about many bytes
			}
			t.Run(r.number, func(t *testing.T) {
				t.Parallel()
				if strings.HasPrefix(r.number, "9.") && !strings.HasSuffix(r.number, ".3") {
					testkit.SkipLong(t, "many bytes over TCP; over a pipe it runs all the same")
				}
				(&talk{t: t, p: s.open(t), trial: &r, failures: &failures}).run()
			})
		}
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		for _, r := range trials {
			t.Run(r.number, func(t *testing.T) {
				t.Parallel()
				if large.MatchString(r.number) {
					testkit.SkipLong(t, "4 MB and more, and binary messages in pieces; smaller ones and text run")
				}
				inBubbles(t, func(t *testing.T, via carrier) {
					if via.loops && large.MatchString(r.number) {
						t.Skip("it runs over TCP")
					}
					s := serveOver(t, via, fakes.Echo(), conformanceOptions(pipeCloseTimeout))
					(&talk{t: t, p: s.open(t), trial: &r, failures: new(atomic.Int32), bubble: true}).run()
				})
			})
		}
	})
}

// TestConformanceIsWhole counts the trials of each family, so that none is lost.
// Autobahn has 301 of them; more are those that say so.
func TestConformanceIsWhole(t *testing.T) {
	t.Parallel()
	want := map[string]int{"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1}
	got, seen := map[string]int{}, map[string]testkit.Line{}
	for _, r := range conformanceTrials() {
		if at, twice := seen[r.number]; twice {
			t.Errorf("%s: %s is the number of %s, too", r.at, r.number, at)
		}
		seen[r.number] = r.at
		family, _, _ := strings.Cut(r.number, ".")
		if !strings.Contains(r.number, "+") {
			got[family]++
		}
	}
	for family, n := range want {
		if got[family] != n {
			t.Errorf("family %s has %d trials, want %d", family, got[family], n)
		}
	}
}

// talk is a trial that runs.
type talk struct {
	t      *testing.T
	p      *peer
	trial  *trial
	bubble bool // of testing/synctest

	failures *atomic.Int32 // of those beside it
}

func (c *talk) run() {
	steps := c.trial.script()
	if c.bubble {
		steps = joined(steps)
	}
	for i, s := range steps {
		sent := c.say(s)
		for _, f := range s.want {
			c.hear(f)
		}
		if i == len(steps)-1 {
			c.hearClose()
		}
		if err := <-sent; err != nil {
			c.failed("everything is read", "a write that ends with "+err.Error())
		}
		if s.still {
			c.hearNothing()
		}
	}
	c.hearEnd()
}

// say writes beside the reading, because over a pipe neither gets on without the
// other.
func (c *talk) say(s step) <-chan error {
	sent := make(chan error, 1)
	_ = c.p.Conn.SetWriteDeadline(time.Now().Add(patience))
	go func() { sent <- c.write(s) }()
	return sent
}

func (c *talk) write(s step) error {
	size := s.chop
	if size == 0 {
		size = max(len(s.say), 1)
	}
	for piece := range slices.Chunk(s.say, size) {
		if _, err := c.p.Conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// limit is how long something may take.
func (c *talk) limit() time.Duration {
	switch {
	case c.failures.Load() >= many:
		return soon / 10
	case c.trial.build != nil:
		return patience // for the large ones on a slow machine
	}
	return soon
}

// next is the next frame.
func (c *talk) next() (websockettest.Frame, error) {
	c.p.Patience = c.limit()
	return c.p.Read()
}

func (c *talk) hear(want websockettest.Frame) {
	c.t.Helper()
	if got, err := c.next(); err != nil || got != want {
		c.failed(describe(want, nil), describe(got, err))
	}
}

// hearClose waits for the server's close. A reason is for it to choose when it
// fails the connection; an answer only echoes the code (section 5.5.1).
func (c *talk) hearClose() {
	c.t.Helper()
	end := c.trial.end
	want := websockettest.Frame{First: finClose}
	switch {
	case end.how == byGoodbye:
		end.code = 1000
		fallthrough
	case end.code != 0:
		want = websockettest.Close(end.code, "")
	}
	got, err := c.next()
	heard := got
	if end.how == byFailure && len(got.Payload) > 2 && utf8.ValidString(got.Payload[2:]) {
		heard.Payload = got.Payload[:2]
	}
	if err != nil || heard != want {
		c.failed(describe(want, nil), describe(got, err))
	}
}

// hearNothing makes sure that the server says nothing for now. Where time does
// not stand still that cannot be told; there, what came too early shows in what
// is heard next.
func (c *talk) hearNothing() {
	c.t.Helper()
	if !c.bubble {
		return
	}
	synctest.Wait()
	_ = c.p.Conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.p.In.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.failed("nothing yet", describe(c.next()))
}

// hearEnd makes sure that it is the server who closes the socket (section
// 7.1.1): at once when both have said close, and otherwise when it has listened
// long enough for its close not to be lost. A pipe has no halves to close first.
func (c *talk) hearEnd() {
	c.t.Helper()
	begun, limit := time.Now(), time.Duration(0)
	if c.trial.end.how == byFailure {
		limit = pipeCloseTimeout + exactness
		if _, err := c.p.Conn.Write(closing(c.trial.end.code, "")); err != nil {
			c.failed("our close is read", err.Error())
		}
	}
	if got, err := c.next(); !errors.Is(err, io.EOF) {
		c.failed("the end of the stream (section 7.1.1)", describe(got, err))
	}
	if took := time.Since(begun); c.bubble && took > limit {
		c.failed(fmt.Sprintf("the end within %v", limit), took.String())
	}
	if c.trial.end.how != byFailure {
		c.hearGone()
	}
}

// hearGone makes sure that the server has closed its socket, where it has no half
// to close: then it takes nothing any more. Over TCP it waits until the peer has
// hung up as well.
func (c *talk) hearGone() {
	c.t.Helper()
	if halves(c.p.Conn) {
		return
	}
	begun := time.Now()
	for time.Since(begun) < c.limit() {
		if _, err := c.p.Conn.Write([]byte{0}); err != nil {
			return
		}
	}
	c.failed("a socket that the server has closed (section 7.1.1)", "one that still takes what is written")
}

func (c *talk) failed(want, got string) {
	c.t.Helper()
	c.failures.Add(1)
	c.t.Fatalf("%s: case %s, RFC 6455 section %s:\nwant %s\n got %s", c.trial.at, c.trial.number, c.trial.rule, want, got)
}

// describe is a frame, or what came instead, for a failure's text.
func describe(f websockettest.Frame, err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing in time"
	case err != nil:
		return err.Error()
	}
	return f.String()
}
