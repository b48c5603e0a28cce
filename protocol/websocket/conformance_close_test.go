package websocket_test

import (
	"fmt"
	"strings"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// closeTrials are 7.1 to 7.5: what is said around a close, and in one.
func closeTrials() []trial {
	const (
		before = "5.5.1: what was said before a close is dealt with before it is answered"
		behind = "5.5.1 and 7.1.6: what comes behind a close is not heard; the close is answered once"
		body   = "5.5.1: a close has no payload, or a code and a reason, and is answered by its code"
		half   = "5.5.1: a code is two bytes"
		short  = "5.5: a control frame has at most 125 bytes"
		utf    = "5.5.1 and 8.1: a reason is UTF-8"
		last   = "last words"
	)
	bye, long := closing(1000, ""), filler(256<<10)
	lastWords := frame(finText, last)
	return []trial{
		{at: testkit.Here(), number: "7.1.1", rule: before, end: answers(1000), steps: []step{
			say(lastWords).hear(heardText(last)).ahead(), say(bye),
		}},
		{at: testkit.Here(), number: "7.1.2", rule: behind, steps: []step{say(bye, frame(finClose, ""))}, end: answers(1000)},
		{at: testkit.Here(), number: "7.1.3", rule: behind, steps: []step{say(bye, frame(finPing, "?"))}, end: answers(1000)},
		{at: testkit.Here(), number: "7.1.4", rule: behind, steps: []step{say(bye, lastWords)}, end: answers(1000)},
		{at: testkit.Here(), number: "7.1.5", rule: behind, end: answers(1000), steps: []step{
			say(frame(text, "one "), bye, frame(finCont, "and two")),
		}},
		{at: testkit.Here(), number: "7.1.6", rule: before, end: answers(1000), steps: []step{
			say(frame(finText, long), lastWords).hear(heardText(long), heardText(last)).ahead(), say(bye, frame(finPing, "?")),
		}},
		{at: testkit.Here(), number: "7.3.1", rule: body, steps: []step{say(frame(finClose, ""))}, end: answers(0)},
		{at: testkit.Here(), number: "7.3.2", rule: half, steps: []step{say(frame(finClose, "\x03"))}, end: fails(1002)},
		{at: testkit.Here(), number: "7.3.3", rule: body, steps: []step{say(bye)}, end: answers(1000)},
		{at: testkit.Here(), number: "7.3.4", rule: body, steps: []step{say(closing(1000, "it is late"))}, end: answers(1000)},
		{at: testkit.Here(), number: "7.3.5", rule: body, steps: []step{say(closing(1000, filler(123)))}, end: answers(1000)},
		{at: testkit.Here(), number: "7.3.6", rule: short, steps: []step{say(closing(1000, filler(124)))}, end: fails(1002)},
		{at: testkit.Here(), number: "7.5.1", rule: utf, end: fails(1007), steps: []step{
			say(closing(1000, kosme+spelt(3, 0xd800)+"and more")),
		}},
		{at: testkit.Here(), number: "7.5.1+long", rule: utf, steps: []step{say(closing(1000, strings.Repeat("世", 41)))}, end: answers(1000)},
	}
}

// closeCodeTrials are 7.7, 7.9 and 7.13. The registry of 7.4 has grown by 1012 to
// 1014 since RFC 6455. An answer to 1010 is empty, because no server has a use
// for that code (7.4.1).
func closeCodeTrials() []trial {
	const (
		good    = "5.5.1 and 7.4: a code that may be sent is echoed"
		bad     = "7.4.1 and 7.4.2: a code that must not be sent, or that nobody has given a meaning, fails the connection"
		unknown = "7.4.2: there are no codes above 4999"
	)
	var trials []trial
	add := func(number, rule string, code protocol.CloseCode, end ending) {
		trials = append(trials, trial{
			at: testkit.Here(), number: number, rule: rule, steps: []step{say(closing(code, ""))}, end: end,
		})
	}
	for i, code := range []protocol.CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		echoed := code
		if code == 1010 {
			echoed = 0
		}
		add(fmt.Sprintf("7.7.%d", i+1), good, code, answers(echoed))
	}
	for i, code := range []protocol.CloseCode{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		add(fmt.Sprintf("7.9.%d", i+1), bad, code, fails(1002))
	}
	add("7.13.1", unknown, 5000, fails(1002))
	add("7.13.2", unknown, 65535, fails(1002))
	for _, code := range []protocol.CloseCode{1012, 1013, 1014} {
		add(fmt.Sprintf("7.7+%d", code), good, code, answers(code))
	}
	add("7.9+1015", bad, 1015, fails(1002))
	return trials
}
