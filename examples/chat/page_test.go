package main

import (
	"bytes"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"testing"
	"testing/synctest"
)

func TestPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		for _, row := range []struct {
			at     string
			target string
			status int
		}{
			{here(), "/", 200},
			{here(), "/?group=123", 200},
			{here(), "/?group=", 200},
			{here(), "/room/a-b_C/", 200},
			{here(), "/room/" + strings.Repeat("a", 99) + "/", 200},
			{here(), "/room/" + strings.Repeat("a", 100) + "/", 404},
			{here(), "/room/a%20b/", 404},
			{here(), "/room/%C3%B6/", 404},
			{here(), "/room/a/b/", 404},
			{here(), "/room/a%2Fb/", 404},
			{here(), "/?group=a%0A", 404},
			{here(), "/?group=../..", 404},
			{here(), "/index.html", 404},
			{here(), "/favicon.ico", 404},
			{here(), "/static/", 404},
			{here(), "/static/..%2Fmain.go", 404},
			{here(), "/static/%2e%2e", 404},
			{here(), "/static/..%2F..%2Fgo.mod", 404},
			{here(), "/static/none.js", 404},
		} {
			w := ask(t, c, http.MethodGet, row.target, "", nil)
			if w.Status != row.status {
				t.Errorf("%s: got %d, want %d", row.at, w.Status, row.status)
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			} {
				if got := w.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", row.at, name, got, want)
				}
			}
		}
		for part := range strings.SplitSeq(policy, "; ") { // the policy must not become looser by accident
			if strings.Contains(part, "unsafe") || strings.Contains(part, "*") || strings.Contains(part, "http") {
				t.Errorf("the policy has %s", part)
			}
		}
		if !strings.HasPrefix(policy, "default-src 'none'; ") {
			t.Errorf("the policy is %s", policy)
		}
		if w := ask(t, c, http.MethodPost, "/", "", nil); w.Status != http.StatusMethodNotAllowed {
			t.Errorf("POST / got %d, want 405", w.Status)
		}
	})
}

// TestFiles: each file of the page exists, and is not sent again to a browser that has
// it.
func TestFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		names, err := fs.Glob(files, "page/*")
		if err != nil || len(names) == 0 {
			t.Fatalf("the page has the files %v (%v)", names, err)
		}
		for _, name := range names {
			want, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			target := "/static/" + path.Base(name)
			w := ask(t, c, http.MethodGet, target, "", nil)
			if w.Status != http.StatusOK || w.Body != string(want) {
				t.Errorf("%s: got %d with %d bytes, want the file's %d", target, w.Status, len(w.Body), len(want))
			}
			kind := map[string]string{
				".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
			}[path.Ext(name)]
			if got := w.Header.Get("Content-Type"); kind != "" && got != kind {
				t.Errorf("%s: is %q, want %q", target, got, kind)
			}
			tag := w.Header.Get("Etag")
			if tag == "" || w.Header.Get("Cache-Control") != "no-cache" {
				t.Errorf("%s: the tag is %q and the cache control %q", target, tag, w.Header.Get("Cache-Control"))
			}
			if w := ask(t, c, http.MethodGet, target, "", nil, "If-None-Match", tag); w.Status != http.StatusNotModified {
				t.Errorf("%s: with its tag it got %d, want 304", target, w.Status)
			}
			if w := ask(t, c, http.MethodGet, target, "", nil, "If-None-Match", `"old"`); w.Status != http.StatusOK {
				t.Errorf("%s: with another tag it got %d, want 200", target, w.Status)
			}
		}
	})
}

func TestProxiesFlag(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ at, list, want string }{
		{here(), "127.0.0.1", "[127.0.0.1/32]"},
		{here(), "127.0.0.1,10.0.0.0/8,2001:db8::/32,::1", "[127.0.0.1/32 10.0.0.0/8 2001:db8::/32 ::1/128]"},
		{here(), "", ""},
		{here(), "localhost", ""},
		{here(), "10.0.0.0/8,", ""},
	} {
		var p proxies
		if err := p.Set(row.list); (err != nil) != (row.want == "") || err == nil && p.String() != row.want {
			t.Errorf("%s: %q is %v (%v), want %s", row.at, row.list, p.String(), err, row.want)
		}
	}
}

// TestBehindAProxy: behind a trusted proxy clients have their own addresses, for names
// and for sockets, and cookies are Secure if the clients use TLS.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      string
		trusted string // the peer is 192.0.2.1
		from    string
		secure  bool
	}{
		{here(), "192.0.2.1", "198.51.100.7", true},
		{here(), "192.0.2.0/24,203.0.113.0/24", "198.51.100.7", true},
		{here(), "10.0.0.0/8", "192.0.2.1", false},
		{here(), "", "192.0.2.1", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			c := start(t)
			c.log = slog.New(slog.NewTextHandler(&log, nil))
			if row.trusted != "" {
				if err := c.proxies.Set(row.trusted); err != nil {
					t.Fatal(err)
				}
			}
			c.people.proxies = c.proxies
			a := ask(t, c, http.MethodPost, "/me", name("Ann"), nil, "X-Forwarded-For", "192.0.2.99, 198.51.100.7", "X-Forwarded-Proto", "https")
			if set := cookies(a); len(set) != 1 || set[0].Secure != row.secure {
				t.Errorf("%s: got %d and the cookies %v, want one that is secure: %t", row.at, a.Status, set, row.secure)
			}
			ask(t, c, http.MethodGet, "/", "", nil, "X-Forwarded-For", "198.51.100.7")
			if n := strings.Count(log.String(), "-proxies does not name"); n != 0 && row.secure || n != 1 && !row.secure {
				t.Errorf("%s: %d lines in the log: %s", row.at, n, log.String())
			}
			if addr := netip.MustParseAddr(row.from); c.rooms.addresses.of[addr] == nil || len(c.rooms.addresses.of) != 1 {
				t.Errorf("%s: counted are %v, want %v", row.at, c.rooms.addresses.of, addr)
			}
		})
	}
}
