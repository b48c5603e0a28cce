package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wye-go/wye/examples/internal/exampletest"
)

// testPage is about the page, in a browser.
func testPage(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		chat := program.Start(t)
		browser := startBrowser(t)
		t.Run("headers", testHeaders(chat))
		t.Run("rooms that cannot be", testStrangeRooms(browser, chat))
		t.Run("three people", testPeople(browser, chat))
	}
}

func testHeaders(chat *exampletest.Process) func(*testing.T) {
	return func(t *testing.T) {
		a := exampletest.Do(t, http.MethodGet, chat.HTTP("/"), nil, "")
		if a.Status != http.StatusOK || a.Body != string(pageHTML) {
			t.Errorf("got %d with %d bytes, want 200 with the page's %d", a.Status, len(a.Body), len(pageHTML))
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": policy,
			"Content-Type":            "text/html; charset=utf-8",
			"X-Content-Type-Options":  "nosniff",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		for _, needed := range []string{"default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, needed) {
				t.Errorf("the policy is %q, without %s", policy, needed)
			}
		}
		for path, status := range map[string]int{"/page.html": 404, "/favicon.ico": 404, "/ws/123/": 404} {
			if a := exampletest.Do(t, http.MethodGet, chat.HTTP(path), nil, ""); a.Status != status {
				t.Errorf("GET %s: got %d, want %d", path, a.Status, status)
			}
		}
	}
}

// testStrangeRooms asks for rooms that nobody can be in. The page says so.
func testStrangeRooms(browser context.Context, chat *exampletest.Process) func(*testing.T) {
	return func(t *testing.T) {
		for _, room := range []string{"a b", "a/b", "../..", "a?b", "a#b", "<b>", "ö"} {
			t.Run(url.PathEscape(room), func(t *testing.T) {
				lost := openPage(browser, t, "Lost", chat.HTTP("/?group="+url.QueryEscape(room)))
				lost.wantState("closed (1006); change the room or reload")
				for _, complaint := range lost.console.all() {
					if !strings.Contains(complaint, "Unexpected response code: 404") {
						t.Errorf("on the console: %s", complaint)
					}
				}
			})
		}
		t.Run("none", func(t *testing.T) {
			ann := openPage(browser, t, "Ann", chat.HTTP("/"))
			ann.wantState("in lobby")
			ann.enter("\b") // nothing is left
			ann.want("the room to be marked as invalid", `document.querySelector("#room:invalid") !== null`)
			ann.wantState("in lobby")
		})
	}
}

// testPeople is three people with the page in their browsers, until the program
// is asked to end.
func testPeople(browser context.Context, chat *exampletest.Process) func(*testing.T) {
	return func(t *testing.T) {
		ann := openPage(browser, t, "Ann", chat.HTTP("/?group=123"))
		bob := openPage(browser, t, "Bob", chat.HTTP("/?group=123"))
		eve := openPage(browser, t, "Eve", chat.HTTP("/?group=456"))
		ann.wantState("in 123")
		bob.wantState("in 123")
		eve.wantState("in 456")

		ann.say("hello, Bob")
		bob.wantLines("hello, Bob")
		bob.say("Grüße, Ann! 你好 🙂")
		for _, p := range []*tab{ann, bob} {
			p.wantLines("hello, Bob", "Grüße, Ann! 你好 🙂")
		}
		eve.say("is anybody here?")
		eve.wantLines("is anybody here?") // and nothing before

		// Markup is text. An image that cannot be loaded would run its script even
		// where <script> does not.
		for i, markup := range []string{
			`<script>document.title = "hacked"</script>`,
			`<img src="x" onerror="document.title = 'hacked'"><b>bold</b>`,
		} {
			ann.say(markup)
			for _, p := range []*tab{ann, bob} {
				p.wantLine(3+i, markup)
				p.want("nothing but text in the log", `document.querySelector("#log li *") === null`)
				p.want("the title as it was", `document.title === "Wye chat"`)
			}
		}

		// Eve changes the room, and Ann leaves.
		eve.enter("123")
		eve.wantState("in 123")
		eve.wantLines() // what was said elsewhere is gone
		ann.enter("456")
		ann.wantState("in 456")
		bob.say("where is Ann?")
		eve.wantLines("where is Ann?")
		bob.wantLine(5, "where is Ann?")
		ann.say("nobody here")
		ann.wantLines("nobody here")

		// A room that cannot be is not entered.
		ann.enter("a b")
		ann.want("the room to be marked as invalid", `document.querySelector("#room:invalid") !== null`)
		ann.say("still here")
		ann.wantLines("nobody here", "still here")
		bob.say("good night, Eve")
		bob.wantLine(6, "good night, Eve") // and nothing of Ann's since she left
		eve.wantLines("where is Ann?", "good night, Eve")

		for _, p := range []*tab{ann, bob, eve} {
			p.wantQuiet()
		}
		chat.Terminate(t)
		for _, p := range []*tab{ann, bob, eve} {
			p.wantState("closed (1001 the server is shutting down); change the room or reload")
		}
		chat.WantExit(t, 0, soon)
	}
}

// chromium are the names of the browser, as scripts/deps knows them.
var chromium = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell", "headless_shell"}

// startBrowser starts a browser without a window, which talks to this machine
// only. It is gone at the end of the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path := exampletest.Need(t, chromium...)
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
	}
	for _, flag := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps",
		"disable-extensions", "disable-domain-reliability", "disable-breakpad", "metrics-recording-only", "no-pings",
		"disable-dev-shm-usage", // it is small in containers
		// Pages that are not in front are as fast as the one that is.
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	var output lines
	options = append(options,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.CombinedOutput(&output))

	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	browser, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		late := time.AfterFunc(exampletest.Patience, cancel) // kills it
		defer late.Stop()
		if err := chromedp.Cancel(browser); err != nil { // closes it as its menu does
			t.Errorf("closing the browser: %v", err)
		}
		stop()
		cancel()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", path, strings.Join(output.all(), ""))
		}
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting %s: %v\n%s", path, err, strings.Join(output.all(), ""))
	}
	return browser
}

// tab is one tab with the chat's page, and who looks at it.
type tab struct {
	t       *testing.T
	who     string
	ctx     context.Context //nolint:containedctx // chromedp has its tabs in contexts
	console lines           // what the browser has complained of
}

func openPage(browser context.Context, t *testing.T, who, at string) *tab {
	t.Helper()
	p := &tab{t: t, who: who}
	var over sync.WaitGroup
	t.Cleanup(over.Wait)
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p.ctx = ctx
	over.Go(p.listen(chromedp.Console(ctx)))
	p.do("opening "+at, chromedp.Navigate(at))
	return p
}

// listen collects what the page writes to its console, exceptions and the
// browser's own complaints included, until the page is closed.
func (p *tab) listen(messages iter.Seq2[chromedp.ConsoleMessage, error]) func() {
	return func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			p.console.add(fmt.Sprintf("%v (%s)", m, m.URL))
		}
	}
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, exampletest.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %s: %v", p.who, what, err)
	}
}

// say types a line and sends it.
func (p *tab) say(line string) {
	p.t.Helper()
	p.do("saying "+line, chromedp.SendKeys(chromedp.CSS("#text"), line), chromedp.Click(chromedp.CSS("#say button")))
}

// enter types another room in place of the one that is there.
func (p *tab) enter(room string) {
	p.t.Helper()
	p.do("entering "+room,
		chromedp.Evaluate[chromedp.Void](`document.getElementById("room").select()`),
		chromedp.SendKeys(chromedp.CSS("#room"), room+"\r"))
}

func (p *tab) wantState(want string) {
	p.t.Helper()
	p.want("the state "+want, `document.getElementById("state").textContent === `+quote(want))
}

// shown is what the page shows as messages.
const shown = `[...document.querySelectorAll("#log li")].map((line) => line.textContent)`

// wantLines waits until the page shows these messages and no others.
func (p *tab) wantLines(want ...string) {
	p.t.Helper()
	if want == nil {
		want = []string{}
	}
	p.want(fmt.Sprintf("the lines %q", want), `JSON.stringify(`+shown+`) === JSON.stringify(`+quote(want)+`)`)
}

// wantLine waits until the page shows so many messages, of which this is the last.
func (p *tab) wantLine(number int, want string) {
	p.t.Helper()
	p.want(fmt.Sprintf("line %d to be %q", number, want),
		fmt.Sprintf(`(() => { const all = %s; return all.length === %d && all.at(-1) === %s })()`, shown, number, quote(want)))
}

// want waits until condition holds. The page is looked at whenever it changes.
func (p *tab) want(what, condition string) {
	p.t.Helper()
	const wait = `new Promise((resolve) => {
		const holds = () => (%s);
		if (holds()) return resolve(true);
		const observer = new MutationObserver(() => {
			if (holds()) { observer.disconnect(); resolve(true); }
		});
		observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
	})`
	ctx, cancel := context.WithTimeout(p.ctx, exampletest.Patience)
	defer cancel()
	held, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(wait, condition), chromedp.EvalAwaitPromise))
	if err == nil && held {
		return
	}
	text, unreadable := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.title + "\n" + document.body.innerText`))
	p.t.Fatalf("%s: want %s: %v; the page shows (%v):\n%s\nand the console: %q", p.who, what, err, unreadable, text, p.console.all())
}

// wantQuiet fails if the page or the browser has complained of anything.
func (p *tab) wantQuiet() {
	p.t.Helper()
	if complaints := p.console.all(); len(complaints) > 0 {
		p.t.Errorf("%s: on the console: %q", p.who, complaints)
	}
}

// quote is v as it is written in JavaScript.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// lines are collected by several goroutines.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// Write adds what the browser writes.
func (l *lines) Write(b []byte) (int, error) {
	l.add(string(b))
	return len(b), nil
}
