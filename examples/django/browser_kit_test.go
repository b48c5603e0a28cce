package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// findBrowser returns the path of a Chromium.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell", "headless_shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("chromium is not installed: apt-get install chromium")
	return ""
}

// startBrowser starts a headless browser that connects to this machine only. It closes at
// the end of the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(findBrowser(t)),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("no-proxy-server", true),
	}
	for _, flag := range []string{
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps", "disable-extensions",
		"disable-breakpad", "metrics-recording-only", "no-pings", "disable-dev-shm-usage",
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	var out output
	options = append(options, chromedp.CombinedOutput(&out))
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
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting the browser: %v\n%s", err, out.String())
	}
	return browser
}

// tab is a tab of one user's browser.
type tab struct {
	t   *testing.T
	who string
	ctx context.Context //nolint:containedctx // chromedp has its tabs in contexts
}

// openTab opens a tab of a new user.
func openTab(browser context.Context, t *testing.T, who string) *tab {
	t.Helper()
	return newTab(t, who, browser, chromedp.WithNewBrowserContext())
}

// onPhone makes the screen small.
func (p *tab) onPhone() *tab {
	p.t.Helper()
	p.do("a phone", chromedp.EmulateViewport(390, 844))
	p.want("nothing to be wider than the screen", `document.scrollingElement.scrollWidth <= 390`)
	return p
}

func newTab(t *testing.T, who string, ctx context.Context, options ...chromedp.ContextOption) *tab { //nolint:revive // ctx is not the test's
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx, options...)
	p := &tab{t: t, who: who, ctx: ctx}
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of the first action
		t.Fatalf("opening a tab: %v", err)
	}
	p.do("a screen", chromedp.EmulateViewport(1280, 900))
	return p
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %s: %v\n%s", p.who, what, err, p.shows())
	}
}

func (p *tab) open(url string) {
	p.t.Helper()
	p.do("opening "+url, chromedp.Navigate(url))
}

func (p *tab) press(selector string) {
	p.t.Helper()
	p.do("pressing "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// write writes text into an empty field.
func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.do("writing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// want waits until a condition holds. It is JavaScript, with $ and texts.
func (p *tab) want(what, condition string) {
	p.t.Helper()
	if !p.holds(patience, condition) {
		p.t.Fatalf("%s: want %s\n%s", p.who, what, p.shows())
	}
}

// holds waits until a condition holds, for a limited time, and reports whether it does.
func (p *tab) holds(limit time.Duration, condition string) bool {
	p.t.Helper()
	const wait = `new Promise((resolve) => {
		const $ = (s) => document.querySelector(s), texts = (s) => [...document.querySelectorAll(s)].map((e) => e.textContent);
		const holds = () => { try { return Boolean(%s) } catch { return false } };
		const look = () => { if (holds()) { clearInterval(timer); resolve(true); } };
		const timer = setInterval(look, 50);
		look();
	})`
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	for ctx.Err() == nil { // again if the page is loaded meanwhile
		held, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(wait, condition), chromedp.EvalAwaitPromise))
		if wrong := (*chromedp.ExceptionError)(nil); errors.As(err, &wrong) {
			p.t.Fatalf("%s: %s: %v", p.who, condition, err)
		}
		if held {
			return true
		}
	}
	return false
}

// url returns the URL of the page.
func (p *tab) url() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	url, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String(location)"))
	if err != nil {
		p.t.Fatal(err)
	}
	return url
}

// shows describes the page.
func (p *tab) shows() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location + "\n" + document.body.innerText`))
	return fmt.Sprintf("the page shows (%v):\n%s", err, text)
}

// shot saves screenshots, light and dark, if WYE_SCREENSHOTS names a folder.
func (p *tab) shot(name string) {
	p.t.Helper()
	folder := os.Getenv("WYE_SCREENSHOTS")
	if folder == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		p.do(scheme, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}))
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		cancel()
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name+"-"+scheme+".png"), bytes.Clone(png), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// quote returns v in JavaScript.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
