package websocket_test

import (
	"fmt"
	"strings"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// The frames that come back.
func heardText(s string) websockettest.Frame { return websockettest.Text(s) }
func heardPong(s string) websockettest.Frame { return websockettest.Pong(s) }

// filler is n bytes of text, octets are n of no text. Both repeat after a prime
// number of bytes, so that no length of a chunk or a mask hides what is out of
// its place.
func filler(n int) string {
	const prime = "a sentence of a prime number of bytes, which goes on and on. "
	return strings.Repeat(prime, n/len(prime)+1)[:n]
}

func octets(n int) string {
	prime := make([]byte, 251)
	for i := range prime {
		prime[i] = byte(255 - i)
	}
	return strings.Repeat(string(prime), n/len(prime)+1)[:n]
}

// kind is a kind of message: the first byte of its frames, and n bytes of it.
type kind struct {
	first byte
	of    func(n int) string
}

// kinds are in the order in which the families that have both number them.
func kinds() []kind { return []kind{{finText, filler}, {finBinary, octets}} }

// framingTrials are family 1: the forms of the length.
func framingTrials() []trial {
	const rule = "5.2: a length takes 7, 7+16 or 7+64 bits, and the frame comes back as it was"
	var trials []trial
	for i, kind := range kinds() {
		sizes := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
		for j, n := range sizes {
			body := kind.of(n)
			s := say(frame(kind.first, body)).hear(websockettest.Frame{First: kind.first, Payload: body})
			if j == len(sizes)-1 {
				s = s.in(997)
			}
			trials = append(trials, trial{at: testkit.Here(), number: fmt.Sprintf("1.%d.%d", i+1, j+1), rule: rule, steps: []step{s}})
		}
	}
	return trials
}

// pingTrials are family 2.
func pingTrials() []trial {
	const (
		echoes   = "5.5.2 and 5.5.3: a ping is answered by a pong with its payload"
		nobody   = "5.5.3: a pong that nobody asked for is answered by nothing"
		short    = "5.5: a control frame has at most 125 bytes"
		inOrder  = "5.5.3: every ping has its pong; leaving some out would be allowed, but not here"
		news     = "no ping has asked for this"
		question = "who is there?"
	)
	full := octets(125)
	ping := func(s string) step { return say(frame(finPing, s)).hear(heardPong(s)) }
	var ten [][]byte
	var answers []websockettest.Frame
	for i := range 10 {
		body := fmt.Sprintf("number %d", i)
		ten, answers = append(ten, frame(finPing, body)), append(answers, heardPong(body))
	}
	return []trial{
		{at: testkit.Here(), number: "2.1", rule: echoes, steps: []step{ping("")}},
		{at: testkit.Here(), number: "2.2", rule: echoes, steps: []step{ping(question)}},
		{at: testkit.Here(), number: "2.3", rule: echoes, steps: []step{ping("\xff\x00\xfe\xc0\x80\xed")}},
		{at: testkit.Here(), number: "2.4", rule: echoes, steps: []step{ping(full)}},
		{at: testkit.Here(), number: "2.5", rule: short, steps: []step{say(frame(finPing, octets(126)))}, end: fails(1002)},
		{at: testkit.Here(), number: "2.6", rule: echoes, steps: []step{ping(full).in(1)}},
		{at: testkit.Here(), number: "2.7", rule: nobody, steps: []step{say(frame(finPong, "")).silence()}},
		{at: testkit.Here(), number: "2.8", rule: nobody, steps: []step{say(frame(finPong, news)).silence()}},
		{at: testkit.Here(), number: "2.9", rule: nobody, steps: []step{
			say(frame(finPong, news), frame(finPing, question)).hear(heardPong(question)).silence(),
		}},
		{at: testkit.Here(), number: "2.10", rule: inOrder, steps: []step{say(ten...).hear(answers...)}},
		{at: testkit.Here(), number: "2.11", rule: inOrder, steps: []step{say(ten...).hear(answers...).in(1)}},
	}
}

// A first message, which is echoed before what follows breaks a rule.
const greeting = "all is well so far"

// afterGreeting says the greeting, what breaks a rule, and a ping that is not
// answered any more, in writes of chop bytes.
func afterGreeting(broken []byte, chop int) []step {
	return []step{
		say(frame(finText, greeting)).hear(heardText(greeting)).in(chop).ahead(),
		say(broken, frame(finPing, "?")).in(chop),
	}
}

// eachAfterGreeting says the same in a write for each frame.
func eachAfterGreeting(broken []byte) []step {
	steps := eachAlone(frame(finText, greeting), broken, frame(finPing, "?"))
	steps[0] = steps[0].hear(heardText(greeting))
	return steps
}

// reservedBitTrials are family 3.
func reservedBitTrials() []trial {
	const rule = "5.2: a reserved bit that no extension has given a meaning fails the connection"
	rsv := func(bits, first byte, payload string) []byte { return frame(first|bits<<4, payload) }
	return []trial{
		{at: testkit.Here(), number: "3.1", rule: rule, steps: []step{say(rsv(1, finText, "bit"))}, end: fails(1002)},
		{at: testkit.Here(), number: "3.2", rule: rule, steps: afterGreeting(rsv(2, finText, "bit"), 0), end: fails(1002)},
		{at: testkit.Here(), number: "3.3", rule: rule, steps: eachAfterGreeting(rsv(3, finText, "bit")), end: fails(1002)},
		{at: testkit.Here(), number: "3.4", rule: rule, steps: afterGreeting(rsv(4, finText, "bit"), 1), end: fails(1002)},
		{at: testkit.Here(), number: "3.5", rule: rule, steps: []step{say(rsv(5, finBinary, octets(8)))}, end: fails(1002)},
		{at: testkit.Here(), number: "3.6", rule: rule, steps: []step{say(rsv(6, finPing, "bit"))}, end: fails(1002)},
		{at: testkit.Here(), number: "3.7", rule: rule, steps: []step{say(rsv(7, finClose, ""))}, end: fails(1002)},
	}
}

// opcodeTrials are family 4: opcodes 3 to 7 and 11 to 15, in five forms.
func opcodeTrials() []trial {
	const rule = "5.2: an unknown opcode fails the connection"
	var trials []trial
	for i, opcode := range []byte{3, 11} {
		op := func(i byte, payload string) []byte { return frame(finCont|opcode+i, payload) }
		for j, steps := range [][]step{
			{say(op(0, ""))},
			{say(op(1, "unknown"))},
			afterGreeting(op(2, ""), 0),
			afterGreeting(op(3, "unknown"), 0),
			afterGreeting(op(4, "unknown"), 1),
		} {
			trials = append(trials, trial{
				at: testkit.Here(), number: fmt.Sprintf("4.%d.%d", i+1, j+1), rule: rule, steps: steps, end: fails(1002),
			})
		}
	}
	return trials
}

// fragmentTrials are family 5.
func fragmentTrials() []trial {
	return append(wholeTrials(), brokenTrials()...)
}

// wholeTrials are fragments that make a message.
func wholeTrials() []trial {
	const (
		joined  = "5.4: fragments make one message, however they are cut on the wire"
		between = "5.4 and 5.5: control frames may come between fragments and are dealt with at once"
	)
	head, ping, tail := frame(text, "two "), frame(finPing, "?"), frame(finCont, "parts")
	whole, pong := heardText("two parts"), heardPong("?")
	alone := eachAlone(head, tail)
	alone[1] = alone[1].hear(whole)
	aloneWithPing := eachAlone(head, ping, tail)
	aloneWithPing[1], aloneWithPing[2] = aloneWithPing[1].hear(pong), aloneWithPing[2].hear(whole)

	// The first ping is answered before more of the message comes.
	five := [][]byte{frame(text, "1"), frame(cont, "2"), frame(cont, "3"), frame(cont, "4"), frame(finCont, "5")}
	ping1, ping2 := frame(finPing, "first"), frame(finPing, "second")
	all := []websockettest.Frame{heardPong("second"), heardText("12345")}
	halves := []step{
		say(five[0], five[1], ping1).hear(heardPong("first")).silence(),
		say(five[2], five[3], ping2, five[4]).hear(all...),
	}
	frames := eachAlone(five[0], five[1], ping1, five[2], five[3], ping2, five[4])
	frames[2], frames[5], frames[6] = frames[2].hear(heardPong("first")).silence(), frames[5].hear(all[0]), frames[6].hear(all[1])
	return []trial{
		{at: testkit.Here(), number: "5.3", rule: joined, steps: []step{say(head, tail).hear(whole)}},
		{at: testkit.Here(), number: "5.4", rule: joined, steps: alone},
		{at: testkit.Here(), number: "5.5", rule: joined, steps: []step{say(head, tail).hear(whole).in(1)}},
		{at: testkit.Here(), number: "5.6", rule: between, steps: []step{say(head, ping, tail).hear(pong, whole)}},
		{at: testkit.Here(), number: "5.7", rule: between, steps: aloneWithPing},
		{at: testkit.Here(), number: "5.8", rule: between, steps: []step{say(head, ping, tail).hear(pong, whole).in(1)}},
		{at: testkit.Here(), number: "5.19", rule: between, steps: halves},
		{at: testkit.Here(), number: "5.20", rule: between, steps: frames},
	}
}

// brokenTrials are fragments that make none.
func brokenTrials() []trial {
	const (
		control  = "5.5: a control frame must not be fragmented"
		nothing  = "5.4: a continuation needs a message that has begun and not ended"
		twoHeads = "5.4: a message that has begun must end before the next one begins"
	)
	stray, openStray := frame(finCont, "of what?"), frame(cont, "of what?")
	head, tail, whole := frame(text, "two "), frame(finCont, "parts"), frame(finText, "whole")
	var trials []trial
	for i, frames := range [][][]byte{
		{frame(0x09, "half a "), frame(finCont, "ping")},
		{frame(0x0a, "half a "), frame(finCont, "pong")},
	} {
		trials = append(trials, trial{
			at: testkit.Here(), number: fmt.Sprintf("5.%d", i+1), rule: control, steps: []step{say(frames...)}, end: fails(1002),
		})
	}
	for i, first := range [][]byte{stray, openStray} {
		s := say(first, whole)
		for j, steps := range [][]step{{s}, eachAlone(first, whole), {s.in(1)}} {
			trials = append(trials, trial{
				at: testkit.Here(), number: fmt.Sprintf("5.%d", 9+3*i+j), rule: nothing, steps: steps, end: fails(1002),
			})
		}
	}
	return append(trials,
		trial{at: testkit.Here(), number: "5.15", rule: nothing, end: fails(1002), steps: []step{
			say(head, tail).hear(heardText("two parts")).ahead(), say(openStray, whole),
		}},
		trial{at: testkit.Here(), number: "5.16", rule: nothing, end: fails(1002), steps: []step{
			say(openStray, head, tail, openStray, head, tail),
		}},
		trial{at: testkit.Here(), number: "5.17", rule: nothing, end: fails(1002), steps: []step{
			say(stray, head, tail, stray, head, tail),
		}},
		trial{at: testkit.Here(), number: "5.18", rule: twoHeads, end: fails(1002), steps: []step{
			say(head, frame(finText, "another head")),
		}},
		trial{at: testkit.Here(), number: "5.2+close", rule: control, end: fails(1002), steps: []step{
			say(frame(0x08, "\x03\xe8")),
		}},
		trial{at: testkit.Here(), number: "5.18+empty", rule: twoHeads, end: fails(1002), steps: []step{
			say(frame(text, ""), frame(binaryOp, "")), // of another kind, and not whole either
		}},
		// What follows in those above would be wrong in itself.
		trial{at: testkit.Here(), number: "5.1+alone", rule: control, steps: []step{say(frame(0x09, "half a "))}, end: fails(1002)},
		trial{at: testkit.Here(), number: "5.2+alone", rule: control, steps: []step{say(frame(0x0a, "half a "))}, end: fails(1002)},
		trial{at: testkit.Here(), number: "5.9+alone", rule: nothing, steps: []step{say(stray)}, end: fails(1002)},
		trial{at: testkit.Here(), number: "5.12+alone", rule: nothing, steps: []step{say(openStray)}, end: fails(1002)},
	)
}
