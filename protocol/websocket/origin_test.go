package websocket

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func nobody() protocol.Application {
	return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, protocol.ErrNoRoute })
}

type originRow struct {
	at      testkit.Line
	host    string
	origin  string
	allowed bool
}

func checkOrigins(t *testing.T, o *Options, rows []originRow) {
	t.Helper()
	list := newOrigins(o)
	for _, row := range rows {
		r := &http.Request{Host: row.host, Header: http.Header{"Origin": {row.origin}}}
		e := list.check(r)
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
	})
}

func TestPromise8_OriginLoopback(t *testing.T) {
	t.Parallel()
	checkOrigins(t, nil2options(), []originRow{
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
	})
}

// nil2options is what New makes of nil.
func nil2options() *Options {
	var o *Options
	c := o.withDefaults()
	return &c
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
	list := newOrigins(&Options{})
	if e := list.check(&http.Request{Host: "example.com", Header: http.Header{}}); e != nil {
		t.Errorf("no Origin is no page's: %v", e)
	}
	twice := http.Header{"Origin": {"https://example.com", "https://example.com"}}
	if e := list.check(&http.Request{Host: "example.com", Header: twice}); e == nil || e.Status != http.StatusForbidden {
		t.Errorf("two lines of Origin: got %v, want 403", e)
	}
}

func TestOriginRefusalSaysWhy(t *testing.T) {
	t.Parallel()
	r := &http.Request{Host: "api.example.com:8080", Header: http.Header{"Origin": {"https://evil.example.org"}}}
	e := newOrigins(&Options{}).check(r)
	if e == nil {
		t.Fatal("allowed")
	}
	for _, words := range []string{"https://evil.example.org", "api.example.com:8080", "proxy", "websocket.Options.Origins"} {
		if !strings.Contains(e.Body, words) {
			t.Errorf("the refusal does not name %q: %s", words, e.Body)
		}
	}
}

// TestOriginEntriesThatMatchNothing makes New panic, with the entry in the text.
func TestOriginEntriesThatMatchNothing(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", " ", "*", "*.example.com", "https://*", "https://", "://", ".", ".:8443", "https://.", "example.com/", "example.com/path", "https://example.com/", "example.com?x",
		"example.com#x", "user@example.com", "http:example.com", "https//example.com", "example.com:port", "exam ple.com", "::1", ":8443", "[::1",
	} {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if v, ok := recover().(string); !ok || !strings.HasPrefix(v, "wye: websocket.Options.Origins: ") {
					t.Errorf("%q: New did not panic about it: %v", entry, v)
				}
			}()
			New(nobody(), &Options{Origins: []string{entry}})
		})
	}
}

// TestOriginsAreCopied makes sure that the list is read once.
func TestOriginsAreCopied(t *testing.T) {
	t.Parallel()
	entries := []string{"example.org"}
	s := New(nobody(), &Options{Origins: entries})
	entries[0] = "example.net"
	r := &http.Request{Host: "example.com", Header: http.Header{"Origin": {"https://example.org"}}}
	if e := s.origins.check(r); e != nil {
		t.Error(e)
	}
}
