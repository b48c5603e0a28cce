package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBrowser tests the page in a browser. Each scenario has a program of its own, and
// runs on every screen where the page differs.
func TestBrowser(t *testing.T) {
	t.Parallel()
	t.Helper()
	browser := startBrowser(t)
	both, one := []screen{desk, phone}, []screen{desk}
	for _, row := range []struct {
		name    string
		play    func(*stage)
		screens []screen
	}{
		{"headers", playHeaders, one},
		{"names", playNames, both},
		{"talk", playTalk, both},
		{"presence", playPresence, one},
		{"typing", playTyping, one},
		{"history", playHistory, both},
		{"crowd", playCrowd, one},
		{"pending", playPending, both},
		{"lost acknowledgement", playLost, one},
		{"killed", playKilled, both},
		{"nodes", playNodes, one},
		{"buttons", playButtons, both},
		{"forbidden", playForbidden, one},
		{"full", playFull, both},
		{"direct", playDirect, both},
		{"hostile text", playHostile, both},
		{"unread", playUnread, both},
		{"hurry", playHurry, one},
		{"lines", playLines, one},
		{"keyboard", playKeyboard, one},
		{"composing", playComposing, one},
		{"Chinese", playChinese, both},
		{"screen reader", playReader, both},
		{"colours", playColours, both},
	} {
		for _, s := range row.screens {
			t.Run(row.name+" on a "+s.name, func(t *testing.T) {
				t.Parallel()
				row.play(&stage{t: t, browser: browser, screen: s, file: filepath.Join(t.TempDir(), "chat.db")})
			})
		}
	}
}

// stage is the environment of a scenario.
type stage struct {
	t       *testing.T
	browser context.Context //nolint:containedctx // chromedp has its browser in a context
	screen  screen
	file    string // the database
	chat    *process
	addr    string // the host and port of the pages, if it is not the program's own
	known   []*regexp.Regexp
}

// start starts the program.
func (s *stage) start() {
	s.t.Helper()
	s.chat = startProgram(s.t, "-db", s.file, "-proxies", "127.0.0.1")
}

// again starts the program again at the same address.
func (s *stage) again() {
	s.t.Helper()
	s.chat = startProgramAt(s.t, s.chat.Addr, "-db", s.file, "-proxies", "127.0.0.1")
}

// elsewhere returns the header of a client with another address.
func elsewhere(n int) http.Header {
	return http.Header{"X-Forwarded-For": {fmt.Sprintf("198.51.100.%d", n)}}
}

// at returns the URL of a room's page.
func (s *stage) at(room string) string {
	if s.addr != "" {
		return "http://" + s.addr + "/room/" + room + "/"
	}
	return s.chat.HTTP("/room/" + room + "/")
}

// visitor opens the page as a new user, and waits for the question for a name.
func (s *stage) visitor(who, room string) *tab {
	s.t.Helper()
	p := openTab(s.browser, s.t, who, s.screen, s.known...)
	p.open(s.at(room))
	p.want("to be asked for a name", `$("#name-dialog").open && document.activeElement === $("#name")`)
	return p
}

// person opens the page as a new user, and chooses a name.
func (s *stage) person(who, room string) *tab {
	s.t.Helper()
	p := s.visitor(who, room)
	p.name(who)
	p.wantState("open")
	p.want("the name", `$("#me").textContent === `+quote(who)+` && !$("#name-dialog").open`)
	return p
}

// name enters a name in the dialog.
func (p *tab) name(name string) {
	p.t.Helper()
	p.write("#name", name)
	p.press("#name-form button")
}

// say writes a message and sends it: with Enter, and on a phone with the button.
func (p *tab) say(text string) {
	p.t.Helper()
	p.write("#text", text)
	if p.screen.phone {
		p.press("#send")
		return
	}
	p.key(enterKey)
}

func (p *tab) wantState(state string) {
	p.t.Helper()
	p.want("the state "+state, `$("#state").dataset.state === `+quote(state))
}

// wantTexts waits until the page shows exactly these messages, all acknowledged.
func (p *tab) wantTexts(want ...string) {
	p.t.Helper()
	if want == nil {
		want = []string{}
	}
	p.want(fmt.Sprintf("the messages %q", want),
		`same(texts("#log li.message .text"), `+quote(want)+`) && $("#log li.pending") === null`)
}

// wantPeople waits until the list has these people, the tab's own user first.
func (p *tab) wantPeople(want ...string) {
	p.t.Helper()
	p.want(fmt.Sprintf("%q to be here", want), `same(texts("#people li[data-id] .who"), `+quote(want)+`)`)
}

// wantNotices waits until the page shows these notices of joins and leaves.
func (p *tab) wantNotices(want ...string) {
	p.t.Helper()
	p.want(fmt.Sprintf("the notices %q", want), `same(texts("#log li.notice.presence"), `+quote(want)+`)`)
}

// wantFit fails the test if the page is wider than the screen.
func (p *tab) wantFit() {
	p.t.Helper()
	wide := look[[]string](p, `[document.scrollingElement, ...$$("#log, #side, #say, #people, header, dialog")].
		filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "none").
		map((e) => (e.id || e.tagName) + ": " + e.scrollWidth + " in " + e.clientWidth)`)
	if len(wide) > 0 {
		p.t.Errorf("%s: wider than the screen: %q", p.who, wide)
	}
	if got := look[int](p, `innerWidth`); got != int(p.screen.width) {
		p.t.Errorf("%s: the window is %d wide, want %d", p.who, got, p.screen.width)
	}
}

// openSide opens the list of people on a phone.
func (p *tab) openSide() {
	p.t.Helper()
	if !p.screen.phone {
		return
	}
	p.press("#people-button")
	p.want("the people", `$("#people-button").ariaExpanded === "true" && $("#side").getBoundingClientRect().right <= innerWidth`)
}

// line is a message in the database or on the page.
type line struct {
	Seq  int64  `json:"seq"`
	From string `json:"from"`
	Text string `json:"text"`
}

// stored returns the messages of a room in the database.
func (s *stage) stored(room string) (all []line) {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(s.t.Context(), `SELECT seq, from_name, text FROM messages WHERE room = ? ORDER BY seq`, room)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.Seq, &l.From, &l.Text); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, l)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// fill stores the messages 1, 2, 3 and so on in room 123, from a person named Old,
// before the program starts.
func (s *stage) fill(count int) {
	s.t.Helper()
	db, err := openStore(s.t.Context(), databaseOf(s.file, false), func(string, Message) {})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	for i := range count {
		m := Message{From: Person{ID: "old", Name: "Old"}, Text: fmt.Sprint(i + 1), At: 1_700_000_000_000 + int64(i)*60_000}
		if _, _, err := db.Add(s.t.Context(), "123", m); err != nil {
			s.t.Fatal(err)
		}
	}
}

// counted returns the messages that fill has stored.
func counted(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func playHeaders(s *stage) {
	s.start()
	for path, want := range map[string]string{
		"/": "text/html; charset=utf-8", "/room/123/": "text/html; charset=utf-8", "/?group=123": "text/html; charset=utf-8",
		"/static/main.js": "text/javascript; charset=utf-8", "/static/chat.css": "text/css; charset=utf-8",
	} {
		a := do(s.t, http.MethodGet, s.chat.HTTP(path), "")
		if a.Status != http.StatusOK || a.Body == "" {
			s.t.Errorf("GET %s: got %d with %d bytes", path, a.Status, len(a.Body))
		}
		for name, want := range map[string]string{"Content-Type": want, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
			if got := a.Header.Get(name); got != want {
				s.t.Errorf("GET %s: %s: got %q, want %q", path, name, got, want)
			}
		}
		got := strings.Split(a.Header.Get("Content-Security-Policy"), "; ")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(strings.Join(got, "\n")+"\n", want+"\n") {
				s.t.Errorf("GET %s: the policy is %q, without %s", path, got, want)
			}
		}
	}
}
