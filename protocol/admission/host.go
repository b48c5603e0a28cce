package admission

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wye-go/wye/protocol"
)

// hosts is the rule about which hosts are served: those of Options.Hosts, or any.
type hosts []hostPattern

// newHosts parses o.Hosts. It panics on an entry that cannot match anything.
func newHosts(name string, o *Options) (all hosts) {
	for _, entry := range o.Hosts {
		p, err := parseHostPattern(entry)
		if err != nil {
			panic(fmt.Sprintf("wye: %s.Hosts: %q: %v", name, entry, err))
		}
		all = append(all, p)
	}
	return all
}

// check returns nil if the host that r asks for is served.
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
	return &protocol.RejectError{Status: http.StatusMisdirectedRequest, Body: fmt.Sprintf("host %.200q is not served here", r.Host)}
}

// hostPort is a host as browsers send it, in lower case and without brackets, and a port,
// which may be empty.
type hostPort struct{ host, port string }

func (h hostPort) withPort(port string) hostPort {
	if h.port == "" {
		h.port = port
	}
	return h
}

// parseHostPort parses a Host header, or what follows the scheme of an origin.
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
	below      bool // domains below host match too
}

var errNoHost = errors.New("write example.com, .example.com (and all below it), example.com:8443 or [::1]")

// parseHostPattern parses an entry of a list of hosts. It returns an error for a host that
// no browser sends.
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
		if below { // no domain is below an address
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
	if isNumber(labels[len(labels)-1]) { // browsers take the name for an address, and send it in another form
		return p, errors.New("write an address of IPv4 as 192.0.2.1")
	}
	return p, nil
}

// isNumber reports whether browsers take a label for a number.
func isNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	return strings.Trim(digits, "0123456789") == "" || hex && strings.Trim(digits, "0123456789abcdef") == ""
}

// asciiForm returns a name in the form that browsers send. Package net/http converts it when
// it writes the Host header of a request.
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
