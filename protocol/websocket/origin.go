package websocket

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// origins decides which web pages may connect.
type origins struct {
	any     bool
	allowed []origin
}

// origin is one entry of Options.Origins. An empty scheme or port means any.
type origin struct {
	scheme, host, port string
	below              bool // hosts below host too
}

// newOrigins reads Options. An entry that cannot match anything panics.
func newOrigins(o *Options) *origins {
	list := &origins{any: o.InsecureAllowAnyOrigin}
	for _, entry := range o.Origins {
		p, err := parseOrigin(entry)
		if err != nil {
			panic(fmt.Sprintf("wye: websocket.Options.Origins: %q: %v", entry, err))
		}
		list.allowed = append(list.allowed, p)
	}
	return list
}

var errNoOrigin = errors.New("write example.com, .example.com (and all below it), example.com:8443, [::1] or https://example.com")

func parseOrigin(entry string) (origin, error) {
	if entry == "*" {
		return origin{}, errors.New("to let every page in the world connect, set InsecureAllowAnyOrigin")
	}
	scheme, rest, hasScheme := strings.Cut(entry, "://")
	if !hasScheme {
		scheme, rest = "", entry
	}
	u, err := url.Parse("//" + rest)
	if err != nil || u.Hostname() == "" || u.Host != rest || strings.Contains(rest, "*") {
		return origin{}, errNoOrigin
	}
	p := origin{scheme: strings.ToLower(scheme), host: strings.ToLower(u.Hostname()), port: u.Port()}
	if hasScheme && p.port == "" {
		p.port = defaultPort(p.scheme)
	}
	p.host, p.below = strings.CutPrefix(p.host, ".")
	if p.host == "" || strings.Contains(p.host, ":") && !strings.HasPrefix(rest, "[") {
		return origin{}, errNoOrigin
	}
	return p, nil
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// check returns nil if the page that r comes from may connect. A request without
// an Origin is no page's: browsers always send one.
func (o *origins) check(r *http.Request) *protocol.RejectError {
	lines := r.Header["Origin"]
	if len(lines) == 0 || o.any {
		return nil
	}
	if len(lines) > 1 {
		return refusal(http.StatusForbidden, "several Origin headers")
	}
	from, err := url.Parse(lines[0])
	if err != nil || from.Scheme == "" || from.Hostname() == "" {
		return refusal(http.StatusForbidden, fmt.Sprintf("the origin %.200q is not a web page's; it may not connect here", lines[0]))
	}
	if o.allows(from, r.Host) {
		return nil
	}
	return refusal(http.StatusForbidden, fmt.Sprintf("a page from %.200q may not connect to host %.200q. "+
		"Either a proxy in front does not pass the Host header on, or the page is served elsewhere and its origin "+
		"has to be listed in websocket.Options.Origins", lines[0], r.Host))
}

func (o *origins) allows(from *url.URL, host string) bool {
	if sameHost(from, host) || isLoopback(hostname(host)) && isLoopback(from.Hostname()) {
		return true
	}
	for _, p := range o.allowed {
		if p.matches(from) {
			return true
		}
	}
	return false
}

func (p origin) matches(from *url.URL) bool {
	scheme, host := strings.ToLower(from.Scheme), strings.ToLower(from.Hostname())
	return (p.scheme == "" || p.scheme == scheme) &&
		(p.port == "" || p.port == portOf(from)) &&
		(p.host == host || p.below && strings.HasSuffix(host, "."+p.host))
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return defaultPort(strings.ToLower(u.Scheme))
}

// sameHost reports whether a page's origin is the host that the request is for;
// the port may be left out of either where it is the scheme's.
func sameHost(from *url.URL, host string) bool {
	port := portOf(from)
	if _, p, err := net.SplitHostPort(host); err == nil && p != port {
		return false
	} else if err != nil && port != defaultPort(strings.ToLower(from.Scheme)) {
		return false
	}
	return strings.EqualFold(from.Hostname(), hostname(host))
}

// hostname is the Host header without port and brackets.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
