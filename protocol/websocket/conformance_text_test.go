package websocket_test

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// kosme is a Greek word of letters of two bytes and, second, one of three.
const kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"

// spelt is v in n bytes of the scheme that UTF-8 began as, which knew up to six
// and did not mind how many more than needed there are. RFC 3629 has made most of
// what that can say wrong.
func spelt(n int, v uint32) string {
	if n == 1 {
		return string([]byte{byte(v)})
	}
	b := make([]byte, n)
	for i := n - 1; i > 0; i-- {
		b[i] = 0x80 | byte(v&0x3f)
		v >>= 6
	}
	b[0] = byte(0xff<<(8-n)) | byte(v)
	return string(b)
}

// speltIn is the same value in n bytes for each of lengths.
func speltIn(v uint32, lengths ...int) []string {
	var all []string
	for _, n := range lengths {
		all = append(all, spelt(n, v))
	}
	return all
}

// lastOf is the largest value that n bytes of that scheme hold.
func lastOf(n int) uint32 {
	return []uint32{1<<7 - 1, 1<<11 - 1, 1<<16 - 1, 1<<21 - 1, 1<<26 - 1, 1<<31 - 1}[n-1]
}

// textTrials are 6.1 to 6.3: text is checked over all fragments.
func textTrials() []trial {
	const (
		empty  = "5.4: a message may be empty, and so may any fragment"
		across = "5.6: a fragment of a text need not end with a whole character"
		whole  = "8.1: text that is not UTF-8 fails the connection"
		greek  = "Ωmega ≠ Öl, 世界 𝄞!"
		half   = len("Ωmega ≠ Ö")
	)
	spoilt := kosme + spelt(3, 0xd800) + "and more"
	return []trial{
		{at: testkit.Here(), number: "6.1.1", rule: empty, steps: []step{say(frame(finText, "")).hear(heardText(""))}},
		{at: testkit.Here(), number: "6.1.2", rule: empty, steps: []step{
			say(frame(text, ""), frame(cont, ""), frame(finCont, "")).hear(heardText("")),
		}},
		{at: testkit.Here(), number: "6.1.3", rule: empty, steps: []step{
			say(frame(text, ""), frame(cont, "only this"), frame(finCont, "")).hear(heardText("only this")),
		}},
		{at: testkit.Here(), number: "6.2.1", rule: whole, steps: []step{say(frame(finText, greek)).hear(heardText(greek))}},
		{at: testkit.Here(), number: "6.2.2", rule: across, steps: []step{
			say(frame(text, greek[:half]), frame(finCont, greek[half:])).hear(heardText(greek)),
		}},
		{at: testkit.Here(), number: "6.2.3", rule: across, steps: []step{say(fragments(finText, greek, 1)...).hear(heardText(greek))}},
		{at: testkit.Here(), number: "6.2.4", rule: across, steps: []step{say(fragments(finText, kosme, 1)...).hear(heardText(kosme))}},
		{at: testkit.Here(), number: "6.2.4+ping", rule: "5.5.2: a ping is no part of the text around it, nor any text", steps: []step{
			say(frame(text, kosme[:1]), frame(finPing, spoilt), frame(finCont, kosme[1:])).hear(heardPong(spoilt), heardText(kosme)),
		}},
		{at: testkit.Here(), number: "6.2.4+chops", rule: "5.6: nor need a piece of a frame", steps: []step{
			say(frame(finText, greek)).hear(heardText(greek)).in(1),
		}},
		{at: testkit.Here(), number: "6.3.1", rule: whole, steps: []step{say(frame(finText, spoilt))}, end: fails(1007)},
		{at: testkit.Here(), number: "6.3.2", rule: whole, steps: []step{say(fragments(finText, spoilt, 1)...)}, end: fails(1007)},
		{at: testkit.Here(), number: "6.3.2+binary", rule: "5.6: bytes are no text", steps: []step{
			say(frame(finBinary, spoilt)).hear(websockettest.Binary(spoilt)),
			say(fragments(finBinary, spoilt, 1)...).hear(websockettest.Binary(spoilt)),
		}},
	}
}

// someTrials are 6.5: a character of each length, and kosme.
func someTrials() []trial {
	var trials []trial
	for i, s := range []string{"<%>", "<é>", "<世>", "<𝄞>", kosme} {
		r := trial{at: testkit.Here(), number: fmt.Sprintf("6.5.%d", i+1), rule: "5.6: text is UTF-8 and comes back as it was"}
		trials = append(trials, r.of(s, true)...)
	}
	return trials
}

// prefixTrials are 6.6: kosme, cut everywhere.
func prefixTrials() []trial {
	var trials []trial
	for n := 1; n <= len(kosme); n++ {
		r := trial{at: testkit.Here(), number: fmt.Sprintf("6.6.%d", n), rule: "8.1: text must not end within a character"}
		trials = append(trials, r.of(kosme[:n], slices.Contains([]int{2, 5, 7, 9, 11}, n))...)
	}
	return trials
}

// failFastTrials are 6.4: text fails with the byte that spoils it. What would
// come behind that byte is never said, so a server that waits for it does not
// get on.
func failFastTrials() []trial {
	const rule = "8.1: the connection fails when text is found not to be UTF-8, not when it ends"
	spoilt := kosme + spelt(4, 0x110000) + "and more" // by its second byte: nothing begins like that
	part, byteOf := len(kosme)+4, len(kosme)+2
	all := frame(finText, spoilt)
	head := len(all) - len(spoilt)
	return []trial{
		{at: testkit.Here(), number: "6.4.1", rule: rule, end: fails(1007), steps: []step{
			say(frame(text, kosme)).silence(), say(frame(cont, spoilt[len(kosme):part])),
		}},
		{at: testkit.Here(), number: "6.4.2", rule: rule, end: fails(1007), steps: []step{
			say(frame(text, spoilt[:byteOf-1])).silence(), say(frame(cont, spoilt[byteOf-1:byteOf])),
		}},
		{at: testkit.Here(), number: "6.4.3", rule: rule, end: fails(1007), steps: []step{
			say(all[:head+len(kosme)]).silence(), say(all[head+len(kosme) : head+part]),
		}},
		{at: testkit.Here(), number: "6.4.4", rule: rule, end: fails(1007), steps: []step{
			say(all[:head+byteOf-1]).silence(), say(all[head+byteOf-1 : head+byteOf]),
		}},
	}
}

// stress is a part of Markus Kuhn's stress test for decoders of UTF-8.
type stress struct {
	at    testkit.Line
	about string
	good  []string // the first numbers
	bad   []string // those behind them
}

// stressTrials are 6.5 to 6.23.
func stressTrials() []trial {
	var trials []trial
	for i, part := range slices.Concat(goodStress(), strayStress(), overlongStress(), surrogateStress()) {
		for j, s := range slices.Concat(part.good, part.bad) {
			r := trial{at: part.at, number: fmt.Sprintf("6.%d.%d", i+7, j+1), rule: "8.1 and RFC 3629: " + part.about}
			trials = append(trials, r.of(s, j < len(part.good))...)
		}
	}
	return trials
}

// of is r about one text, and then the same in ways that Autobahn does not try:
// amid much ASCII, which a fast path may take; a good text in frames of one byte;
// a bad one without anything behind the byte that spoils it, if one does.
func (r trial) of(s string, good bool) []trial {
	amid, bytewise, early := r, r, r
	amid.number, bytewise.number, early.number = r.number+"+amid", r.number+"+bytewise", r.number+"+early"
	bytewise.quiet, early.quiet, amid.quiet = true, true, true
	long := filler(100) + s + filler(100)
	if good {
		r.steps = []step{say(frame(finText, s)).hear(heardText(s))}
		amid.steps = []step{say(frame(finText, long)).hear(heardText(long))}
		bytewise.steps = []step{say(fragments(finText, s, 1)...).hear(heardText(s))}
		return []trial{r, amid, bytewise}
	}
	r.steps, r.end = []step{say(frame(finText, s))}, fails(1007)
	amid.steps, amid.end = []step{say(frame(finText, long))}, r.end
	n := spoiltBy(s)
	if n == 0 {
		return []trial{r, amid}
	}
	early.steps, early.end = []step{say(frame(text, s[:n-1])).silence(), say(frame(cont, s[n-1:n]))}, r.end
	return []trial{r, amid, early}
}

// spoiltBy is how long the shortest beginning of s is that nothing can follow to
// make it UTF-8, or 0 if there is none and only the end comes too early.
func spoiltBy(s string) int {
	for n := range len(s) {
		if !slices.ContainsFunc([]string{"", "\x80", "\xbf", "\x80\x80", "\xbf\x80", "\x80\x80\x80", "\xbf\x80\x80"},
			func(tail string) bool { return utf8.ValidString(s[:n+1] + tail) }) {
			return n + 1
		}
	}
	return 0
}

// goodStress are 6.7 to 6.11: the smallest and the largest of each length.
func goodStress() []stress {
	return []stress{
		{testkit.Here(), "the first of each length", []string{spelt(1, 0), spelt(2, 0x80), spelt(3, 0x800), spelt(4, 0x10000)}, nil},
		{testkit.Here(), "there are no five or six bytes", nil, []string{spelt(5, 0x200000), spelt(6, 0x4000000)}},
		{testkit.Here(), "the last of each length", []string{spelt(1, 0x7f), spelt(2, 0x7ff), spelt(3, 0xffff), spelt(4, 0x10ffff)}, nil},
		{testkit.Here(), "nothing is above U+10FFFF", nil, []string{spelt(4, lastOf(4)), spelt(5, lastOf(5)), spelt(6, lastOf(6))}},
		{
			testkit.Here(), "around the surrogates, and at the end",
			[]string{spelt(3, 0xd7ff), spelt(3, 0xe000), spelt(3, 0xfffd), spelt(4, 0x10ffff)},
			[]string{spelt(4, 0x110000)},
		},
	}
}

// strayStress are 6.12 to 6.16: bytes that do not belong together.
func strayStress() []stress {
	var alternating, unfinished []string
	for n := 1; n <= 6; n++ {
		alternating = append(alternating, strings.Repeat("\x80\xbf", n)[:n])
	}
	for _, value := range []func(n int) uint32{func(int) uint32 { return 0 }, lastOf} {
		for n := 2; n <= 6; n++ {
			unfinished = append(unfinished, spelt(n, value(n))[:n-1])
		}
	}
	continuations := slices.Concat(alternating[:1], []string{"\xbf"}, alternating[1:], []string{bytesFrom(0x80, 0xbf, "")})
	return []stress{
		{testkit.Here(), "a continuation byte continues something", nil, continuations},
		{testkit.Here(), "a first byte is followed by continuation bytes", nil, []string{
			bytesFrom(0xc0, 0xdf, " "), bytesFrom(0xe0, 0xef, " "), bytesFrom(0xf0, 0xf7, " "), bytesFrom(0xf8, 0xfb, " "), bytesFrom(0xfc, 0xfd, " "),
		}},
		{testkit.Here(), "the last continuation byte must not be missing", nil, unfinished},
		{testkit.Here(), "nor in many sequences in a row", nil, []string{strings.Join(unfinished, "")}},
		{testkit.Here(), "bytes FE and FF are never used", nil, []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
	}
}

// bytesFrom is the bytes from first to last, with something behind each.
func bytesFrom(first, last byte, behind string) string {
	var b strings.Builder
	for c := int(first); c <= int(last); c++ {
		b.WriteByte(byte(c))
		b.WriteString(behind)
	}
	return b.String()
}

// overlongStress are 6.17 to 6.19: more bytes than needed.
func overlongStress() []stress {
	var most []string
	for n := 2; n <= 6; n++ {
		most = append(most, spelt(n, lastOf(n-1)))
	}
	return []stress{
		{testkit.Here(), "a slash has one spelling", nil, speltIn('/', 2, 3, 4, 5, 6)},
		{testkit.Here(), "what fits fewer bytes is spelt with fewer", nil, most},
		{testkit.Here(), "NUL has one spelling", nil, speltIn(0, 2, 3, 4, 5, 6)},
	}
}

// surrogateStress are 6.20 to 6.23: what looks like a character and is none, and
// the other way round.
func surrogateStress() []stress {
	var singles, pairs, nonCharacters, specials []string
	for _, v := range []uint32{0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff} {
		singles = append(singles, spelt(3, v))
	}
	for _, high := range singles[:4] {
		pairs = append(pairs, high+singles[4], high+singles[6])
	}
	nonCharacters = append(nonCharacters, spelt(3, 0xfffe), spelt(3, 0xffff))
	for plane := uint32(1); plane <= 16; plane++ {
		nonCharacters = append(nonCharacters, spelt(4, plane<<16|0xfffe), spelt(4, plane<<16|0xffff))
	}
	for v := uint32(0xfff9); v <= 0xffff; v++ {
		specials = append(specials, spelt(3, v))
	}
	return []stress{
		{testkit.Here(), "UTF-8 has no surrogates", nil, singles},
		{testkit.Here(), "nor pairs of them", nil, pairs},
		{testkit.Here(), "a code point that is no character is UTF-8 all the same", nonCharacters, nil},
		{testkit.Here(), "and so are the specials", specials, nil},
	}
}
