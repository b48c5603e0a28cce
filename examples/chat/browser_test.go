package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// chromium are the names of the browser's program.
var chromium = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell", "headless_shell"}

// startBrowser starts a headless browser that connects to this machine only. The
// browser closes at the end of the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path := findProgram(t, chromium...)
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
	}
	for _, flag := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps",
		"disable-extensions", "disable-domain-reliability", "disable-breakpad", "metrics-recording-only", "no-pings",
		"disable-dev-shm-usage", // /dev/shm is small in containers
		// Background tabs run as fast as the one in front.
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	var output collected
	options = append(options,
		chromedp.Flag("lang", "en-US"),
		// Report a mouse, even if this machine has none: hover: hover, pointer: fine.
		chromedp.Flag("blink-settings", "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.CombinedOutput(&output))

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	browser, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		late := time.AfterFunc(patience, cancel) // kills the browser
		defer late.Stop()
		if err := chromedp.Cancel(browser); err != nil { // closes it cleanly
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

// screen is the screen of a tab.
type screen struct {
	name          string
	width, height int64
	phone         bool
}

var (
	desk  = screen{name: "desk", width: 1280, height: 800}
	phone = screen{name: "phone", width: 390, height: 844, phone: true}
)

// prepare sets the screen of a tab.
func (s screen) prepare() chromedp.Action[chromedp.Void] {
	if s.phone {
		return chromedp.EmulateViewport(s.width, s.height,
			chromedp.EmulateScale(3), chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	return chromedp.EmulateViewport(s.width, s.height)
}

// tab is one tab with the chat's page, and the name of its user.
type tab struct {
	t       *testing.T
	who     string
	screen  screen
	ctx     context.Context //nolint:containedctx // chromedp has its tabs in contexts
	close   context.CancelFunc
	console collected        // errors and warnings of the browser
	known   []*regexp.Regexp // those that the scenario causes
}

// openTab opens a tab of a new user. The test fails if the browser's console has lines
// that are not in known.
func openTab(browser context.Context, t *testing.T, who string, s screen, known ...*regexp.Regexp) *tab {
	t.Helper()
	p := &tab{t: t, who: who, screen: s, known: known}
	p.begin(chromedp.NewContext(browser, chromedp.WithNewBrowserContext()))
	return p
}

// another opens one more tab of the same user.
func (p *tab) another() *tab {
	p.t.Helper()
	q := &tab{t: p.t, who: p.who + " again", screen: p.screen, known: p.known}
	q.begin(chromedp.NewContext(p.ctx))
	return q
}

func (p *tab) begin(ctx context.Context, cancel context.CancelFunc) {
	p.t.Helper()
	var over sync.WaitGroup
	p.ctx = ctx
	p.close = func() {
		cancel()
		over.Wait()
	}
	p.t.Cleanup(func() {
		p.close()
		for _, complaint := range p.console.all() {
			if !slices.ContainsFunc(p.known, func(r *regexp.Regexp) bool { return r.MatchString(complaint) }) {
				p.t.Errorf("%s: on the console: %s", p.who, complaint)
			}
		}
	})
	over.Go(p.listen(chromedp.Console(ctx)))
	p.do("a "+p.screen.name, p.screen.prepare())
	p.scheme("light")
}

// listen collects the lines of the page's console, exceptions and the browser's own
// errors included, until the page closes.
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

func (p *tab) open(at string) {
	p.t.Helper()
	p.do("opening "+at, chromedp.Navigate(at))
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %s: %v\n%s", p.who, what, err, p.state())
	}
}

// press clicks or taps an element.
func (p *tab) press(selector string) {
	p.t.Helper()
	action := chromedp.Click(chromedp.CSS(selector))
	if p.screen.phone {
		action = chromedp.Tap(chromedp.CSS(selector), chromedp.NodeVisible)
	}
	p.do("pressing "+selector, action)
}

// enter inserts text at the cursor.
func (p *tab) enter(text string) {
	p.t.Helper()
	p.do("writing "+text, send(input.InsertText, input.InsertTextParams{Text: text}))
}

// Keys.
const (
	tabKey    = "\t"
	enterKey  = "\r"
	escapeKey = "\x1b"
)

var shift = chromedp.KeyModifiers(chromedp.ModifierShift)

// key presses a key.
func (p *tab) key(key string, with ...chromedp.KeyOption) {
	p.t.Helper()
	press := chromedp.KeyEvent(key, with...)
	if key == enterKey {
		press = pressEnter(with...)
	}
	p.do(fmt.Sprintf("pressing %q", key), press)
}

// pressEnter presses Enter as a keyboard does: the line break comes with the key event,
// so that the page can prevent it. KeyEvent inserts it in any case.
func pressEnter(with ...chromedp.KeyOption) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		down := input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: enterKey, WindowsVirtualKeyCode: 13,
		}
		for _, o := range with {
			o(&down)
		}
		up := down
		up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
		_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, down)
		_, failed := cdp.Call(ctx, t, input.DispatchKeyEvent, up)
		return errors.Join(err, failed)
	})
}

// write replaces the text of a field.
func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.run("selecting "+selector+"'s text", `$(`+quote(selector)+`).focus(), $(`+quote(selector)+`).select()`)
	p.enter(text)
}

// send is a command of the DevTools protocol as an action.
func send[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// scheme sets light or dark, and turns animations off: a click on an element that still
// moves would miss it.
func (p *tab) scheme(name string) {
	p.t.Helper()
	p.do("a page that is "+name, send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	}))
}

// short are helpers for conditions in JavaScript.
const short = `const $ = (s) => document.querySelector(s), $$ = (s) => [...document.querySelectorAll(s)],
	texts = (s) => $$(s).map((e) => e.textContent), same = (a, b) => JSON.stringify(a) === JSON.stringify(b);`

// look evaluates an expression in the page and returns its value.
func look[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](`(() => { `+short+` return (`+expression+`) })()`))
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.who, expression, err)
	}
	return v
}

// run evaluates an expression in the page.
func (p *tab) run(what, expressions string) {
	p.t.Helper()
	p.do(what, chromedp.Evaluate[chromedp.Void](`{ `+short+` void (`+expressions+`) }`))
}

// want waits until condition holds. It evaluates condition at each change of the page,
// and periodically, because some changes send no event.
func (p *tab) want(what, condition string) {
	p.t.Helper()
	const wait = `new Promise((resolve) => {
		%s
		const holds = () => { try { return (%s) } catch { return false } };
		if (holds()) return resolve(true);
		const look = () => {
			if (!holds()) return;
			observer.disconnect();
			clearInterval(timer);
			resolve(true);
		};
		const observer = new MutationObserver(look);
		observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
		const timer = setInterval(look, 50);
	})`
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	held, err := false, error(nil)
	for ctx.Err() == nil && !held {
		held, err = chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(wait, short, condition), chromedp.EvalAwaitPromise))
		if wrong := (*chromedp.ExceptionError)(nil); errors.As(err, &wrong) {
			break // otherwise the page was reloaded meanwhile
		}
	}
	if err != nil || !held {
		p.t.Fatalf("%s: want %s: %v\n%s", p.who, what, err, p.state())
	}
}

// state describes the page in failures.
func (p *tab) state() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title + "\n" + document.body.innerText`))
	const most = 1500
	text = text[max(0, len(text)-most):]
	return fmt.Sprintf("the page shows (%v):\n%s\nand the console: %q", err, text, p.console.all())
}

// reload reloads the page and returns when it is connected.
func (p *tab) reload() {
	p.t.Helper()
	p.do("reloading", chromedp.Reload())
	p.wantState("open")
}

// shot saves screenshots of the page, light and dark, if WYE_SCREENSHOTS is set.
func (p *tab) shot(name string) {
	p.t.Helper()
	folder := os.Getenv("WYE_SCREENSHOTS")
	if folder == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s-%s.png", name, p.screen.name, scheme)), picture, 0o600)
		}
		if err != nil {
			p.t.Errorf("%s: the picture %s: %v", p.who, name, err)
		}
	}
	p.scheme("light")
}

// quote returns v as a JavaScript literal.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// collected is a list for concurrent use.
type collected struct {
	mu   sync.Mutex
	list []string
}

func (c *collected) add(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, line)
}

func (c *collected) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// Write adds the output of the browser.
func (c *collected) Write(b []byte) (int, error) {
	c.add(string(b))
	return len(b), nil
}
