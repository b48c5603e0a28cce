package main

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync/atomic"

	"github.com/chromedp/cdproto/network"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// unreachable are the browser's console lines for a connection that is refused, or that
// closes during the handshake.
var unreachable = []*regexp.Regexp{
	regexp.MustCompile(`^error: WebSocket connection to 'ws://[^']+' failed: .*$`),
	regexp.MustCompile(`^error: Failed to load resource: net::ERR_(CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE|INTERNET_DISCONNECTED) `),
}

// playHistory: messages from before the page was opened.
func playHistory(s *stage) {
	s.known = append(s.known, unreachable...)
	s.fill(150)
	s.start()
	ann := s.person("Ann", "123")
	ann.wantTexts(counted(101, 150)...)
	ann.want("the last to be in sight", `$("#log").scrollHeight - $("#log").scrollTop - $("#log").clientHeight < 2`)
	ann.shot("history")
	for _, first := range []int{51, 1} {
		ann.run("scrolling up", `$("#log").scrollTop = 0`)
		place := fmt.Sprintf(`$('#log li[data-seq="%d"] .text').getBoundingClientRect().top`, first+50)
		before := look[float64](ann, place)
		ann.press("#older")
		ann.wantTexts(counted(first, 150)...)
		after := look[float64](ann, place)
		if math.Abs(after-before) > 2 {
			ann.t.Errorf("what was read has moved from %v to %v", before, after)
		}
	}
	ann.want("no older ones", `$("#older").hidden`)
	ann.reload()
	ann.wantTexts(counted(101, 150)...)

	s.chat.Terminate(s.t)
	ann.wantState("waiting")
	s.chat.WantExit(s.t)
	s.again()
	ann.wantState("open")
	ann.wantTexts(counted(101, 150)...)
	ann.say("151")
	ann.wantTexts(counted(101, 151)...)
	ann.reload()
	ann.wantTexts(counted(102, 151)...)
	ann.want("the last to be in sight", `$("#log").scrollHeight - $("#log").scrollTop - $("#log").clientHeight < 2`)
}

// playCrowd: a thousand people join and leave, so that their notices replace all
// messages on the page. The messages come back on demand.
func playCrowd(s *stage) {
	s.fill(60)
	s.start()
	ann := s.person("Ann", "%31%32%33") // 123, percent-encoded
	ann.wantTexts(counted(11, 60)...)
	for some := range 21 { // a page that opens later does not get the notices
		guests := make([]*websockettest.Client, 48)
		for i := range guests {
			guests[i] = websockettest.Dial(s.t, s.chat.WS("/ws/123/"), elsewhere(some))
		}
		ann.want("all to be here", fmt.Sprintf(`$("#people-count").textContent === "%d"`, 1+len(guests)))
		for _, guest := range guests {
			guest.Send(websockettest.Binary("")) // the server closes the connection for it
			skipToClosed(s.t, guest, consumer.CloseUnsupportedData)
		}
	}
	ann.want("nothing but them", `$("#log li.message") === null && !$("#older").hidden`)
	ann.run("scrolling up", `$("#log").scrollTop = 0`)
	ann.press("#older")
	ann.wantTexts(counted(11, 60)...)
}

// playPending: the network stalls while a message is sent.
func playPending(s *stage) {
	s.start()
	net := startWire(s.t, s.chat.Addr)
	bob := s.person("Bob", "123")
	s.addr = net.Addr
	ann := s.person("Ann", "123")
	bob.wantPeople("Bob", "Ann")
	net.asks.shut()
	ann.say("is it there?")
	const pending = `$("#log li.pending[data-tag] .text").textContent === "is it there?" && $("#log li.pending").dataset.seq === undefined`
	ann.want("the message to wait", pending)
	ann.want("to be told so", `getComputedStyle($("#log li.pending .sending")).opacity === "1"`)
	ann.shot("pending")
	bob.say("hello")
	ann.want("Bob's before it, and it to wait still",
		`same(texts("#log li.message .text"), ["hello", "is it there?"]) && `+pending)
	net.asks.open()
	bob.wantTexts("hello", "is it there?")
	ann.wantTexts("hello", "is it there?")
	ann.want("it to be as others are", `$("#log li.own").dataset.seq === "2" && $("#log li.own .sending") === null`)
}

// playLost: the acknowledgement of a stored message is lost.
func playLost(s *stage) {
	s.known = append(s.known, unreachable...)
	s.start()
	net := startWire(s.t, s.chat.Addr)
	bob := s.person("Bob", "123")
	s.addr = net.Addr
	ann := s.person("Ann", "123")
	net.answers.shut()
	ann.say("once")
	bob.wantTexts("once")
	ann.want("it to wait", `$("#log li.pending .text").textContent === "once"`)
	ann.say("and once more") // behind the lost one
	net.cut()
	net.answers.open()
	ann.wantTexts("once", "and once more")
	bob.wantTexts("once", "and once more")

	// The same, with a reload of the page before it has the acknowledgement. Unsent
	// messages survive the reload.
	net.asks.shut()
	ann.say("kept")
	ann.want("it to wait", `$("#log li.pending .text").textContent === "kept"`)
	net.cut()
	ann.wantState("waiting")
	net.asks.open()
	ann.reload()
	ann.wantTexts("once", "and once more", "kept")
	bob.wantTexts("once", "and once more", "kept")
	if got := s.stored("123"); len(got) != 3 {
		s.t.Errorf("stored are %v", got)
	}
}

// playKilled: the program is killed several times while two people write.
func playKilled(s *stage) {
	s.known = append(s.known, unreachable...)
	s.start()
	ann, bob := s.person("Ann", "123"), s.person("Bob", "123")
	var want []string
	say := func(p *tab, round, number int) {
		text := fmt.Sprintf("%s %d.%d", p.who, round, number)
		want = append(want, text)
		p.say(text)
	}
	for round := range 3 {
		say(ann, round, 1)
		say(bob, round, 1)
		say(ann, round, 2)
		s.chat.Kill(s.t) // in whatever state the messages are
		say(bob, round, 2)
		say(ann, round, 3)
		for _, p := range []*tab{ann, bob} {
			p.want("to wait, and to be told so", `$("#log li.pending") !== null &&
				["waiting", "connecting"].includes($("#state").dataset.state)`)
		}
		if round == 0 {
			ann.wantState("waiting")
			ann.shot("waiting")
		}
		s.again()
		say(bob, round, 3)
		for _, p := range []*tab{ann, bob} {
			p.wantState("open")
			p.want("nothing to wait", `$("#log li.pending") === null`)
		}
	}
	slices.Sort(want)
	const shown = `$$("#log li.message").map((e) => ({
		seq: Number(e.dataset.seq), from: e.querySelector(".who").textContent, text: e.querySelector(".text").textContent }))`
	stored := s.stored("123")
	for _, p := range []*tab{ann, bob} {
		p.want("all messages", fmt.Sprintf(`$$("#log li.message[data-seq]").length === %d`, len(want)))
		if got := look[[]line](p, shown); !slices.Equal(got, stored) {
			s.t.Errorf("%s has %v\nand stored is %v", p.who, got, stored)
		}
	}
	for _, p := range []*tab{ann, bob} { // in the order in which they were written
		var texts []string
		for _, l := range stored {
			if l.From == p.who {
				texts = append(texts, l.Text)
			}
		}
		if !slices.IsSorted(texts) {
			s.t.Errorf("%s has written %q", p.who, texts)
		}
	}
	var got []string
	for _, l := range stored {
		got = append(got, l.Text)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("stored is %q\nand written was %q", got, want)
	}
}

// playButtons: the buttons of the connection, when the user disconnects and in outages.
func playButtons(s *stage) {
	s.known = append(s.known, unreachable...)
	s.start()
	ann, bob := s.person("Ann", "123"), s.person("Bob", "123")
	buttons := func(state, connect string, disconnect bool) {
		s.t.Helper()
		ann.wantState(state)
		ann.want("the buttons of "+state, fmt.Sprintf(`($("#connect").checkVisibility() ? $("#connect").textContent : "") === %s
			&& $("#disconnect").checkVisibility() === %t && $("#state").checkVisibility()`, quote(connect), disconnect))
	}
	buttons("open", "", true)
	ann.want("the state in words, and a button that looks like one", `$("#state").getBoundingClientRect().width > 40
		&& !/transparent|, 0\)/.test(getComputedStyle($("#disconnect")).borderTopColor)`)
	ann.press("#disconnect")
	buttons("closed", "Connect", false)
	ann.shot("closed")
	bob.wantPeople("Bob")
	ann.say("later")
	ann.want("it to wait", `$("#log li.pending") !== null`)
	ann.press("#connect")
	buttons("open", "", true)
	bob.wantTexts("later")
	bob.wantPeople("Bob", "Ann")
	ann.wantTexts("later")

	s.chat.Kill(s.t)
	buttons("waiting", "Reconnect now", true)
	// The longer the outage, the longer the wait: in the end long enough to press the
	// button.
	ann.want("to wait for seconds", `/[3-9]/.test($("#countdown").textContent)`)
	s.again()
	ann.press("#connect")
	buttons("open", "", true)

	// The network is down, and the browser reports it.
	ann.offline(true)
	buttons("offline", "Reconnect now", true)
	ann.shot("offline")
	ann.say("from the tunnel")
	ann.offline(false)
	buttons("open", "", true)
	bob.wantState("open")
	for _, p := range []*tab{ann, bob} {
		p.wantTexts("later", "from the tunnel")
	}
}

// playForbidden: a room without access. The chat has none, so the test replaces the
// rooms by an application that refuses.
func playForbidden(s *stage) {
	var asked atomic.Int64
	const why = "This room is for members."
	rooms := protocol.ApplicationFunc(func(*consumer.Scope) (protocol.Handler, error) {
		asked.Add(1)
		return nil, consumer.NewCloseError(consumer.CloseForbidden, why).AcceptFirst()
	})
	r := router.New(start(s.t).page(), websocket.New(rooms, &websocket.Options{Subprotocols: []string{subprotocol}}))
	srv := httptest.NewServer(r)
	s.t.Cleanup(func() {
		srv.Close()
		if err := r.Shutdown(context.Background()); err != nil {
			s.t.Error(err)
		}
	})
	s.addr = srv.Listener.Addr().String()
	ann := s.visitor("Ann", "123")
	ann.name("Ann")
	ann.wantState("closed")
	ann.want("to be told why, and to be able to ask again",
		`$("#notice").textContent === `+quote(why)+` && $("#connect").checkVisibility()`)
	if n := asked.Load(); n != 1 {
		s.t.Errorf("the server was asked %d times, want once", n)
	}
}

// playFull: a person opens the chat too often, and a person joins a room that has too
// many people of one network. The page shows the reason, and connects when there is a
// free slot.
func playFull(s *stage) {
	s.start()
	ann := s.person("Ann", "123")
	ann.run("opening more", fmt.Sprintf(
		`window.more = Array.from({ length: %d }, (_, i) => new WebSocket("ws://" + location.host + "/ws/" + i + "/"))`,
		personSlots.connections-1))
	ann.want("them to be open", `window.more.every((socket) => socket.readyState === WebSocket.OPEN)`)
	again := ann.another()
	again.open(s.at("456"))
	again.wantState("waiting")
	again.want("to be told why", `$("#notice").textContent === `+quote(errManyTabs.Error()))
	again.wantFit()
	again.shot("tabs")
	ann.run("closing one", `window.more[0].close()`)
	again.wantState("open")
	again.want("the notice to go", `$("#notice").textContent === ""`)

	guests := make([]*websockettest.Client, addressSlots.room)
	for i := range guests {
		guests[i] = websockettest.Dial(s.t, s.chat.WS("/ws/789/"), nil)
		guests[i].Text()
	}
	bob := s.visitor("Bob", "789")
	bob.name("Bob")
	bob.wantState("waiting")
	bob.want("to be told why, and nothing of what there is", `$("#empty").hidden && $("#notice").textContent === `+quote(errManyNearRoom.Error()))
	bob.wantFit()
	bob.shot("full")
	guests[0].Send(websockettest.Binary("")) // the server closes the connection for it
	skipToClosed(s.t, guests[0], consumer.CloseUnsupportedData)
	bob.wantState("open")
}

// offline disconnects a page from the network, or connects it again.
func (p *tab) offline(gone bool) {
	p.t.Helper()
	rule := network.Conditions{Offline: gone, DownloadThroughput: -1, UploadThroughput: -1}
	p.do(fmt.Sprintf("offline: %t", gone),
		send(network.Enable, network.EnableParams{}),
		send(network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{&rule},
		}),
		send(network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: gone, DownloadThroughput: -1, UploadThroughput: -1,
		}))
}
