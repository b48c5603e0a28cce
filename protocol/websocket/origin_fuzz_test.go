package websocket

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// sentence is what a reference says: what has to be, or that both would do. The
// larger one counts.
type sentence uint8

const (
	mustNot sentence = iota
	either
	must
)

// The grammar of what browsers send and of what lists have (RFC 6454 section
// 6.1, RFC 3986 section 3.2), as far as it is not in dispute.
const (
	hostChars = `\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_~!$&'()+,;=.-]+`
	portChars = `(?::([0-9]+))?`
)

var (
	pageOrigin  = regexp.MustCompile(`^([A-Za-z][0-9A-Za-z+.-]*)://(` + hostChars + `)` + portChars + `$`)
	hostHeader  = regexp.MustCompile(`^(` + hostChars + `)` + portChars + `$`)
	originEntry = regexp.MustCompile(`^(?:([A-Za-z][0-9A-Za-z+.-]*)://)?(\.?)(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)` + portChars + `$`)
)

// schemePort is the port that a scheme has anyway.
func schemePort(scheme string) string {
	return map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}[strings.ToLower(scheme)]
}

func orScheme(port, scheme string) string {
	if port == "" {
		return schemePort(scheme)
	}
	return port
}

// match takes s apart, if it is in the grammar and the address in brackets, if
// there is one, is of IPv6.
func match(grammar *regexp.Regexp, s string) []string {
	found := grammar.FindStringSubmatch(s)
	for _, part := range found[min(1, len(found)):] {
		if inside, ok := strings.CutPrefix(part, "["); ok {
			if ip := strings.TrimSuffix(inside, "]"); net.ParseIP(ip) == nil || !strings.Contains(ip, ":") {
				return nil
			}
		}
	}
	return found
}

// ownMachine reports whether a host is this machine by its name alone.
func ownMachine(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// sentenceOn is decision 19, the naive way: whether a page may connect to host.
func sentenceOn(lines []string, host string, entries []string) sentence {
	switch {
	case len(lines) == 0:
		return must
	case len(lines) > 1:
		return mustNot
	}
	from := match(pageOrigin, lines[0])
	if from == nil {
		if strings.Contains(lines[0], "://") {
			return either // nothing that a browser sends
		}
		return mustNot
	}
	p := page{from[1], from[2], orScheme(from[3], from[1])}
	all := p.isOf(host)
	for _, entry := range entries {
		all = max(all, p.isOn(entry))
	}
	return all
}

// page is the origin of one.
type page struct{ scheme, host, port string }

// isOf says whether the page is of the host that is asked for, or both are on
// this machine.
func (p page) isOf(host string) sentence {
	to := match(hostHeader, host)
	switch {
	case to == nil:
		return either
	case strings.EqualFold(p.host, to[1]) && p.port == orScheme(to[2], p.scheme), ownMachine(p.host) && ownMachine(to[1]):
		return must
	}
	return mustNot
}

// isOn says whether an entry of the list is about the page.
func (p page) isOn(entry string) sentence {
	e := match(originEntry, entry)
	if e == nil {
		return either
	}
	port := e[4]
	if e[1] != "" {
		port = orScheme(port, e[1])
	}
	below := e[2] == "." && strings.HasSuffix(strings.ToLower(p.host), "."+strings.ToLower(e[3]))
	if (e[1] == "" || strings.EqualFold(e[1], p.scheme)) && (port == "" || port == p.port) && (below || strings.EqualFold(e[3], p.host)) {
		return must
	}
	return mustNot
}

// tryOrigins makes the list, or returns what New panics with.
func tryOrigins(entries ...string) (list *origins, panicked any) {
	defer func() { panicked = recover() }()
	return newOrigins(&Options{Origins: entries}), nil
}

// FuzzOrigin compares the check of origins with the naive one. Entries of the
// list are taken or refused with the panic that is documented; those of a
// documented form are taken, and match what they say.
func FuzzOrigin(f *testing.F) {
	for _, entry := range []string{
		"", "*", "example.com", ".example.com", "https://example.com", "example.com:8443", "[::1]", "::1", "http://[2001:db8::1]:80",
		"https://", ".", "a:b:c", "ftp://.example.com:21", "exa mple.com", "\x00", "%zz", "http://example.com/x", "EXAMPLE.com",
	} {
		f.Add("https://example.com", "", false, "example.com", entry)
		f.Add("http://a.example.com:8443", "", false, "api.test", entry)
		f.Add("http://notexample.com", "", false, "api.test", entry)
		f.Add("http://example.com", "", false, "localhost:8080", entry)
		f.Add("https://example.com:8443", "", false, "example.com:443", entry)
		f.Add(entry, "", false, "localhost:8080", entry)
		f.Add("http://127.0.0.1", "https://example.com", true, entry, "")
	}
	f.Add("http://example.com:443", "", false, "api.test", "https://example.com")
	f.Add("null", "", false, "example.com", "null")
	f.Add("http://[::ffff:127.0.0.1]:1", "", false, "[::1]", "")
	f.Fuzz(func(t *testing.T, one, two string, both bool, host, entry string) {
		lines, entries := []string{one}, []string{}
		if both {
			lines = append(lines, two)
		}
		list, panicked := tryOrigins(entry)
		if text, ok := panicked.(string); panicked != nil && (!ok || !strings.HasPrefix(text, "wye: websocket.Options.Origins: ")) {
			t.Fatalf("%q: New panics with %v", entry, panicked)
		}
		if list != nil {
			entries = append(entries, entry)
		} else {
			list, _ = tryOrigins()
		}
		checkEntry(t, entry, panicked)
		e := list.check(&http.Request{Host: host, Header: http.Header{"Origin": lines}})
		want := sentenceOn(lines, host, entries)
		if e == nil && want == mustNot || e != nil && (want == must || e.Status != http.StatusForbidden || e.Body == "") {
			t.Fatalf("a page from %q to %q, with %q on the list: %+v, want %d", lines, host, entries, e, want)
		}
		if e := list.check(&http.Request{Host: host, Header: http.Header{}}); e != nil {
			t.Fatalf("no origin is refused: %v", e)
		}
	})
}

// checkEntry makes sure that an entry of a documented form is taken and lets the
// page connect that it names.
func checkEntry(t *testing.T, entry string, panicked any) {
	t.Helper()
	e := match(originEntry, entry)
	if e == nil {
		return
	}
	if e[2] == "." && strings.HasPrefix(e[3], "[") {
		return // below an address there is nothing
	}
	if panicked != nil {
		t.Fatalf("%q is not taken: %v", entry, panicked)
	}
	list, _ := tryOrigins(entry)
	page := "https://"
	if e[1] != "" {
		page = e[1] + "://"
	}
	if e[2] == "." {
		page += "below."
	}
	page += e[3]
	if e[4] != "" {
		page += ":" + e[4]
	}
	if refused := list.check(&http.Request{Host: "api.test", Header: http.Header{"Origin": {page}}}); refused != nil {
		t.Fatalf("%q does not let %q connect: %v", entry, page, refused)
	}
}
