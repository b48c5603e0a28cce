package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// playHostile: messages that try to run scripts, or to look like something else.
func playHostile(s *stage) {
	s.start()
	ann := s.person("Ann", "123")
	bob := s.person("<b onclick=alert(1)>Bob", "123")
	ann.want("the name as it is", `texts("#people .who")[1] === "<b onclick=alert(1)>Bob"`)
	title := look[string](ann, `document.title`)
	hostile := []string{
		`<script>document.title = "hacked"</script>`,
		// The error handler of an image would run where <script> does not.
		`<img src="x" onerror="document.title = 'hacked'"><b>bold</b>`,
		`javascript:alert(1) data:text/html,<script>alert(1)</script> //evil.example https://%zz`,
		strings.Repeat("W", 2000),
	}
	for _, text := range hostile {
		bob.say(text)
	}
	bob.say("  a\u0007 bell\u001b[2J \n")
	bob.say("to the left: \u202egnp.exe and \u2067on")
	hostile = append(hostile, "a bell[2J", "to the left: gnp.exe and on")
	for _, p := range []*tab{ann, bob} {
		p.wantTexts(hostile...)
		p.wantFit()
		p.want("no elements in the text", `$("#log .text *") === null && $("#log img, #log script, #people b") === null`)
		p.want("the title as it was", `document.title === `+quote(title))
		p.want("text that turns round to stay in its place", `$$("#log .text").every((e) => /isolate|plaintext/.test(getComputedStyle(e).unicodeBidi))`)
		if wide := look[[]string](p, `$$("#log .text").filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.textContent)`); len(wide) > 0 {
			p.t.Errorf("%s: outside of the screen: %q", p.who, wide)
		}
	}
	ann.run("scrolling up", `$("#log").scrollTop = 0`)
	ann.shot("hostile")

	// A message that is too long is not sent, and the page shows by how much.
	ann.write("#text", strings.Repeat("🙂", 2001))
	ann.want("to be told", `$("#left").textContent === "1 too many"`)
	ann.shot("too-long")
	ann.press("#send")
	ann.want("it not to be sent", `$("#text").value.length === 4002 && $("#log li.own") === null`)
}

// playUnread: messages that come while the user does not look.
func playUnread(s *stage) {
	s.fill(60)
	s.start()
	ann, bob := s.person("Ann", "123"), s.person("Bob", "123")
	plain := `document.title === "#123 – Wye chat"`
	ann.want("nothing to be new", plain+` && $("#jump").hidden && $("#unread") === null`)

	ann.run("scrolling up", `$("#log").scrollTop = 0`)
	ann.want("a way back", `!$("#jump").hidden`)
	for _, text := range []string{"a", "b", "c"} {
		bob.say(text)
	}
	ann.want("to be told of three", `document.title.startsWith("(3) ") && $("#jump").textContent === "3 new messages below"`)
	ann.want("a line before them", `$("#unread").nextElementSibling.querySelector(".text").textContent === "a"`)
	ann.want("to stay where one reads", `$("#log").scrollTop < 2`)
	ann.shot("unread")
	ann.press("#jump")
	ann.want("to be there, with nothing new", plain+` && $("#jump").hidden`)
	ann.shot("unread-seen")

	// The window is in the background.
	ann.look(false)
	bob.say("d")
	ann.want("to be told of one", `document.title.startsWith("(1) ")`)
	ann.want("a line before it", `$("#unread").nextElementSibling.querySelector(".text").textContent === "d"`)
	ann.look(true)
	ann.want("nothing to be new", plain)

	// After a reload, messages that came meanwhile are marked as new.
	ann.open("about:blank")
	bob.wantPeople("Bob")
	bob.say("e")
	bob.wantTexts(append(counted(11, 60), "a", "b", "c", "d", "e")...)
	ann.open(s.at("123"))
	ann.wantState("open")
	ann.want("a line before what is new", `$("#unread").nextElementSibling.querySelector(".text").textContent === "e"`)
}

// look puts the window in the background, or in front.
func (p *tab) look(there bool) {
	p.t.Helper()
	state := browser.WindowStateMinimized
	if there {
		state = browser.WindowStateNormal
	}
	p.do("the window: "+state.String(), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		window, err := chromedp.CallBrowser(ctx, browser.GetWindowForTarget, browser.GetWindowForTargetParams{TargetID: t.TargetID})
		if err != nil {
			return err
		}
		_, err = chromedp.CallBrowser(ctx, browser.SetWindowBounds, browser.SetWindowBoundsParams{
			WindowID: window.WindowID, Bounds: &browser.Bounds{WindowState: state},
		})
		return err
	}))
	p.want(fmt.Sprintf("to be looked at: %t", there), fmt.Sprintf(`document.hidden === %t`, !there))
}

// tabTo presses Tab until selector has the focus, and checks at every stop that the
// focus is visible.
func (p *tab) tabTo(selector string, with ...chromedp.KeyOption) {
	p.t.Helper()
	for range 40 {
		p.key(tabKey, with...)
		at := look[string](p, `document.activeElement.outerHTML.slice(0, 80)`)
		if !look[bool](p, seen) {
			p.t.Errorf("%s: the focus is not seen at %s", p.who, at)
		}
		if look[bool](p, `document.activeElement.matches(`+quote(selector)+`)`) {
			return
		}
	}
	p.t.Fatalf("%s: Tab does not reach %s", p.who, selector)
}

// seen reports whether the focus is visible. For the message field it is the border of
// the box around it.
const seen = `(() => {
	const e = document.activeElement, style = getComputedStyle(e);
	if (e === document.body) return true; // the next stop is the browser's own interface
	if (!e.checkVisibility()) return false;
	if (e.matches("#text")) return getComputedStyle(e.closest(".field")).boxShadow.includes("0px 0px 0px 1px");
	return e.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
})()`

// playKeyboard: everything without a mouse.
func playKeyboard(s *stage) {
	s.fill(60)
	s.start()
	bob := s.person("Bob", "123")
	ann := s.visitor("Ann", "123")
	ann.enter("Ann")
	ann.key(enterKey)
	ann.wantState("open")
	ann.want("the focus where one writes", `document.activeElement === $("#text") && `+seen)
	ann.enter("hello")
	ann.key(enterKey)
	bob.wantTexts(append(counted(11, 60), "hello")...)

	// A direct message, and then to everybody again.
	ann.tabTo("#people button", shift)
	ann.shot("focus")
	ann.key(enterKey)
	ann.want("to write to Bob", `$("#to").textContent === "Only to Bob" && document.activeElement === $("#text")`)
	ann.enter("hush")
	ann.key(enterKey)
	bob.want("it to be for Bob alone", `$("#log li.direct .text").textContent === "hush"`)
	ann.key(escapeKey)
	ann.want("to write to everybody", `!$("#to").checkVisibility()`)
	ann.tabTo("#people button", shift)
	ann.key(enterKey)
	ann.tabTo("#to-clear", shift)
	ann.key(enterKey)
	ann.want("to write to everybody", `!$("#to").checkVisibility() && document.activeElement === $("#text")`)

	// Older lines. The button disappears when there are none.
	ann.tabTo("#older", shift)
	ann.key(enterKey)
	ann.wantTexts(append(counted(1, 60), "hello", "hush")...)
	ann.want("the focus in the log", `$("#older").hidden && document.activeElement === $("#log")`)

	ann.tabTo("#disconnect", shift)
	ann.key(enterKey)
	ann.wantState("closed")
	ann.want("the focus where the button was", `document.activeElement === $("#connect") && `+seen)
	ann.key(enterKey)
	ann.wantState("open")
	ann.want("the focus where the button was", `document.activeElement === $("#disconnect") && `+seen)
	ann.tabTo("#text")

	// Another room, with the form before the message field.
	ann.tabTo("#room", shift)
	ann.enter("456")
	ann.key(enterKey)
	ann.want("to be there", `location.pathname === "/room/456/" && $("#state").dataset.state === "open"`)
	ann.tabTo("#leave", shift)
	ann.key(enterKey)
	ann.want("to be asked", `$("#leave-dialog").open`)
	ann.shot("leave")
	ann.key(escapeKey)
	ann.want("to keep the name", `!$("#leave-dialog").open && $("#me").textContent === "Ann"`)
}

// playComposing: Chinese with an input method, in which Enter accepts a word.
func playComposing(s *stage) {
	s.start()
	ann := s.person("Ann", "123")
	ann.press("#text")
	ann.do("composing", send(input.ImeSetComposition, input.ImeSetCompositionParams{Text: "nihao", SelectionStart: 5, SelectionEnd: 5}))
	ann.want("the letters", `$("#text").value === "nihao"`)
	ann.run("listening", `$("#text").addEventListener("keydown", (e) => { $("#text").title = e.key + " " + e.isComposing; })`)
	ann.key(enterKey)
	ann.want("Enter to be the input method's", `$("#text").title === "Enter true"`)
	ann.want("nothing to be sent", `$("#log li.message") === null && $("#text").value.startsWith("nihao")`)
	ann.do("taking a word", send(input.ImeSetComposition, input.ImeSetCompositionParams{}), send(input.InsertText, input.InsertTextParams{Text: "你好"}))
	ann.want("the word", `$("#text").value.trim() === "你好"`)
	ann.key(enterKey)
	ann.wantTexts("你好")
}

// playChinese: the page in a Chinese browser.
func playChinese(s *stage) {
	s.known = append(s.known, conflict)
	s.known = append(s.known, unreachable...)
	s.start()
	bob := s.person("Bob", "123")
	ann := openTab(s.browser, s.t, "Ann", s.screen, s.known...)
	ann.do("speaking Chinese", send(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
		UserAgent: look[string](ann, `navigator.userAgent`), AcceptLanguage: "fr,zh-CN,en",
	}))
	ann.open(s.at("123"))
	ann.want("to be asked for a name", `$("#name-dialog").open && document.documentElement.lang === "zh-CN"`)
	ann.wantChinese("the dialog")
	ann.shot("chinese-name")
	ann.name("Bob")
	ann.want("the name to be refused", `$("#name-error").textContent !== ""`)
	ann.wantChinese("the refusal")
	ann.name("")
	ann.want("the name to be refused", `/32/.test($("#name-error").textContent)`)
	ann.wantChinese("the other refusal")
	ann.write("#name", "Ann")
	ann.press("#name-form button")
	ann.wantState("open")
	ann.wantChinese("the empty room")
	ann.say("你好")
	bob.wantTexts("你好")
	bob.write("#text", "x")
	ann.want("Bob to type", `$("#typing").textContent !== ""`)
	ann.wantChinese("typing")
	ann.openSide()
	ann.wantChinese("the people")
	ann.press(`#people button`)
	ann.wantChinese("the addressee")
	ann.say("嘘")
	bob.wantTexts("你好", "嘘")
	ann.write("#text", strings.Repeat("好", 1990))
	ann.wantChinese("a long text")
	ann.shot("chinese")
	ann.write("#text", "")
	bob.close()
	ann.wantPeople("Ann")
	ann.wantChinese("a leave")
	ann.press("#disconnect")
	ann.wantState("closed")
	ann.wantChinese("disconnected")
	ann.press("#connect")
	ann.wantState("open")
	s.chat.Kill(s.t)
	ann.wantState("waiting")
	ann.wantChinese("waiting")
}

// words returns all texts that are visible or read aloud, those of hidden elements
// included.
const allWords = `(() => {
	const all = [document.title];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT);
	for (let e = walker.nextNode(); e; e = walker.nextNode()) {
		if (e.matches("noscript, script, noscript *")) continue;
		for (const name of ["aria-label", "title", "placeholder", "alt"]) all.push(e.getAttribute(name) ?? "");
		for (const child of e.childNodes) if (child.nodeType === Node.TEXT_NODE) all.push(child.textContent);
	}
	return all.map((s) => s.trim()).filter(Boolean);
})()`

// ours are the Latin words on the Chinese page: names of people, rooms and keys, and
// the name of the chat.
var (
	ours  = regexp.MustCompile(`Wye chat|\b(Ann|Bob|A|B|lobby|Shift\+Enter|Enter)\b|guest-`)
	latin = regexp.MustCompile(`[A-Za-z]+`)
)

func (p *tab) wantChinese(what string) {
	p.t.Helper()
	all := look[[]string](p, allWords)
	if len(all) < 10 {
		p.t.Errorf("%s: the page has only %q", what, all)
	}
	for _, text := range all {
		if latin.MatchString(ours.ReplaceAllString(text, "")) {
			p.t.Errorf("%s: %q", what, text)
		}
	}
	p.wantFit()
}

// node is a node of the accessibility tree.
type node struct{ role, name string }

// reads returns the nodes of the accessibility tree.
func (p *tab) reads() (all []node) {
	p.t.Helper()
	p.do("reading the page", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		text := func(v *accessibility.Value) string {
			if v == nil {
				return ""
			}
			return strings.Trim(string(v.Value), `"`)
		}
		for _, n := range tree.Nodes {
			if !n.Ignored {
				all = append(all, node{text(n.Role), text(n.Name)})
			}
		}
		return nil
	}))
	return all
}

// wantRead fails the test if a control has no name, or if an expected node is missing.
func (p *tab) wantRead(parts ...node) {
	p.t.Helper()
	all := p.reads()
	has := make(map[node]bool)
	for _, n := range all {
		has[n] = true
		switch n.role {
		case "button", "textbox", "link", "dialog", "log", "complementary":
			if n.name == "" {
				p.t.Errorf("%s: a %s without a name", p.who, n.role)
			}
		}
	}
	for _, part := range parts {
		if !has[part] {
			p.t.Errorf("%s: no %s %q among %q", p.who, part.role, part.name, all)
		}
	}
}

// playReader: the page for a screen reader.
func playReader(s *stage) {
	s.fill(60)
	s.start()
	bob := s.person("Bob", "123")
	ann := s.visitor("Ann", "123")
	ann.wantRead(node{"dialog", "What should people call you?"}, node{"textbox", "Name"}, node{"button", "Enter"})
	ann.name("Ann")
	ann.wantState("open")
	bob.say("hello")
	ann.wantTexts(append(counted(11, 60), "hello")...)
	ann.want("news to be read", `$("#log").ariaLive === "polite"`)
	ann.wantRead(
		node{"log", "Messages"}, node{"status", ""}, node{"StaticText", "Connected"}, node{"heading", "123"},
		node{"textbox", "Message"}, node{"button", "Send"}, node{"button", "Load older messages"}, node{"button", "Disconnect"},
		node{"StaticText", "Bob"}, node{"StaticText", "hello"})
	if s.screen.phone {
		ann.wantRead(node{"button", "Who is here 2"})
		ann.openSide()
		ann.wantRead(node{"button", "Close"})
	}
	ann.wantRead(
		node{"complementary", "Rooms and people"}, node{"textbox", "Go to another room"}, node{"button", "Go"},
		node{"button", "Write to Bob alone"}, node{"button", "Leave this name"})
	ann.want("errors to be read", `$("#notice").role === "alert" && $("#name-error").role === "alert"`)
}

// faint returns the texts whose contrast is less than the 4.5 of WCAG. The browser
// computes the colours.
const faint = `(() => {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = 1;
	const ctx = canvas.getContext("2d", { willReadFrequently: true });
	const paint = (colours) => {
		ctx.clearRect(0, 0, 1, 1);
		for (const c of colours) { ctx.fillStyle = c; ctx.fillRect(0, 0, 1, 1); }
		return [...ctx.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const luminance = (rgb) => {
		const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const dark = matchMedia("(prefers-color-scheme: dark)").matches;
	const behind = (e) => {
		const all = [];
		for (; e; e = e.parentElement) all.unshift(getComputedStyle(e).backgroundColor);
		return [dark ? "black" : "white", ...all];
	};
	const found = [];
	for (const e of $$("body *")) {
		const own = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim() !== "");
		const pseudo = e.matches("textarea:placeholder-shown, input:placeholder-shown") ? "::placeholder" : undefined;
		if (!own && !pseudo && !e.matches("button > svg")) continue;
		if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
		const ground = behind(e), colour = getComputedStyle(e, pseudo).color;
		const [a, b] = [luminance(paint(ground)), luminance(paint([...ground, colour]))].sort((x, y) => y - x);
		const contrast = (a + 0.05) / (b + 0.05);
		// Disabled controls and pictures need less contrast.
		const least = e.matches("button > svg") ? ($("#say").classList.contains("blank") && e.closest("#send") ? 0 : 3) : 4.5;
		if (contrast < least) found.push(contrast.toFixed(2) + " " + e.tagName + "#" + e.id + "." + e.className + " " + e.textContent.slice(0, 20));
	}
	return found;
})()`

// playColours: the contrast of all texts.
func playColours(s *stage) {
	s.known = append(s.known, conflict)
	s.start()
	bob := s.person("Bob", "123")
	ann := s.visitor("Ann", "123")
	check := func(what string) {
		s.t.Helper()
		for _, scheme := range []string{"light", "dark"} {
			ann.scheme(scheme)
			ann.want("the scheme", `matchMedia("(prefers-color-scheme: `+scheme+`)").matches`)
			if found := look[[]string](ann, faint); len(found) > 0 {
				s.t.Errorf("%s, %s: too faint: %q", what, scheme, found)
			}
		}
	}
	ann.name("Bob")
	ann.want("to be told", `$("#name-error").textContent !== ""`)
	check("the dialog")
	ann.name("Ann")
	ann.wantState("open")
	check("nothing there")
	bob.say("hello, https://go.dev/")
	ann.want("Bob's message", `$("#log li.message") !== null`)
	ann.run("people of all colours", `(() => {
		for (let hue = 0; hue < 360; hue += 15) {
			const line = $("#log li.message").cloneNode(true);
			for (const e of line.querySelectorAll("[style]")) e.style.setProperty("--hue", hue);
			$("#lines").append(line);
		}
	})()`)
	check("many people")
	ann.say("hello")
	ann.openSide()
	check("the people")
	ann.press("#people button")
	ann.say("hush")
	ann.want("it to be there", `$("#log li.direct:not(.pending)") !== null`)
	bob.write("#text", "x")
	ann.want("Bob to type", `$("#typing").textContent !== ""`)
	ann.write("#text", strings.Repeat("x", 2001))
	check("a direct message that is too long")
	ann.write("#text", "")
	ann.press("#disconnect")
	ann.wantState("closed")
	ann.say("later")
	check("a message that waits")
}
