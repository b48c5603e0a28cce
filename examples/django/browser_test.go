package main

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestBrowser: two people talk, Redis is killed under them and comes back, and one of them
// logs out.
func TestBrowser(t *testing.T) {
	t.Parallel()
	redis := startRedisServer(t)
	started := startAll(t, "-redis", "redis://"+redis.addr)
	browser := startBrowser(t)
	ann := person(browser, t, started, "ann")
	bob := person(browser, t, started, "bob").onPhone()
	ann.wantLine("bob", "has come in", "Wye")
	talk(ann, bob)
	outage(redis, ann, bob)
	logout(ann, bob)
}

// person opens the page as a new user and logs in to Django.
func person(browser context.Context, t *testing.T, started *process, name string) *tab {
	t.Helper()
	p := openTab(browser, t, name)
	p.open("http://" + started.Addr + "/")
	p.want("to be asked to log in", `location.pathname === "/login/" && $("#id_username")`)
	p.shot("login")
	p.write("#id_username", name)
	p.write("#id_password", name)
	p.press("main.login button")
	p.wantConnected()
	return p
}

func (p *tab) wantConnected() {
	p.t.Helper()
	p.want("the page", `$("#user").textContent === `+quote(p.who))
	for id, server := range map[string]string{"#wye": "Wye", "#channels": "Channels"} {
		p.want(server+" to know the user", `$("`+id+` .state").textContent === `+quote("Connected. "+server+" knows you as "+p.who+"."))
	}
}

// say sends a line in a panel.
func (p *tab) say(panel, text string) {
	p.t.Helper()
	p.write(panel+" input[name=text]", text)
	p.press(panel + " .pair button")
}

// shows is the condition that a panel shows a line.
func shows(panel, who, text, via string) string {
	return `texts("` + panel + ` .lines li").includes(` + quote(who+" "+text+" by "+via+" ") + `)`
}

// wantLine waits until both panels show a line.
func (p *tab) wantLine(who, text, via string) {
	p.t.Helper()
	p.want("the line "+quote(text), shows("#wye", who, text, via)+" && "+shows("#channels", who, text, via))
}

func (p *tab) wantNotice(panel, text string) {
	p.t.Helper()
	p.want("the notice "+quote(text), `!$("`+panel+` .notice").hidden && $("`+panel+` .notice").textContent === `+quote(text))
}

// talk: every line reaches both kinds of consumers, from wherever it is sent.
func talk(ann, bob *tab) {
	ann.t.Helper()
	ann.say("#wye", "hello from Wye")
	bob.say("#channels", "hello <b>from</b> Channels")
	ann.say("#view", "hello from a view")
	for _, p := range []*tab{ann, bob} {
		p.wantLine("ann", "hello from Wye", "Wye")
		p.wantLine("bob", "hello <b>from</b> Channels", "Channels")
		p.wantLine("ann", "hello from a view", "a view of Django")
	}
	ann.want("to be told", `$("#view .state").textContent === "Django has sent it to the room."`)
	ann.shot("talk")
}

// outage: Redis is killed, and started again.
func outage(redis *redisServer, ann, bob *tab) {
	ann.t.Helper()
	const down = "Redis cannot be reached. Django and other servers cannot be heard, and do not hear you."
	redis.stop()
	for _, p := range []*tab{ann, bob} {
		p.wantNotice("#wye", down)
	}
	ann.shot("down")
	bob.shot("down-phone")
	ann.say("#wye", "is anybody there?")
	ann.wantNotice("#wye", "Redis cannot be reached. Only people on this server have received “is anybody there?”.")
	bob.want("the line all the same", shows("#wye", "ann", "is anybody there?", "Wye"))
	bob.say("#channels", "hello?")
	bob.wantNotice("#channels", "Redis cannot be reached. Nobody has received “hello?”.")
	ann.say("#view", "hello?")
	ann.want("to be told", `$("#view .state").textContent === "Redis cannot be reached; nobody has received the line."`)

	redis.start()
	for _, p := range []*tab{ann, bob} {
		p.wantNotice("#wye", "Redis can be reached again. Lines that were sent in the meantime may be missing here.")
	}
	ann.shot("gap")
	// Channels does not say when it can be reached again.
	for i := range 30 {
		text := fmt.Sprint("back ", i)
		bob.say("#channels", text)
		if ann.holds(time.Second, shows("#wye", "bob", text, "Channels")+" && "+shows("#channels", "bob", text, "Channels")) {
			break
		}
	}
	bob.say("#wye", "back in Wye")
	ann.wantLine("bob", "back in Wye", "Wye")
	ann.wantConnected() // nothing has disconnected
}

// logout: Django closes the sockets of its user on Wye. Those on Channels stay open.
func logout(ann, bob *tab) {
	ann.t.Helper()
	again := newTab(ann.t, "ann", ann.ctx)
	again.open(ann.url())
	again.wantConnected()
	again.press("header button")
	again.want("to be asked to log in", `location.pathname === "/login/"`)
	ann.want("to be told", `$("#wye .state").textContent === "You are logged out. Reload the page to log in."`)
	ann.shot("logged-out")
	ann.say("#view", "hello?")
	ann.want("to be told by the view", `$("#view .state").textContent === "You are logged out. Reload the page to log in."`)
	ann.open(ann.url())
	ann.want("to be asked to log in", `location.pathname === "/login/"`)
	bob.wantConnected()
}
