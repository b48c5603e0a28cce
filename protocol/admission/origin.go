package admission

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// origins is the rule about which web pages may connect.
type origins struct {
	options string // how texts name the options
	any     bool
	null    bool // pages without an origin of their own may connect
	allowed []origin
}

// origin is one entry of Options.Origins. An empty scheme means http and https.
type origin struct {
	scheme string
	site   hostPattern
}

// newOrigins parses o.Origins. It panics on an entry that cannot match anything.
func newOrigins(name string, o *Options) *origins {
	list := &origins{options: name, any: o.InsecureAllowAnyOrigin}
	for _, entry := range o.Origins {
		p, err := parseOrigin(entry)
		if err != nil {
			panic(fmt.Sprintf("wye: %s.Origins: %q: %v", name, entry, err))
		}
		if entry == nullOrigin {
			list.null = true
			continue
		}
		list.allowed = append(list.allowed, p)
	}
	return list
}

// nullOrigin is what browsers send for a page that has no origin of its own.
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

// page is the origin of a web page (RFC 6454 section 6.2). Pages of apps and extensions
// have schemes of their own, and behind them no host that DNS knows.
type page struct {
	scheme string
	host   hostPort // if the scheme is http or https
	opaque string   // otherwise: what follows "://"
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

// parsePage parses an Origin header that is not "null".
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

// isScheme is the grammar of RFC 3986 section 3.1.
func isScheme(s string) bool {
	s = strings.ToLower(s)
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == ""
}

// check returns nil if the page that sent r may connect. secure reports that the client is
// known to use TLS.
func (o *origins) check(r *http.Request, secure bool) *protocol.RejectError {
	if o.any {
		return nil
	}
	lines := r.Header["Origin"]
	if len(lines) == 0 {
		return checkFetchSite(r)
	}
	if len(lines) > 1 {
		return forbidden("several Origin headers")
	}
	if lines[0] == nullOrigin {
		if o.null {
			return nil
		}
		return forbidden("a page without an origin of its own may not connect here")
	}
	from, ok := parsePage(lines[0])
	if !ok {
		return forbidden(fmt.Sprintf("the origin %.200q is not a web page's; it may not connect here", lines[0]))
	}
	if o.allows(from, r.Host, secure) {
		return nil
	}
	if secure && o.allows(from, r.Host, false) {
		return forbidden(fmt.Sprintf("a page from %.200q may not connect by TLS, because it came without. "+
			"Serve the page by https, or list its origin, with http://, in %s.Origins", lines[0], o.options))
	}
	return forbidden(fmt.Sprintf("a page from %.200q may not connect to host %.200q. "+
		"Either a proxy in front does not pass the Host header on, or the page is served elsewhere and its origin "+
		"has to be listed in %s.Origins", lines[0], r.Host, o.options))
}

// checkFetchSite is check for a request without an Origin header. Browsers send the header
// with every WebSocket handshake, but not with a plain GET, as an image of another site's
// page sends one. Then Sec-Fetch-Site names the relation of the two sites.
func checkFetchSite(r *http.Request) *protocol.RejectError {
	if len(r.Header["Upgrade"]) > 0 {
		return nil
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return nil
	}
	return forbidden("a page of another origin may not connect here")
}

func forbidden(body string) *protocol.RejectError {
	return &protocol.RejectError{Status: http.StatusForbidden, Body: body}
}

// allows is the rule. A page that was loaded without TLS may have been changed on its way,
// so it may not connect by TLS, unless it is listed with its scheme or both hosts are this
// machine.
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
