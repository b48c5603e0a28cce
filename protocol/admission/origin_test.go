package admission

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// optionsName is how the options of the tests' gates are called in texts.
const optionsName = "test.Options"

type originRow struct {
	at      testkit.Line
	host    string
	origin  string
	allowed bool
}

func checkOrigins(t *testing.T, o *Options, rows []originRow) {
	t.Helper()
	list := newOrigins(optionsName, o)
	for _, row := range rows {
		r := &http.Request{Host: row.host, Header: http.Header{"Origin": {row.origin}}}
		e := list.check(r, false)
		if (e == nil) != row.allowed || e != nil && e.Status != http.StatusForbidden {
			t.Errorf("%s: a page from %q to %q: got %v, want allowed %v", row.at, row.origin, row.host, e, row.allowed)
		}
	}
}

func TestPromise8_OriginSameHost(t *testing.T) {
	t.Parallel()
	checkOrigins(t, &Options{}, []originRow{
		{testkit.Here(), "example.com", "https://example.com", true},
		{testkit.Here(), "example.com", "http://example.com", true},
		{testkit.Here(), "EXAMPLE.com", "HTTPS://Example.COM", true},
		{testkit.Here(), "example.com:443", "https://example.com", true},
		{testkit.Here(), "example.com", "https://example.com:443", true},
		{testkit.Here(), "example.com:80", "http://example.com", true},
		{testkit.Here(), "example.com", "http://example.com:80", true},
		{testkit.Here(), "example.com:8443", "https://example.com:8443", true},
		{testkit.Here(), "[2001:db8::1]:8080", "http://[2001:db8::1]:8080", true},
		{testkit.Here(), "[2001:db8::1]", "https://[2001:db8::1]", true},
		{testkit.Here(), "[2001:DB8::1]:443", "https://[2001:db8::1]", true},
		{testkit.Here(), "example.com", "https://example.org", false},
		{testkit.Here(), "example.com", "https://www.example.com", false},
		{testkit.Here(), "www.example.com", "https://example.com", false},
		{testkit.Here(), "example.com", "https://example.com:8443", false},
		{testkit.Here(), "example.com:8443", "https://example.com", false},
		{testkit.Here(), "example.com:443", "http://example.com", false},
		{testkit.Here(), "example.com:80", "https://example.com", false},
		{testkit.Here(), "example.com", "http://example.com:8080", false},
		{testkit.Here(), "example.com", "https://example.com.evil.org", false},
		{testkit.Here(), "example.com", "https://example.com@evil.org", false},
		{testkit.Here(), "example.com", "https://evil.org/example.com", false},
		{testkit.Here(), "[2001:db8::1]:8080", "http://[2001:db8::2]:8080", false},
		{testkit.Here(), "example.com", "null", false},
		{testkit.Here(), "example.com", "", false},
		{testkit.Here(), "example.com", "example.com", false},
		{testkit.Here(), "example.com", "//example.com", false},
		{testkit.Here(), "example.com", "file://", false},
		{testkit.Here(), "example.com", "https://exam ple.com", false},
		{testkit.Here(), "example.com", "https://example.com https://evil.org", false},
		{testkit.Here(), "", "https://example.com", false},
		{testkit.Here(), "example.com", "https://example.com:0443", true},
		{testkit.Here(), "example.com.", "https://example.com.", true},
		{testkit.Here(), "[2001:db8:0:0::1]", "https://[2001:db8::1]", true},
		{testkit.Here(), "[::ffff:192.0.2.1]", "https://[::ffff:c000:201]", true},
		{testkit.Here(), "my_host", "http://my_host", true},
		{testkit.Here(), "xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example", true},
		{testkit.Here(), "example.com", "https://user@example.com", false},
		{testkit.Here(), "example.com", "https://user:password@example.com", false},
		{testkit.Here(), "example.com", "https://@example.com", false},
		{testkit.Here(), "example.com", "https://example.com/", false},
		{testkit.Here(), "example.com", "https://example.com?", false},
		{testkit.Here(), "example.com", "https://exam%70le.com", false},
		{testkit.Here(), "example.com", "https://example.com:99999", false},
		{testkit.Here(), "example.com", "https://example.com:x", false},
		{testkit.Here(), "example.com", "ftp://example.com", false},
		{testkit.Here(), "example.com:21", "ftp://example.com:21", false},
		{testkit.Here(), "example.com", "ws://example.com", false},
		{testkit.Here(), "example.com", "wss://example.com", false},
		{testkit.Here(), "example.com", "capacitor://example.com", false},
		{testkit.Here(), "example.com", "chrome-extension://example.com", false},
		{testkit.Here(), "example.com", "javascript://example.com", false},
		{testkit.Here(), "[fe80::1%25eth0]", "http://[fe80::1%25eth0]", false},
		{testkit.Here(), "[example.com]", "https://[example.com]", false},
	})
}

func TestPromise8_OriginLoopback(t *testing.T) {
	t.Parallel()
	checkOrigins(t, &Options{}, []originRow{
		{testkit.Here(), "localhost:8000", "http://localhost:3000", true},
		{testkit.Here(), "127.0.0.1:8000", "http://localhost:3000", true},
		{testkit.Here(), "[::1]:8000", "http://127.0.0.1:3000", true},
		{testkit.Here(), "localhost", "https://[::1]:5173", true},
		{testkit.Here(), "app.localhost:8000", "http://localhost:5173", true},
		{testkit.Here(), "LOCALHOST:8000", "http://LocalHost:3000", true},
		{testkit.Here(), "127.1.2.3", "http://127.0.0.1", true},
		{testkit.Here(), "localhost:8000", "http://example.com", false},
		{testkit.Here(), "localhost:8000", "http://localhost.example.com", false},
		{testkit.Here(), "localhost:8000", "http://notlocalhost", false},
		{testkit.Here(), "localhost:8000", "http://127.0.0.1.example.com", false},
		{testkit.Here(), "localhost:8000", "http://128.0.0.1", false},
		{testkit.Here(), "localhost:8000", "http://10.0.0.1", false},
		{testkit.Here(), "localhost:8000", "null", false},
		{testkit.Here(), "example.com", "http://localhost:3000", false},
		{testkit.Here(), "192.168.1.5:8000", "http://localhost:3000", false},
		{testkit.Here(), "localhost:8000", "capacitor://localhost", false}, // an app, which anybody may have written
		{testkit.Here(), "localhost:8000", "file://", false},
		{testkit.Here(), "localhost:8000", "http://user@localhost", false},
	})
}

// TestPromise8_OriginByTLS: a page that was loaded without TLS may not connect by TLS.
func TestPromise8_OriginByTLS(t *testing.T) {
	t.Parallel()
	list := newOrigins(optionsName, &Options{Origins: []string{"example.org", ".below.example", "http://old.example", "tauri://localhost"}})
	for _, row := range []struct {
		at            testkit.Line
		host, origin  string
		plain, secure bool // the page may connect without TLS, with TLS
	}{
		{testkit.Here(), "example.com", "https://example.com", true, true},
		{testkit.Here(), "example.com", "http://example.com", true, false},
		{testkit.Here(), "example.com:8443", "http://example.com:8443", true, false},
		{testkit.Here(), "api.test", "https://example.org", true, true},
		{testkit.Here(), "api.test", "http://example.org", true, false},
		{testkit.Here(), "api.test", "http://a.below.example:99", true, false},
		{testkit.Here(), "api.test", "http://old.example", true, true},
		{testkit.Here(), "api.test", "tauri://localhost", true, true},
		{testkit.Here(), "localhost:8443", "http://localhost:3000", true, true},
		{testkit.Here(), "api.test", "http://example.net", false, false},
	} {
		r := &http.Request{Host: row.host, Header: http.Header{"Origin": {row.origin}}}
		plain, secure := list.check(r, false), list.check(r, true)
		if (plain == nil) != row.plain || (secure == nil) != row.secure {
			t.Errorf("%s: a page from %s to %s: got %v, and by TLS %v", row.at, row.origin, row.host, plain, secure)
		}
		if why := "may not connect by TLS"; secure != nil && strings.Contains(secure.Body, why) != row.plain {
			t.Errorf("%s: the refusal is %q", row.at, secure.Body)
		}
	}
}

// TestOriginsOfShells lists each origin that browsers, apps and extensions send: that page
// may connect, and no other.
func TestOriginsOfShells(t *testing.T) {
	t.Parallel()
	sent := []string{
		"null",                  // files in Firefox and Safari, sandboxed frames
		"file://",               // files in Chrome and Electron
		"capacitor://localhost", // Capacitor on iOS
		"ionic://localhost",
		"https://localhost",       // Capacitor on Android
		"tauri://localhost",       // Tauri on macOS and Linux
		"http://tauri.localhost",  // Tauri on Windows
		"https://tauri.localhost", // and on Android
		"app://.",                 // Electron with a scheme of its own
		"app://obsidian.md",
		"chrome-extension://cjpalhdlnbpafiamejdnhcphjbkeiagm",
		"moz-extension://b1aa3f30-1b65-4c5e-9b2c-3a6d7b1f0e11",
		"safari-web-extension://9E8D3A0C-9A2B-4F0E-8D56-0A5C9E9B2A11",
		"vscode-webview://1kk8r0h3m2v0s9q5",
		"https://example.org",
		"https://xn--mnchen-3ya.example:8443",
		"http://[2001:db8::7]:8080",
		"http://192.0.2.7",
	}
	for _, entry := range sent {
		list := newOrigins(optionsName, &Options{Origins: []string{entry}})
		for _, origin := range sent {
			r := &http.Request{Host: "api.test", Header: http.Header{"Origin": {origin}}}
			if e := list.check(r, true); (e == nil) != (entry == origin) {
				t.Errorf("with %s listed, a page from %s: got %v", entry, origin, e)
			}
		}
	}
}

// TestOriginEntriesAsBrowsersSend: entries match although they are spelled otherwise than
// browsers do.
func TestOriginEntriesAsBrowsersSend(t *testing.T) {
	t.Parallel()
	for entry, origin := range map[string]string{
		"https://EXAMPLE.org:443":         "https://example.org",
		"example.org:08443":               "https://example.org:8443",
		"[2001:0DB8:0:0:0:0:0:7]":         "https://[2001:db8::7]",
		"http://[::ffff:192.0.2.7]:80":    "http://[::ffff:c000:207]",
		"Capacitor://LocalHost":           "capacitor://localhost",
		"example.org.":                    "https://example.org.",
		".xn--mnchen-3ya.example":         "https://a.xn--mnchen-3ya.example",
		"FILE://":                         "file://",
		"chrome-extension://ABCDEF":       "chrome-extension://abcdef",
		"https://.example.org":            "https://www.example.org",
		"my_host":                         "http://my_host:3000",
		"vscode-file://vscode-app:1":      "vscode-file://vscode-app:1",
		"safari-web-extension://AB-CD-EF": "safari-web-extension://AB-CD-EF",
	} {
		r := &http.Request{Host: "api.test", Header: http.Header{"Origin": {origin}}}
		if e := newOrigins(optionsName, &Options{Origins: []string{entry}}).check(r, false); e != nil {
			t.Errorf("with %s listed, a page from %s: %v", entry, origin, e)
		}
	}
}

// TestHosts checks which names are served.
func TestHosts(t *testing.T) {
	t.Parallel()
	list := newHosts(optionsName, &Options{Hosts: []string{"example.com", ".below.example", "port.example:8443", "tls.example:443", "[2001:db8::1]", "192.0.2.1"}})
	for _, row := range []struct {
		at     testkit.Line
		host   string
		served bool
	}{
		{testkit.Here(), "example.com", true},
		{testkit.Here(), "EXAMPLE.com:8000", true},
		{testkit.Here(), "below.example", true},
		{testkit.Here(), "a.b.below.example:1", true},
		{testkit.Here(), "port.example:8443", true},
		{testkit.Here(), "tls.example", true},
		{testkit.Here(), "tls.example:443", true},
		{testkit.Here(), "[2001:db8:0::1]:8000", true},
		{testkit.Here(), "192.0.2.1:8000", true},
		{testkit.Here(), "www.example.com", false},
		{testkit.Here(), "example.com.evil.org", false},
		{testkit.Here(), "notbelow.example", false},
		{testkit.Here(), "port.example", false},
		{testkit.Here(), "port.example:8444", false},
		{testkit.Here(), "tls.example:80", false},
		{testkit.Here(), "[2001:db8::2]", false},
		{testkit.Here(), "localhost:8000", false},
		{testkit.Here(), "rebound.evil.org:8000", false},
		{testkit.Here(), "user@example.com", false},
		{testkit.Here(), "", false},
	} {
		if e := list.check(&http.Request{Host: row.host}); (e == nil) != row.served || e != nil && e.Status != http.StatusMisdirectedRequest {
			t.Errorf("%s: host %q: got %v, want served: %v", row.at, row.host, e, row.served)
		}
		if e := newHosts(optionsName, &Options{}).check(&http.Request{Host: row.host}); e != nil {
			t.Errorf("%s: without Hosts, host %q is refused: %v", row.at, row.host, e)
		}
	}
}

func TestPromise8_OriginList(t *testing.T) {
	t.Parallel()
	o := &Options{Origins: []string{"example.org", "Port.example.net:8443", ".below.example", "https://secure.example", "http://odd.example:8080", "[2001:db8::7]"}}
	checkOrigins(t, o, []originRow{
		{testkit.Here(), "api.test", "https://example.org", true},
		{testkit.Here(), "api.test", "http://example.org", true},
		{testkit.Here(), "api.test", "http://EXAMPLE.org:1234", true},
		{testkit.Here(), "api.test", "https://port.example.net:8443", true},
		{testkit.Here(), "api.test", "http://port.example.net:8443", true},
		{testkit.Here(), "api.test", "https://below.example", true},
		{testkit.Here(), "api.test", "https://a.below.example", true},
		{testkit.Here(), "api.test", "http://a.b.below.example:99", true},
		{testkit.Here(), "api.test", "https://secure.example", true},
		{testkit.Here(), "api.test", "https://secure.example:443", true},
		{testkit.Here(), "api.test", "http://odd.example:8080", true},
		{testkit.Here(), "api.test", "https://[2001:db8::7]:9", true},
		{testkit.Here(), "api.test", "https://api.test", true},
		{testkit.Here(), "api.test", "https://www.example.org", false},
		{testkit.Here(), "api.test", "https://notexample.org", false},
		{testkit.Here(), "api.test", "https://port.example.net", false},
		{testkit.Here(), "api.test", "https://notbelow.example", false},
		{testkit.Here(), "api.test", "https://below.example.evil", false},
		{testkit.Here(), "api.test", "http://secure.example", false},
		{testkit.Here(), "api.test", "https://secure.example:8443", false},
		{testkit.Here(), "api.test", "http://secure.example:443", false},
		{testkit.Here(), "api.test", "https://odd.example:8080", false},
		{testkit.Here(), "api.test", "http://odd.example", false},
		{testkit.Here(), "api.test", "null", false},
	})
}

func TestOriginAny(t *testing.T) {
	t.Parallel()
	checkOrigins(t, &Options{InsecureAllowAnyOrigin: true}, []originRow{
		{testkit.Here(), "example.com", "https://evil.org", true},
		{testkit.Here(), "example.com", "null", true},
		{testkit.Here(), "example.com", "", true},
	})
}

func TestOriginLines(t *testing.T) {
	t.Parallel()
	list := newOrigins(optionsName, &Options{})
	if e := list.check(&http.Request{Host: "example.com", Header: http.Header{}}, true); e != nil {
		t.Errorf("a request without Origin is refused: %v", e)
	}
	twice := http.Header{"Origin": {"https://example.com", "https://example.com"}}
	if e := list.check(&http.Request{Host: "example.com", Header: twice}, false); e == nil || e.Status != http.StatusForbidden {
		t.Errorf("two lines of Origin: got %v, want 403", e)
	}
}

func TestOriginRefusalSaysWhy(t *testing.T) {
	t.Parallel()
	r := &http.Request{Host: "api.example.com:8080", Header: http.Header{"Origin": {"https://evil.example.org"}}}
	e := newOrigins(optionsName, &Options{}).check(r, false)
	if e == nil {
		t.Fatal("allowed")
	}
	for _, words := range []string{"https://evil.example.org", "api.example.com:8080", "proxy", "test.Options.Origins"} {
		if !strings.Contains(e.Body, words) {
			t.Errorf("the refusal does not name %q: %s", words, e.Body)
		}
	}
}

// TestEntriesThatMatchNothing: New panics, and the text has the entry and what to write.
func TestEntriesThatMatchNothing(t *testing.T) {
	t.Parallel()
	for entry, advice := range map[string]string{
		"": "", " ": "", "*": "InsecureAllowAnyOrigin", "*.example.com": ".example.com", "https://*": "", "https://": "", "://": "", ".": "", ".:8443": "", "https://.": "",
		"example.com/": "", "example.com/path": "", "https://example.com/": "", "example.com?x": "", "example.com#x": "", "user@example.com": "",
		"https://user@example.com": "", "http:example.com": "", "https//example.com": "", "example.com:port": "", "exam ple.com": "", "::1": "[::1]", ":8443": "",
		"[::1": "", "[::1]x": "", "[example.com]": "", "[fe80::1%25eth0]": "", ".[::1]": "", ".192.0.2.1": "", "2001:db8::1": "[::1]",
		"file:": "file://", "file:///": "file://", "file:///home": "file://", "file://host": "file://", "capacitor://": "capacitor://localhost",
		"capacitor://localhost/": "capacitor://localhost", "1a://b": "", "wss://example.com": "https://", "ws://example.com": "https://",
		"example.com:": "", "example.com:0": "", "example.com:65536": "", "a..b": "", "127.1": "192.0.2.1", "https://0x7f.1": "192.0.2.1", "010.0.0.01": "192.0.2.1",
		"exam%70le.com": "", "example.com,example.org": "", "NULL ": "",
		"münchen.example": `"xn--mnchen-3ya.example"`, "https://MÜNCHEN.example:8443": `"xn--mnchen-3ya.example:8443"`, ".例え.jp": `".xn--r8jz45g.jp"`,
		"\xff.example": "", "example.com\x00": "",
	} {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			wantPanic(t, "wye: test.Options.Origins: ", advice, &Options{Origins: []string{entry}})
			if !strings.Contains(entry, "://") && entry != "*" {
				wantPanic(t, "wye: test.Options.Hosts: ", "", &Options{Hosts: []string{entry}})
			}
		})
	}
	wantPanic(t, "wye: test.Options.Hosts: ", "example.com", &Options{Hosts: []string{"https://example.com"}})
	wantPanic(t, "wye: test.Options.TrustedProxies: ", "10.0.0.0/8", &Options{TrustedProxies: []netip.Prefix{{}}})
	wantPanic(t, "wye: test.Options.TrustedProxies: ", "10.0.0.0/8", &Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}})
}

func wantPanic(t *testing.T, prefix, advice string, o *Options) {
	t.Helper()
	defer func() {
		t.Helper()
		if v, ok := recover().(string); !ok || !strings.HasPrefix(v, prefix) || !strings.Contains(v[len(prefix):], advice) {
			t.Errorf("%q %q: New did not panic about it, with %s in the text: %v", o.Origins, o.Hosts, advice, v)
		}
	}()
	o.Name = optionsName
	New(o)
}

// TestOriginsAreCopied: a change of the caller's list has no effect on the gate.
func TestOriginsAreCopied(t *testing.T) {
	t.Parallel()
	entries := []string{"example.org"}
	g := New(&Options{Origins: entries})
	entries[0] = "example.net"
	r := &http.Request{Host: "example.com", Header: http.Header{"Origin": {"https://example.org"}}}
	if e := g.origins.check(r, false); e != nil {
		t.Error(e)
	}
}
