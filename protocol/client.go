package protocol

import (
	"cmp"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client is who sent a request: the peer of its socket or, if that is a trusted
// proxy, the client that the proxy reports. See [ClientOf].
type Client struct {
	// RemoteAddr has the form of http.Request.RemoteAddr. An address that a
	// proxy reports has port 0 if the proxy does not report the port.
	RemoteAddr string
	// Scheme is that of the client's request: "https", "http", or "" if it is
	// not known because no trusted proxy reports it and the socket has no TLS.
	Scheme string
	// Suspect says that a trusted proxy passed on headers that contradict each
	// other or are malformed, so that none is believed: RemoteAddr is that of
	// the proxy. Clients can cause this if the proxy neither replaces nor
	// removes one of the headers.
	Suspect bool
}

// ClientOf returns the client of r, which trusted proxies report. Without trusted
// networks, or if the peer of the socket is in none of them, no header is believed.
// The peer of a Unix socket counts as 127.0.0.1.
//
// The headers are X-Forwarded-For (any number of lines; addresses as 192.0.2.1,
// 192.0.2.1:4711, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:4711) and Forwarded
// (RFC 7239), for the scheme X-Forwarded-Proto too. Their addresses are read from
// the right, which is the nearest proxy's, up to the first one that is not trusted:
// that is the client. If all of them are trusted, the leftmost one is. Reading also
// stops at what is not an address, such as "unknown" and "_hidden": then the client
// is the proxy before. If X-Forwarded-For and Forwarded name different clients,
// neither is believed.
//
// ClientOf is for protocols, which set Scope.RemoteAddr, and for handlers of plain
// HTTP. It does not change r.
func ClientOf(r *http.Request, trusted []netip.Prefix) Client {
	c := Client{RemoteAddr: r.RemoteAddr}
	if r.TLS != nil {
		c.Scheme = secured
	}
	if len(trusted) == 0 {
		return c
	}
	if !contains(trusted, peerOf(r)) {
		return c
	}
	list, elements := r.Header["X-Forwarded-For"], r.Header["Forwarded"]
	client, _ := walk(trusted, list, plainHops) // no line of it is malformed
	standard, ok := walk(trusted, elements, standardHops)
	c.Scheme = schemeOf(r.Header["X-Forwarded-Proto"], standard.proto, c.Scheme)
	switch {
	case len(list) == 0:
		client = standard
	case len(elements) > 0 && client.addr.Addr() != standard.addr.Addr():
		ok = false
	}
	c.Suspect = !ok
	if ok && client.addr.IsValid() {
		c.RemoteAddr = client.addr.String()
	}
	return c
}

// peerOf is the address of the socket's peer, or an invalid one.
func peerOf(r *http.Request) netip.Addr {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return parseNode(r.RemoteAddr).Addr()
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hop is an entry of a forwarding header: the address of the peer that a proxy
// has seen, invalid if the proxy does not say, and that peer's scheme.
type hop struct {
	addr      netip.AddrPort
	proto     string
	malformed bool // it stands for a whole line
}

// The schemes of [Client].
const (
	plainHTTP = "http"
	secured   = "https"
)

// walk follows the hops of a header from the right to the client, whose address is
// invalid if the header has none. ok is false if it meets a line that is malformed.
func walk(trusted []netip.Prefix, lines []string, hops func(line string) iter.Seq[hop]) (client hop, ok bool) {
	for _, line := range slices.Backward(lines) {
		for h := range hops(line) {
			if h.malformed {
				return hop{}, false
			}
			client.proto = cmp.Or(h.proto, client.proto)
			if !h.addr.IsValid() {
				return client, true
			}
			client.addr = h.addr
			if !contains(trusted, h.addr.Addr()) {
				return client, true
			}
		}
	}
	return client, true
}

// plainHops are those of a line of X-Forwarded-For, from the right. No line is
// malformed as a whole: an entry that is no address hides those to its left.
func plainHops(line string) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		for more := true; more; {
			comma := strings.LastIndexByte(line, ',')
			entry := strings.Trim(line[comma+1:], " \t")
			more = comma >= 0
			line = line[:max(comma, 0)]
			if entry == "" {
				continue
			}
			if !yield(hop{addr: parseNode(entry)}) {
				return
			}
		}
	}
}

// standardHops are those of a line of Forwarded (RFC 7239 section 4), from the
// right. Because of quoted strings a line can only be read from the left.
func standardHops(line string) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		var hops []hop
		for line = strings.TrimLeft(line, " \t,"); line != ""; line = strings.TrimLeft(line, " \t,") {
			h, rest, ok := standardHop(line)
			if !ok {
				yield(hop{malformed: true})
				return
			}
			hops, line = append(hops, h), rest
		}
		for _, h := range slices.Backward(hops) {
			if !yield(h) {
				return
			}
		}
	}
}

// standardHop reads pairs up to the next comma.
func standardHop(line string) (h hop, rest string, ok bool) {
	seen := map[string]bool{}
	for {
		name, value, found := strings.Cut(line, "=")
		name = strings.ToLower(strings.Trim(name, " \t"))
		if !found || name == "" || strings.ContainsAny(name, ` "(),/:;<>@[\]{}`) || seen[name] {
			return h, "", false
		}
		seen[name] = true
		if value, line, ok = pairValue(value); !ok {
			return h, "", false
		}
		switch name {
		case "for":
			h.addr = parseNode(value)
		case "proto":
			h.proto = strings.ToLower(value)
		}
		line = strings.TrimLeft(line, " \t")
		switch {
		case line == "":
			return h, "", true
		case line[0] == ',':
			return h, line[1:], true
		case line[0] != ';':
			return h, "", false
		}
		line = line[1:]
	}
}

// pairValue reads a quoted string, or what ends before a delimiter. Addresses with
// colons and brackets should be quoted; not every proxy does that.
func pairValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " \t;,\"")
		if end < 0 {
			return s, "", true
		}
		return s[:end], s[end:], s[end] != '"'
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// parseNode reads an address with or without a port, which need not be a number
// (RFC 7239 section 6.3). The port is 0 then. What is not an address is invalid.
func parseNode(s string) netip.AddrPort {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return plainAddr(at.Addr(), at.Port())
	}
	host := s
	if inside, behind, found := strings.Cut(strings.TrimPrefix(s, "["), "]"); found && strings.HasPrefix(s, "[") {
		if host = inside; behind != "" && !strings.HasPrefix(behind, ":_") {
			return netip.AddrPort{}
		}
	} else if before, _, found := strings.Cut(s, ":_"); found {
		host = before
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}
	}
	return plainAddr(addr, 0)
}

// plainAddr is an address as networks contain it.
func plainAddr(addr netip.Addr, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), port)
}

// schemeOf chooses what a trusted proxy reports. Where it contradicts itself,
// https is assumed, for which the stricter rules hold.
func schemeOf(lines []string, standard, otherwise string) string {
	reported := standard
	if len(lines) > 0 {
		last := lines[len(lines)-1]
		last = strings.ToLower(strings.Trim(last[strings.LastIndexByte(last, ',')+1:], " \t"))
		if reported != secured {
			reported = last
		}
	}
	switch reported {
	case secured, "wss":
		return secured
	case plainHTTP, "ws":
		return plainHTTP
	}
	return otherwise
}
