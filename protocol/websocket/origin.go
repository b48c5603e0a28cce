package websocket

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/handshake"
)

// origins decides which web pages may connect.
type origins struct {
	any     bool
	null    bool // pages without an origin may
	allowed []origin
}

// origin is one entry of Options.Origins. An empty scheme means http and https.
type origin struct {
	scheme string
	site   hostPattern
}

// newOrigins reads Options. An entry that cannot match anything panics.
func newOrigins(o *Options) *origins {
	list := &origins{any: o.InsecureAllowAnyOrigin}
	for _, entry := range o.Origins {
		p, err := parseOrigin(entry)
		if err != nil {
			panic(fmt.Sprintf("wye: websocket.Options.Origins: %q: %v", entry, err))
		}
		if entry == nullOrigin {
			list.null = true
			continue
		}
		list.allowed = append(list.allowed, p)
	}
	return list
}

// nullOrigin is what browsers send for a page that has no origin.
const nullOrigin = "null"

var (
	errNoOrigin = errors.New("write example.com, .example.com (and all below it), example.com:8443, [::1], https://example.com, " +
		"capacitor://localhost, file:// or null")
	errEveryOrigin = errors.New("to let every page in the world connect, set InsecureAllowAnyOrigin")
	errSocketURL   = errors.New("an origin is where a page is from; write https:// or http:// in place of wss:// or ws://")
)

func parseOrigin(entry string) (p origin, err error) {
	scheme, rest, hasScheme := strings.Cut(entry, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case entry == "*":
		return origin{}, errEveryOrigin
	case entry == nullOrigin:
		return origin{}, nil
	case !hasScheme:
		p.site, err = parseHostPattern(entry)
	case scheme == "ws" || scheme == "wss":
		return origin{}, errSocketURL
	case isWeb(scheme):
		p.scheme = scheme
		if p.site, err = parseHostPattern(rest); p.site.port == "" {
			p.site.port = defaultPort(scheme)
		}
	default:
		from, ok := parsePage(entry)
		if !ok || from.opaque == "" != (scheme == "file") {
			return origin{}, errNoOrigin
		}
		return origin{scheme: scheme, site: hostPattern{host: from.opaque}}, nil
	}
	if errors.Is(err, errNoHost) {
		err = errNoOrigin
	}
	return p, err
}

// page is the origin of one (RFC 6454 section 6.2). Pages of apps and extensions
// have schemes of their own, behind which there is no host that DNS knows.
type page struct {
	scheme string
	host   hostPort // http and https
	opaque string   // other schemes: what is behind the scheme
}

func isWeb(scheme string) bool { return scheme == schemeHTTP || scheme == schemeHTTPS }

const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

func defaultPort(scheme string) string {
	switch scheme {
	case schemeHTTP:
		return "80"
	case schemeHTTPS:
		return "443"
	}
	return ""
}

// parsePage reads an Origin header that is not "null".
func parsePage(s string) (p page, ok bool) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found || !isScheme(scheme) {
		return page{}, false
	}
	p.scheme = strings.ToLower(scheme)
	if !isWeb(p.scheme) {
		p.opaque = strings.ToLower(rest)
		return p, strings.Trim(p.opaque, "abcdefghijklmnopqrstuvwxyz0123456789._-:") == ""
	}
	p.host, ok = parseHostPort(rest)
	if p.host.port == "" {
		p.host.port = defaultPort(p.scheme)
	}
	return p, ok
}

// isScheme is RFC 3986 section 3.1.
func isScheme(s string) bool {
	s = strings.ToLower(s)
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == ""
}

// check returns nil if the page that r comes from may connect. A request without
// an Origin is no page's: browsers always send one. secure says that the peer is
// known to use TLS.
func (o *origins) check(r *http.Request, secure bool) *protocol.RejectError {
	lines := r.Header["Origin"]
	if len(lines) == 0 || o.any {
		return nil
	}
	if len(lines) > 1 {
		return handshake.Refusal(http.StatusForbidden, "several Origin headers")
	}
	if lines[0] == nullOrigin {
		if o.null {
			return nil
		}
		return handshake.Refusal(http.StatusForbidden, "a page without an origin of its own may not connect here")
	}
	from, ok := parsePage(lines[0])
	if !ok {
		return handshake.Refusal(http.StatusForbidden, fmt.Sprintf("the origin %.200q is not a web page's; it may not connect here", lines[0]))
	}
	if o.allows(from, r.Host, secure) {
		return nil
	}
	if secure && o.allows(from, r.Host, false) {
		return handshake.Refusal(http.StatusForbidden, fmt.Sprintf("a page from %.200q may not connect by TLS, because it came without. "+
			"Serve the page by https, or list its origin, with http://, in websocket.Options.Origins", lines[0]))
	}
	return handshake.Refusal(http.StatusForbidden, fmt.Sprintf("a page from %.200q may not connect to host %.200q. "+
		"Either a proxy in front does not pass the Host header on, or the page is served elsewhere and its origin "+
		"has to be listed in websocket.Options.Origins", lines[0], r.Host))
}

// allows is the rule. Whoever is on the way of a page that came without TLS can
// change it, so that such a page may not connect by TLS, unless it is listed with
// its scheme or both are on this machine.
func (o *origins) allows(from page, host string, secure bool) bool {
	safe := from.scheme == schemeHTTPS || from.scheme == schemeHTTP && !secure
	if to, ok := parseHostPort(host); ok && isWeb(from.scheme) {
		if safe && from.host == to.withPort(defaultPort(from.scheme)) || isLoopback(to.host) && isLoopback(from.host.host) {
			return true
		}
	}
	return slices.ContainsFunc(o.allowed, func(p origin) bool { return p.matches(from, safe) })
}

func (p origin) matches(from page, safe bool) bool {
	switch {
	case p.scheme != from.scheme && (p.scheme != "" || !safe):
		return false
	case isWeb(from.scheme):
		return p.site.matches(from.host)
	}
	return p.site.host == from.opaque
}

// hosts are Options.Hosts.
type hosts []hostPattern

func newHosts(o *Options) (all hosts) {
	for _, entry := range o.Hosts {
		p, err := parseHostPattern(entry)
		if err != nil {
			panic(fmt.Sprintf("wye: websocket.Options.Hosts: %q: %v", entry, err))
		}
		all = append(all, p)
	}
	return all
}

// check returns nil if the host that r is for is served.
func (h hosts) check(r *http.Request) *protocol.RejectError {
	if len(h) == 0 {
		return nil
	}
	if to, ok := parseHostPort(r.Host); ok {
		for _, p := range h {
			if p.matches(to) || to.port == "" && (p.matches(to.withPort("80")) || p.matches(to.withPort("443"))) {
				return nil
			}
		}
	}
	return handshake.Refusal(http.StatusMisdirectedRequest, fmt.Sprintf("host %.200q is not served here", r.Host))
}

// hostPort is a host as browsers send it, in lower case, without brackets, and a
// port, which may be missing.
type hostPort struct{ host, port string }

func (h hostPort) withPort(port string) hostPort {
	if h.port == "" {
		h.port = port
	}
	return h
}

// parseHostPort reads a Host header, or what is behind the scheme of an origin.
func parseHostPort(s string) (h hostPort, ok bool) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return hostPort{}, false
		}
		port = strconv.FormatUint(n, 10)
	}
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		return hostPort{addr.String(), port}, err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(host, "]")
	}
	host = strings.ToLower(host)
	return hostPort{host, port}, host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789_~!$&'()+,;=.-") == ""
}

// hostPattern is an entry of a list of hosts. An empty port means any.
type hostPattern struct {
	host, port string
	below      bool // hosts below host too
}

var errNoHost = errors.New("write example.com, .example.com (and all below it), example.com:8443 or [::1]")

// parseHostPattern reads an entry. One that no browser sends is an error.
func parseHostPattern(entry string) (p hostPattern, err error) {
	rest, below := strings.CutPrefix(entry, ".")
	if sent := asciiForm(rest); sent != rest {
		return p, fmt.Errorf("browsers send this name in ASCII; write %q", strings.TrimSuffix(entry, rest)+sent)
	}
	h, ok := parseHostPort(rest)
	if !ok || strings.HasSuffix(rest, ":") || h.port == "0" {
		return p, errNoHost
	}
	p = hostPattern{host: h.host, port: h.port, below: below}
	if _, err := netip.ParseAddr(h.host); err == nil {
		if below { // nothing is below an address
			return p, errNoHost
		}
		return p, nil
	}
	labels := strings.Split(strings.TrimSuffix(h.host, "."), ".")
	for _, l := range labels {
		if l == "" || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return p, errNoHost
		}
	}
	if isNumber(labels[len(labels)-1]) { // browsers take the whole for an address, and send it in another form
		return p, errors.New("write an address of IPv4 as 192.0.2.1")
	}
	return p, nil
}

// isNumber reports whether a label is a number to browsers.
func isNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	return strings.Trim(digits, "0123456789") == "" || hex && strings.Trim(digits, "0123456789abcdef") == ""
}

// asciiForm is a name in the form that browsers send. net/http has it, for the
// Host header of a request that it writes.
func asciiForm(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return name
	}
	var b strings.Builder
	if err := (&http.Request{URL: &url.URL{Host: strings.ToLower(name)}}).Write(&b); err != nil {
		return name
	}
	sent, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b.String())))
	if err != nil {
		return name
	}
	return sent.Host
}

func (p hostPattern) matches(h hostPort) bool {
	return (p.port == "" || p.port == h.port) && (p.host == h.host || p.below && strings.HasSuffix(h.host, "."+p.host))
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
