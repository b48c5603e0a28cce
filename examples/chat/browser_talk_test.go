package main

import (
	"regexp"
	"strings"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// conflict is the browser's console line for a name that is refused.
var conflict = regexp.MustCompile(`^error: Failed to load resource: the server responded with a status of 4\d\d \(.*/me\)$`)

// playNames: names that are refused, and the reasons that the page shows.
func playNames(s *stage) {
	s.known = append(s.known, conflict)
	s.start()
	s.person("Ann", "123")
	p := s.visitor("Bob", "123")
	p.shot("name")
	p.wantFit()
	const (
		taken, bad   = "Somebody has that name already", "That cannot be a name"
		long, guests = "That name is too long", "Only guests have names"
		mixed        = "That name has letters of several alphabets"
	)
	for _, row := range []struct{ name, want, shot string }{
		{"Ann", taken, "name-taken"},
		{"aNN", taken, ""},
		{" Ann ", taken, ""},
		{"", bad, ""},
		{"   ", bad, ""},
		{"guest-1", guests, ""},
		{strings.Repeat("x", 33), long, ""},
		{"Ann꞉", bad, "name-bad"},
		{"∗ Ann", bad, ""},
		{"Аnn", mixed, "name-mixed"}, // Cyrillic
		{"ꓮꓠꓠ", taken, ""},           // Lisu
	} {
		p.name(row.name)
		p.want("to be told of "+row.name+": "+row.want, `$("#name-error").textContent.startsWith(`+quote(row.want)+`) && !$("#name-form").inert`)
		if row.shot != "" {
			p.shot(row.shot)
		}
		p.write("#name", "Bo")
		p.want("the complaint to go", `$("#name-error").textContent === ""`)
	}
	p.key(escapeKey) // the dialog cannot be cancelled
	p.want("still to be asked", `$("#name-dialog").open`)
	p.name("Bob")
	p.wantState("open")
	p.wantPeople("Bob", "Ann")
	p.reload() // the name is kept
	p.want("the name", `$("#me").textContent === "Bob" && !$("#name-dialog").open`)
}

// playTalk: two people write to each other, and a third is in another room.
func playTalk(s *stage) {
	s.start()
	ann := s.person("Ann", "123")
	ann.want("nothing, and to be told so", `!$("#empty").hidden && $("#room-name").textContent === "123"`)
	ann.shot("empty")
	bob, eve := s.person("Bob", "123"), s.person("Eve", "456")
	ann.say("hello, Bob")
	bob.wantTexts("hello, Bob")
	bob.say("Grüße, Ann! 你好 🙂")
	for _, p := range []*tab{ann, bob} {
		p.wantTexts("hello, Bob", "Grüße, Ann! 你好 🙂")
	}
	ann.want("what is one's own to be marked", `same($$("#log li.message").map((e) => e.classList.contains("own")), [true, false])`)
	ann.want("the writers", `same(texts("#log li.message .who"), ["Ann", "Bob"])`)
	eve.say("is anybody here?")
	eve.wantTexts("is anybody here?") // and no message before it

	// On a desk, Shift+Enter inserts a line break.
	ann.write("#text", "one")
	ann.key(enterKey, shift)
	ann.enter("two")
	ann.press("#send")
	bob.wantTexts("hello, Bob", "Grüße, Ann! 你好 🙂", "one\ntwo")

	// Eve joins.
	eve.openSide()
	eve.shot("people")
	eve.write("#room", "no room")
	eve.press("#room-form button")
	eve.want("the room not to be taken", `$("#room:invalid") !== null && location.pathname === "/room/456/"`)
	eve.write("#room", "123")
	eve.press("#room-form button")
	eve.want("to be in 123", `location.pathname === "/room/123/" && $("#room-name").textContent === "123"`)
	eve.wantTexts("hello, Bob", "Grüße, Ann! 你好 🙂", "one\ntwo")
	const found = `there you are; see https://go.dev/, and https://go.dev/<img/src=x> or www`
	eve.say(found)
	bob.wantTexts("hello, Bob", "Grüße, Ann! 你好 🙂", "one\ntwo", found)
	bob.want("links, and nothing else", `$("#log a").href === "https://go.dev/" && $("#log a").textContent === "https://go.dev/"
		&& $$("#log a").every((e) => e.href.startsWith("https://go.dev/") && /noopener/.test(e.rel)) && $("#log .text :not(a)") === null`)
	for _, p := range []*tab{ann, bob, eve} {
		p.wantFit()
	}
	ann.shot("talk")
}

// playPresence: people join and leave, with more than one tab.
func playPresence(s *stage) {
	s.start()
	ann := s.person("Ann", "123")
	ann.wantPeople("Ann")
	bob := s.person("Bob", "123")
	ann.wantPeople("Ann", "Bob")
	bob.wantPeople("Bob", "Ann")
	ann.wantNotices("Bob is here")

	again := ann.another()
	again.open(s.at("123"))
	again.wantState("open")
	again.wantPeople("Ann", "Bob")
	again.say("from the other tab")
	ann.want("one's own from the other tab", `$("#log li.own .text").textContent === "from the other tab"`)
	again.close()
	eve := s.person("Eve", "123")
	bob.wantPeople("Bob", "Ann", "Eve")
	bob.wantNotices("Eve is here") // and no notice about Ann

	// Eve opens another room, and goes back with the browser's button.
	eve.open(s.at("456"))
	bob.wantPeople("Bob", "Ann")
	bob.want("Eve's leave", `texts("#log li.notice.presence").at(-1) === "Eve has left"`)
	bob.say("is she gone?")
	eve.run("going back", `setTimeout(() => history.back())`)
	eve.want("to be back", `$("#room-name").textContent === "123" && $("#state").dataset.state === "open"`)
	eve.wantTexts("from the other tab", "is she gone?")
	bob.wantPeople("Bob", "Ann", "Eve")
	eve.close()
	bob.wantPeople("Bob", "Ann")
	ann.wantPeople("Ann", "Bob")
	bob.want("Eve's leave", `texts("#log li.notice.presence").at(-1) === "Eve has left"`)
	ann.close()
	bob.wantPeople("Bob")
	bob.want("Ann's leave", `texts("#log li.notice.presence").at(-1) === "Ann has left"`)
}

func playTyping(s *stage) {
	s.start()
	ann, bob, eve := s.person("Ann", "123"), s.person("Bob", "123"), s.person("Eve", "456")
	bob.write("#text", "h")
	ann.want("to know", `$("#typing").textContent === "Bob is typing"`)
	ann.shot("typing")
	ann.write("#text", "h")
	bob.want("to know", `$("#typing").textContent === "Ann is typing"`)
	bob.key(enterKey)
	ann.want("him to have typed", `$("#typing").textContent === ""`)
	bob.want("nothing else", `$("#typing").textContent === "Ann is typing"`)
	bob.want("it to fade", `$("#typing").textContent === ""`) // Ann sends nothing more
	eve.want("nothing", `$("#typing").textContent === ""`)
}

// playDirect: a message for one person.
func playDirect(s *stage) {
	s.start()
	ann, bob, eve := s.person("Ann", "123"), s.person("Bob", "123"), s.person("Eve", "123")
	ann.wantPeople("Ann", "Bob", "Eve")
	ann.openSide()
	ann.press(`#people li:nth-child(2) button`)
	ann.want("to write to Bob", `$("#to").textContent === "Only to Bob" && document.activeElement === $("#text")`)
	ann.say("a secret")
	ann.want("the mark", `$("#log li.own.direct:not(.pending) .to").textContent === "only to Bob"`)
	bob.want("the mark", `$("#log li.direct .to").textContent === "only to you"`)
	ann.want("to write to Bob still", `$("#to").textContent === "Only to Bob"`)
	ann.shot("direct")
	ann.press("#to-clear")
	ann.want("to write to everybody", `$("#to").checkVisibility() === false`)
	ann.say("for everybody")
	bob.shot("direct-received")
	check := func() {
		s.t.Helper()
		ann.wantTexts("a secret", "for everybody")
		bob.wantTexts("a secret", "for everybody")
		eve.wantTexts("for everybody")
		for _, p := range []*tab{ann, bob} {
			p.want("one that is marked", `same(texts("#log li.direct .text"), ["a secret"])`)
		}
		eve.want("none that is marked", `$("#log li.direct") === null`)
	}
	check()
	for _, p := range []*tab{ann, bob, eve} {
		p.reload()
	}
	check()
	for _, l := range look[[]string](eve, `[document.documentElement.innerHTML]`) {
		if strings.Contains(l, "secret") {
			s.t.Error("Eve's page has the secret")
		}
	}
}

// playHurry: a person sends faster than the limit.
func playHurry(s *stage) {
	s.start()
	ann, bob := s.person("Ann", "123"), s.person("Bob", "123")
	all := counted(1, 8)
	for _, text := range all {
		ann.say(text)
	}
	ann.want("to be told", `$("#notice").textContent.startsWith("That was fast") && $("#log li.pending") !== null`)
	ann.shot("hurry")
	ann.wantTexts(all...)
	bob.wantTexts(all...)
	ann.want("what was told to go when all is well", `$("#notice").textContent === ""`)
}

// playLines: clients with lines of text are in the same room.
func playLines(s *stage) {
	s.start()
	ann := s.person("Ann", "123")
	plain := websockettest.Dial(s.t, s.chat.WS("/ws/123/"), nil)
	greeting := plain.Text()
	guest, found := strings.CutPrefix(greeting, "* You are ")
	guest, _, ended := strings.Cut(guest, " in room 123, with Ann.")
	if !found || !ended || !strings.HasPrefix(guest, "guest-") {
		s.t.Fatalf("the greeting is %q", greeting)
	}
	ann.wantPeople("Ann", guest)
	ann.say("hello, who are you?")
	plain.WantText("Ann: hello, who are you?")
	plain.SendText("<b>nobody</b>")
	plain.WantText(guest + ": <b>nobody</b>")
	ann.wantTexts("hello, who are you?", "<b>nobody</b>")
	ann.want("the guest's name", `texts("#log li.message .who").at(-1) === `+quote(guest))
	plain.Close(consumer.CloseNormal, "")
	ann.wantPeople("Ann")
}
