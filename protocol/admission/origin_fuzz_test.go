package admission

import (
	"cmp"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// verdict is what the reference asks of the check. If an origin has several, the largest
// counts.
type verdict uint8

const (
	refuse verdict = iota
	either         // the reference does not decide
	allow
)

// The undisputed part of the grammar of Origin and Host headers and of the entries of
// Options.Origins (RFC 6454 section 6.1, RFC 3986 section 3.2).
const (
	hostChars = `\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_~!$&'()+,;=.-]+`
	portChars = `(?::([0-9]+))?`
)

var (
	pageOrigin  = regexp.MustCompile(`^([A-Za-z][0-9A-Za-z+.-]*)://(` + hostChars + `)` + portChars + `$`)
	hostHeader  = regexp.MustCompile(`^(` + hostChars + `)` + portChars + `$`)
	originEntry = regexp.MustCompile(`^(?:([A-Za-z][0-9A-Za-z+.-]*)://)?(\.?)(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)` + portChars + `$`)
)

// portNumber returns a port as a number, or the scheme's if there is none. -1 means that
// there is no such port.
func portNumber(port, scheme string) int {
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(scheme)]
	}
	n, err := strconv.Atoi(port)
	if err != nil || n > 65535 {
		return -1
	}
	return n
}

// match returns the parts of s. It returns nil if s is not in the grammar, or has an
// address in brackets that is not of IPv6.
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

// sameName reports whether two names, or addresses of IPv6 in brackets, are the same host.
func sameName(a, b string) bool {
	if strings.HasPrefix(a, "[") && strings.HasPrefix(b, "[") {
		return net.ParseIP(strings.Trim(a, "[]")).Equal(net.ParseIP(strings.Trim(b, "[]")))
	}
	return strings.EqualFold(a, b)
}

// ownMachine reports whether the name of a host says that it is this machine.
func ownMachine(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// naiveCheck is the reference: it decides whether a page may connect to host.
func naiveCheck(lines []string, host string, secure bool, entries []string) verdict {
	switch {
	case len(lines) == 0:
		return allow
	case len(lines) > 1:
		return refuse
	case lines[0] == "null":
		if slices.Contains(entries, "null") {
			return allow
		}
		return refuse
	}
	from := match(pageOrigin, lines[0])
	switch {
	case from == nil && strings.Contains(lines[0], "://"):
		return either // no browser sends it
	case from == nil:
		return refuse
	}
	p := visitor{strings.ToLower(from[1]), from[2], portNumber(from[3], from[1]), lines[0], secure}
	if p.port < 0 && p.web() {
		return either
	}
	all := p.isOf(host)
	for _, entry := range entries {
		all = max(all, p.isOn(entry))
	}
	return all
}

// visitor is the origin of a page. secure reports that the page connects by TLS.
type visitor struct {
	scheme, host string
	port         int
	whole        string
	secure       bool
}

func (p visitor) web() bool { return p.scheme == "http" || p.scheme == "https" }

// safe reports whether the page was loaded at least as securely as it connects.
func (p visitor) safe() bool { return p.scheme == "https" || p.scheme == "http" && !p.secure }

// isOf decides whether the page is of the requested host, or both are on this machine.
func (p visitor) isOf(host string) verdict {
	to := match(hostHeader, host)
	switch {
	case !p.web():
		return refuse
	case to == nil, to[2] != "" && portNumber(to[2], "") < 0:
		return either
	case sameName(p.host, to[1]) && p.port == portNumber(to[2], p.scheme) && p.safe(), ownMachine(p.host) && ownMachine(to[1]):
		return allow
	}
	return refuse
}

// isOn decides whether an entry of the list matches the page.
func (p visitor) isOn(entry string) verdict {
	e := match(originEntry, entry)
	switch {
	case e == nil:
		return either
	case entry != "null" && strings.EqualFold(entry, p.whole):
		return allow
	case entry == "null", !webEntry(e), !p.web():
		return refuse
	}
	port := -1
	if e[4] != "" || e[1] != "" {
		port = portNumber(e[4], e[1])
	}
	byScheme := e[1] == "" && p.safe() || strings.EqualFold(e[1], p.scheme)
	below := e[2] == "." && strings.HasSuffix(strings.ToLower(p.host), "."+strings.ToLower(e[3]))
	if byScheme && (port < 0 || port == p.port) && (below || sameName(e[3], p.host)) {
		return allow
	}
	return refuse
}

// webEntry reports whether an entry is for pages by http or https.
func webEntry(e []string) bool {
	return slices.Contains([]string{"", "http", "https"}, strings.ToLower(e[1]))
}

// tryOrigins returns the rule, or the value of newOrigins' panic.
func tryOrigins(entries ...string) (list *origins, panicked any) {
	defer func() { panicked = recover() }()
	return newOrigins(optionsName, &Options{Origins: entries}), nil
}

// FuzzOrigin compares the check of origins with the reference. An entry of the list is
// accepted or causes the documented panic; one of a documented form is accepted, and
// matches the origin that it names.
func FuzzOrigin(f *testing.F) {
	for i, entry := range []string{
		"", "*", "example.com", ".example.com", "https://example.com", "example.com:8443", "[::1]", "::1", "http://[2001:db8::1]:80",
		"https://", ".", "a:b:c", "ftp://.example.com:21", "exa mple.com", "\x00", "%zz", "http://example.com/x", "EXAMPLE.com",
		"null", "file://", "file:", "capacitor://localhost", "chrome-extension://abc", "wss://example.com", "münchen.example", "[2001:0db8:0::1]", "127.1", "app://.",
	} {
		secure := i%2 == 0
		f.Add("https://example.com", "", false, "example.com", entry, secure)
		f.Add("http://a.example.com:8443", "", false, "api.test", entry, secure)
		f.Add("http://notexample.com", "", false, "api.test", entry, secure)
		f.Add("http://example.com", "", false, "localhost:8080", entry, secure)
		f.Add("https://example.com:8443", "", false, "example.com:443", entry, secure)
		f.Add(entry, "", false, "localhost:8080", entry, secure)
		f.Add("http://127.0.0.1", "https://example.com", true, entry, "", secure)
	}
	f.Add("http://example.com:443", "", false, "api.test", "https://example.com", false)
	f.Add("http://example.com", "", false, "example.com", "", true)
	f.Add("https://user@example.com", "", false, "example.com", "", true)
	f.Add("null", "", false, "example.com", "null", false)
	f.Add("http://[::ffff:127.0.0.1]:1", "", false, "[::1]", "", false)
	f.Fuzz(func(t *testing.T, one, two string, both bool, host, entry string, secure bool) {
		lines, entries := []string{one}, []string{}
		if both {
			lines = append(lines, two)
		}
		list, panicked := tryOrigins(entry)
		checkEntry(t, entry, panicked)
		if list != nil {
			entries = append(entries, entry)
		} else {
			list, _ = tryOrigins()
		}
		e := list.check(&http.Request{Host: host, Header: http.Header{"Origin": lines}}, secure)
		want := naiveCheck(lines, host, secure, entries)
		if e == nil && want == refuse || e != nil && (want == allow || e.Status != http.StatusForbidden || e.Body == "") {
			t.Fatalf("a page from %q to %q, by TLS: %v, with %q on the list: %+v, want %d", lines, host, secure, entries, e, want)
		}
		if _, site, _ := strings.Cut(one, "://"); e == nil && strings.ContainsAny(site, "@/?#% ") {
			t.Fatalf("a page from %q, which is not an origin, may connect", one)
		}
		if e := list.check(&http.Request{Host: host, Header: http.Header{}}, secure); e != nil {
			t.Fatalf("no origin is refused: %v", e)
		}
		checkHosts(t, host, entry)
	})
}

// checkHosts checks that a served host is the listed one, or below it.
func checkHosts(t *testing.T, host, entry string) {
	t.Helper()
	p, err := parseHostPattern(entry)
	if err != nil {
		return
	}
	if e := (hosts{p}).check(&http.Request{Host: host}); e == nil && !strings.HasPrefix(entry, "[") &&
		!strings.Contains(strings.ToLower(host), p.host) || e != nil && strings.EqualFold(host, entry) && !p.below {
		t.Fatalf("host %q with %q on the list: %v", host, entry, e)
	}
}

// checkEntry checks that an entry of a documented form is accepted and allows the page that
// it names.
func checkEntry(t *testing.T, entry string, panicked any) {
	t.Helper()
	if text, ok := panicked.(string); panicked != nil && (!ok || !strings.HasPrefix(text, "wye: test.Options.Origins: ")) {
		t.Fatalf("%q: New panics with %v", entry, panicked)
	}
	e := match(originEntry, entry)
	if e == nil || !documented(e) {
		return
	}
	if panicked != nil {
		t.Fatalf("%q is not accepted: %v", entry, panicked)
	}
	list, _ := tryOrigins(entry)
	page := entry
	if webEntry(e) {
		page = cmp.Or(e[1], "https") + "://" + map[bool]string{true: "below."}[e[2] == "."] + e[3]
		if e[4] != "" {
			page += ":" + e[4]
		}
	}
	if refused := list.check(&http.Request{Host: "api.test", Header: http.Header{"Origin": {page}}}, true); refused != nil {
		t.Fatalf("%q does not let %q connect: %v", entry, page, refused)
	}
}

// documented reports whether an entry has a documented form: it is not the address of a
// socket, not below an IP address, and its port and name can exist.
func documented(e []string) bool {
	switch strings.ToLower(e[1]) {
	case "ws", "wss", "file":
		return false
	case "", "http", "https":
		return e[0] != nullOrigin && (e[4] == "" || portNumber(e[4], e[1]) > 0) && (e[2] != "." || e[3][0] != '[') && !numeric.MatchString(e[3])
	}
	return true
}

// numeric matches names that browsers take for addresses.
var numeric = regexp.MustCompile(`(?i)^(?:.*\.)?(?:\d+|0x[0-9a-f]*)$`)
