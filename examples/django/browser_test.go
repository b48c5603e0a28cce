package main

import (
	"context"
	"testing"
)

// person opens the page as a new user and logs in to Django.
func person(browser context.Context, t *testing.T, started *process, name string) *tab {
	t.Helper()
	p := openTab(browser, t, name)
	p.open("http://" + started.Addr + "/")
	p.want("to be asked to log in", `location.pathname === "/login/" && $("#id_username")`)
	p.write("#id_username", name)
	p.write("#id_password", name)
	p.press("main.login button")
	p.want("the page", `$("#user").textContent === `+quote(name))
	for _, id := range []string{"#wye", "#channels"} {
		p.want(id+" to know the user", `$("`+id+` .state").textContent === `+quote("Connected. You are "+name+"."))
	}
	return p
}

// say sends a line in a panel.
func (p *tab) say(panel, text string) {
	p.t.Helper()
	p.write(panel+" input[name=text]", text)
	p.press(panel + " .pair button")
}

// wantLine waits until both panels, or the ones that are given, show a line.
func (p *tab) wantLine(who, text, via string, panels ...string) {
	p.t.Helper()
	if panels == nil {
		panels = []string{"#wye", "#channels"}
	}
	for _, id := range panels {
		p.want("the line in "+id, `texts("`+id+` .lines li").includes(`+quote(who+" "+text+" by "+via+" ")+`)`)
	}
}

// TestBrowser: two people, one through each kind of consumer, and a view.
func TestBrowser(t *testing.T) {
	t.Parallel()
	started := startAll(t)
	browser := startBrowser(t)
	ann := person(browser, t, started, "ann")
	bob := person(browser, t, started, "bob")
	ann.wantLine("bob", "has come in", "Wye", "#wye")

	ann.say("#wye", "hello from Wye")
	bob.wantLine("ann", "hello from Wye", "Wye", "#wye")
	bob.say("#channels", "hello <b>from</b> Channels")
	ann.wantLine("bob", "hello <b>from</b> Channels", "Channels", "#channels")
	ann.say("#view", "hello from a view")
	bob.wantLine("ann", "hello from a view", "a view of Django", "#channels")
	ann.want("to be told", `$("#view .state").textContent === "Django has sent it to the room."`)
	ann.shot("talk")
}
